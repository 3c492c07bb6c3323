/// A child process did not start.
public struct SubprocessError: Error, Equatable, Sendable, CustomStringConvertible {
    public let program: String
    public let errno: Errno

    public init(program: String, errno: Errno) {
        self.program = program
        self.errno = errno
    }

    public var description: String { "\(program) could not be started: \(errno)" }
}
