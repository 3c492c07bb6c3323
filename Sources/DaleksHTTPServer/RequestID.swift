import DaleksSystem
import Synchronization

/// The name of one request in answers and logs: counted, in front of it what this process drew at its start.
///
/// Kept as a number until somebody wants to read it, since most requests end without a line about them.
enum RequestID: Sendable {
    case counted(UInt64)
    case given(String)

    private static let prefix = Random.word()
    private static let counter = Atomic<UInt64>(0)

    static func next() -> RequestID { .counted(counter.wrappingAdd(1, ordering: .relaxed).newValue) }

    /// Calls `body` with the id as a C string.
    func withCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
        switch self {
        case .given(let text):
            text.withCString(body)
        case .counted(let number):
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: 33) { buffer in
                Self.write(Self.prefix, to: buffer, at: 0)
                Self.write(number, to: buffer, at: 16)
                buffer[32] = 0
                // The buffer has 33 elements, so it has a base address.
                return body(UnsafePointer(buffer.baseAddress.unsafelyUnwrapped))
            }
        }
    }

    var text: String { withCString { String(cString: $0) } }

    private static func write(_ word: UInt64, to buffer: UnsafeMutableBufferPointer<CChar>, at start: Int) {
        for position in 0..<16 {
            let digit = UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * position)) & 15
            buffer[start + position] = CChar(digit < 10 ? digit + 48 : digit + 87)
        }
    }
}
