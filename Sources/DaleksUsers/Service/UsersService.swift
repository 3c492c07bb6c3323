import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPServer
import DaleksPostgres
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
    /// What makes the first administrator, at `POST /v1/admin/first`; nil where there is one.
    public let firstAdminToken: String?
    public var facts: Logger.Metadata {
        guard let firstAdminToken else { return ["issuer": issuer] }
        return ["issuer": issuer, "first_admin_token": firstAdminToken]
    }

    /// For administration.
    let clients: Clients
    let keys: KeyRing
    /// Everything that is answered.
    let routes: [(method: HTTPMethod, pattern: String)]

    private let state: StateFolder
    private let store: UsersStore
    private let hasher: PasswordHasher
    private let server: ServiceServer
    private let accounts: AccountParts
    private let upkeep: Upkeep
    private let introspection: Introspection

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
        let metrics = Metrics()
        metrics.addProcess()
        let store = try Self.openStore(settings, state, metrics, logger)
        let parts: Parts
        do throws(ServiceFailure) {
            parts = try Parts(settings, state, store, metrics, time, logger)
            firstAdminToken = try parts.accounts.prepare(logger)
        } catch {
            store.close()
            throw error
        }
        parts.measure(metrics, time)
        let router = parts.routes(settings, metrics).router
        routes = router.routes
        do throws(ServiceFailure) {
            server = try ServiceServer(
                settings.serving,
                listening: listening,
                router: router,
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
            parts.introspection.close()
            store.close()
            throw error
        }
        self.state = state
        self.store = store
        hasher = parts.hasher
        accounts = parts.accounts
        clients = parts.clients
        keys = parts.keys
        upkeep = parts.upkeep
        introspection = parts.introspection
        upkeep.start()
        accounts.start()
    }

    /// Reads the certificate again. Where that fails, the old one goes on.
    public func reload() throws(ServiceFailure) { try server.reload() }

    /// Answers what was asked and ends.
    public func stop() {
        // Those who wait for the feed first: they would hold up the rest.
        accounts.feed.stop()
        server.drain()
        accounts.stop()
        upkeep.stop()
        hasher.close()
        introspection.close()
        store.close()
        state.release()
    }

    /// Writes a consistent copy of the database to a path where nothing is, while everything goes on. False where the
    /// database is a server's, whose own tools do that.
    public func backup(to path: String) throws -> Bool { try store.backup(to: path) }

    private static func openStore(
        _ settings: UsersSettings,
        _ state: StateFolder,
        _ metrics: Metrics,
        _ logger: Logger
    ) throws(ServiceFailure) -> UsersStore {
        if let url = settings.database {
            do throws(PostgresError) {
                return try UsersStore(url: url, metrics: metrics, logger: logger)
            } catch {
                throw ServiceFailure("the database cannot be opened: \(error)")
            }
        }
        do throws(SQLiteError) {
            return try UsersStore(path: "\(state.path)/users.db", metrics: metrics, logger: logger)
        } catch {
            throw ServiceFailure("the database cannot be opened: \(error)")
        }
    }
}
