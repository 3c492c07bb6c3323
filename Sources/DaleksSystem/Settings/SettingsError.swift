/// Why the settings could not be had: one line for the person who typed them, saying what to do. Never a secret.
public struct SettingsError: Error, Equatable, Sendable, CustomStringConvertible {
    public let message: String

    public init(_ message: String) { self.message = message }

    public var description: String { message }
}

/// What a program does after it was given its arguments.
public enum SettingsOutcome: Sendable {
    case run(Settings)
    /// `--help`, `--version` or `--print-config`: print this and exit 0.
    case print(String)
}
