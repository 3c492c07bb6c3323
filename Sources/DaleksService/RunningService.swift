public import DaleksSystem

/// What a service's program is told, read from its settings.
public protocol ServiceConfiguration: Sendable {
    static var schema: SettingsSchema { get }
    init(_ settings: Settings) throws(SettingsError)

    /// What every service is told.
    var serving: ServingSettings { get }
}

/// A service that serves from its start to its stop. The three calls come from one thread.
public protocol RunningService: Sendable {
    associatedtype Configuration: ServiceConfiguration

    /// Returns when requests are served.
    static func start(
        _ configuration: Configuration,
        time: TimeSource,
        logger: Logger
    ) throws(ServiceFailure) -> Self

    var port: UInt16 { get }
    /// What whoever started the program wants to know beside the address.
    var facts: Logger.Metadata { get }

    /// Reads what may change while it runs. Where that fails, it goes on with what it had.
    func reload() throws(ServiceFailure)
    /// Answers what was asked and ends.
    func stop()
}
