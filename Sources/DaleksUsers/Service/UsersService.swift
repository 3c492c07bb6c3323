import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksSQLite
public import DaleksService
public import DaleksSystem

/// The users service, running.
///
/// ## Concurrency
/// The parts have their own threads. `start`, `reload` and `stop` are called by one thread.
public final class UsersService: RunningService {
    public let port: UInt16
    /// What tokens name as their issuer.
    public let issuer: String
    public var facts: Logger.Metadata { ["issuer": issuer] }

    /// For administration.
    let clients: Clients
    let keys: KeyRing

    private let state: StateFolder
    private let store: UsersStore
    private let hasher: PasswordHasher
    private let server: ServiceServer
    private let upkeep: Upkeep

    /// Returns when requests are served.
    public static func start(
        _ settings: UsersSettings,
        time: TimeSource = .system,
        logger: Logger
    ) throws(ServiceFailure) -> UsersService {
        try UsersService(settings, time, logger)
    }

    private init(_ settings: UsersSettings, _ time: TimeSource, _ logger: Logger) throws(ServiceFailure) {
        let state = try StateFolder(settings.serving.stateFolder, database: "users.db")
        let listening = try settings.serving.listen()
        let store = try Self.openStore(state, logger)
        let metrics = Metrics()
        metrics.addProcess()
        let measures = UsersMeasures(metrics)
        let parts: Parts
        do throws(ServiceFailure) {
            parts = try Parts(settings, state, store, measures, time, logger)
        } catch {
            store.close()
            throw error
        }
        parts.measure(metrics, time)
        do throws(ServiceFailure) {
            server = try ServiceServer(
                settings.serving,
                listening: listening,
                router: parts.routes(settings, metrics).router,
                metrics: metrics,
                logger: logger
            )
            port = server.port
            issuer = settings.issuer ?? server.url
            // Before anybody is served: a token without its issuer would be nobody's.
            parts.issuer.setIssuer(issuer)
            try server.start()
        } catch {
            parts.hasher.close()
            store.close()
            throw error
        }
        self.state = state
        self.store = store
        hasher = parts.hasher
        clients = parts.clients
        keys = parts.keys
        upkeep = parts.upkeep
        upkeep.start()
    }

    /// Reads the certificate again. Where that fails, the old one goes on.
    public func reload() throws(ServiceFailure) { try server.reload() }

    /// Answers what was asked and ends.
    public func stop() {
        server.drain()
        upkeep.stop()
        hasher.close()
        store.close()
        state.release()
    }

    private static func openStore(_ state: StateFolder, _ logger: Logger) throws(ServiceFailure) -> UsersStore {
        do throws(SQLiteError) {
            return try UsersStore(path: "\(state.path)/users.db", logger: logger)
        } catch {
            throw ServiceFailure("the database cannot be opened: \(error)")
        }
    }
}
