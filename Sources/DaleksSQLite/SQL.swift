/// The text of one statement.
///
/// A literal is all that can be written in place, so a value cannot slip into a statement by interpolation: values are
/// bound. Text that a program composes (column lists, never values) says so by `SQL(text)`.
public struct SQL: ExpressibleByStringLiteral, Sendable {
    // A literal lives in the program's constants for ever, so its address is its identity: the statement cache finds
    // it without reading the text.
    private let address: UInt
    private let count: Int
    private let computed: String
    // What it is found by: the address, or a hash of the text, which is made once and not at each use.
    private let mark: Int

    public init(stringLiteral literal: StaticString) {
        // Only a literal of one character has none.
        guard literal.hasPointerRepresentation else {
            (address, count, computed, mark) = (0, 0, "\(literal)", 0)
            return
        }
        (address, count, computed) = (UInt(bitPattern: literal.utf8Start), literal.utf8CodeUnitCount, "")
        mark = Int(bitPattern: address)
    }

    public init(_ text: String) {
        (address, count, computed, mark) = (0, 0, text, text.hashValue)
    }

    public var text: String {
        withUTF8 { String(decoding: $0, as: UTF8.self) }
    }

    func withUTF8<Result, Failure: Error>(
        _ body: (UnsafeBufferPointer<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        guard let start = UnsafePointer<UInt8>(bitPattern: address) else {
            let bytes = Array(computed.utf8)
            let outcome: Swift.Result<Result, Failure> = bytes.withUnsafeBufferPointer { buffer in
                do throws(Failure) { return .success(try body(buffer)) } catch { return .failure(error) }
            }
            return try outcome.get()
        }
        return try body(UnsafeBufferPointer(start: start, count: count))
    }
}

extension SQL: Hashable {
    public static func == (left: SQL, right: SQL) -> Bool {
        left.mark == right.mark && left.address == right.address && left.count == right.count
            && left.computed == right.computed
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(mark)
    }
}

extension SQL: CustomStringConvertible {
    public var description: String { text }
}
