import DaleksCore
import Glibc

extension Subprocess {
    /// What a short program said and how it ended.
    public struct Captured: Sendable {
        public let ending: Ending
        public let output: [UInt8]
        public let errors: [UInt8]
        /// It was ended by us because its time was up.
        public let hasTimedOut: Bool

        public var outputText: String { String(decoding: output, as: UTF8.self) }
        public var errorText: String { String(decoding: errors, as: UTF8.self) }
    }

    /// Runs a program to its end and keeps what it wrote, up to `Limits.Subprocess.capturedBytesMax` of each stream.
    /// The command's own outputs are not used.
    public static func capture(
        _ command: Command,
        timeout: Duration,
        grace: Duration = .seconds(1)
    ) throws(SubprocessError) -> Captured {
        let output = Lock<[UInt8]>([])
        let errors = Lock<[UInt8]>([])
        var command = command
        command.output = .bytes { bytes in append(bytes, to: output) }
        command.errors = .bytes { bytes in append(bytes, to: errors) }
        let child = try start(command)
        let inTime = child.wait(timeout: timeout)
        return Captured(
            ending: inTime ?? child.terminate(grace: grace),
            output: output.withLock { $0 },
            errors: errors.withLock { $0 },
            hasTimedOut: inTime == nil
        )
    }

    private static func append(_ bytes: [UInt8], to kept: Lock<[UInt8]>) {
        kept.withLock { kept in
            kept += bytes.prefix(Limits.Subprocess.capturedBytesMax - kept.count)
        }
    }
}
