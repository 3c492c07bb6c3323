import DaleksCore

/// How long what lies between a question and its token is good.
public struct OAuthRule: Sendable {
    /// Between the user's yes and the program's request for tokens lies one redirect.
    public var codeLifetime = Duration.seconds(60)
    /// To walk to another machine and type eight letters.
    public var deviceLifetime = Duration.seconds(600)
    /// Between two questions of a device that waits (RFC 8628 proposes 5 seconds).
    public var devicePause = Duration.seconds(5)
    /// For how long a used code is remembered, to notice that somebody else has it too.
    public var usedCodeKept = Duration.seconds(86_400)

    public init() {}
}
