/// The target of a request line and where in memory it ended.
struct RawTarget: Sendable {
    let text: String
    private let end: UInt

    /// Nil where it is not UTF-8.
    init?(_ pointer: UnsafePointer<CChar>) {
        guard let text = String(validatingCString: pointer) else { return nil }
        self.text = text
        end = UInt(bitPattern: pointer) + UInt(text.utf8.count)
    }

    /// Only the one space that became the target's terminator lies between it and the version: a NUL inside would have
    /// cut the target short.
    func ends(before version: UnsafePointer<CChar>) -> Bool { UInt(bitPattern: version) == end + 1 }
}
