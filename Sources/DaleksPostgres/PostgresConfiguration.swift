/// How a pool behaves. Where the database is and who asks is the URL's business.
public struct PostgresConfiguration: Sendable {
    /// Whose tables these are, such as `daleks-users`: shown by the server as `application_name`, and recorded with the
    /// migrations so that two programs given the same database by mistake do not mix their tables.
    public var applicationName: String

    /// Connections at most, not counting the listener's.
    public var connectionCountMax = 8

    /// How long a caller waits for a free connection.
    public var waitTimeout = Duration.seconds(5)

    /// How long one host may take to accept a connection.
    public var connectTimeout = Duration.seconds(5)

    /// How long one statement may run. The server enforces it, and a cancel request of ours where the server does not
    /// answer.
    public var statementTimeout = Duration.seconds(30)

    /// A transaction whose client has gone quiet holds its locks no longer than this.
    public var idleInTransactionTimeout = Duration.seconds(60)

    /// Attempts that a transaction gets in all when others get in its way.
    public var attemptCountMax = 16

    /// A connection idle for this long is asked whether it still works before it is used.
    public var healthCheckAfter = Duration.seconds(15)

    /// A connection idle for this long is closed when the next one is given back.
    public var idleLifetime = Duration.seconds(600)

    /// A connection this old is closed when it is given back: servers grow with the age of their sessions, and a
    /// changed address is followed.
    public var lifetime = Duration.seconds(3_600)

    public init(applicationName: String) {
        self.applicationName = applicationName
    }
}
