import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPServer
import DaleksSQLite
public import DaleksSystem
import Glibc

/// The users service, running.
///
/// ## Concurrency
/// The parts have their own threads. `start`, `reload` and `stop` are called by one thread.
public final class UsersService: Sendable {
    public let port: UInt16
    /// What tokens name as their issuer.
    public let issuer: String

    /// For administration.
    let clients: Clients
    let keys: KeyRing

    private let state: StateFolder
    private let store: UsersStore
    private let hasher: PasswordHasher
    private let server: HTTPServer
    private let upkeep: Upkeep
    private let drainTimeout: Duration

    /// Returns when requests are served.
    public static func start(
        _ settings: UsersSettings,
        time: TimeSource = .system,
        logger: Logger
    ) throws(UsersServiceError) -> UsersService {
        try UsersService(settings, time, logger)
    }

    private init(_ settings: UsersSettings, _ time: TimeSource, _ logger: Logger) throws(UsersServiceError) {
        let state = try StateFolder(settings.stateFolder)
        let store = try Self.openStore(state, logger)
        let metrics = Metrics()
        metrics.addProcess()
        let measures = UsersMeasures(metrics)
        let parts: Parts
        do throws(UsersServiceError) {
            parts = try Parts(settings, state, store, measures, time, logger)
        } catch {
            store.close()
            throw error
        }
        parts.measure(metrics, time)
        do throws(HTTPServerError) {
            server = try HTTPServer(
                Self.configuration(settings, metrics),
                router: parts.routes(settings, metrics).router,
                logger: logger
            )
            port = server.port
            issuer = settings.issuer ?? Self.url(settings, port: server.port)
            // Before anybody is served: a token without its issuer would be nobody's.
            parts.issuer.setIssuer(issuer)
            try server.start()
        } catch {
            parts.hasher.close()
            store.close()
            throw UsersServiceError("\(error)")
        }
        self.state = state
        self.store = store
        hasher = parts.hasher
        clients = parts.clients
        keys = parts.keys
        upkeep = parts.upkeep
        drainTimeout = settings.drainTimeout
        upkeep.start()
    }

    /// Reads the certificate again. Where that fails, the old one goes on.
    public func reload() throws(UsersServiceError) {
        do throws(HTTPServerError) { try server.reloadCertificates() } catch { throw UsersServiceError("\(error)") }
    }

    /// Answers what was asked and ends.
    public func stop() {
        server.drain(timeout: drainTimeout)
        upkeep.stop()
        hasher.close()
        store.close()
        state.release()
    }

    private static func openStore(_ state: StateFolder, _ logger: Logger) throws(UsersServiceError) -> UsersStore {
        do throws(SQLiteError) {
            return try UsersStore(path: state.databasePath, logger: logger)
        } catch {
            throw UsersServiceError("the database cannot be opened: \(error)")
        }
    }

    private static func configuration(_ settings: UsersSettings, _ metrics: Metrics) -> HTTPServerConfiguration {
        var configuration = HTTPServerConfiguration(address: settings.address, port: settings.port)
        // Most of a worker's time is waiting for barriers, which those who wait together share.
        configuration.workers = 32
        if let certificate = settings.tlsCertificate, let key = settings.tlsKey {
            configuration.tls = TLSFiles(certificateChain: certificate, privateKey: key)
        }
        configuration.trustedProxies = settings.trustedProxies.compactMap { CIDR($0) }
        configuration.observe = { route, status, seconds in
            metrics.counter(
                "daleks_http_requests_total",
                help: "Requests by route and status.",
                labels: ["route": route, "status": String(status)]
            ).increment()
            metrics.histogram(
                "daleks_http_request_seconds",
                help: "Time to answer by route.",
                labels: ["route": route],
                buckets: Histogram.latencySeconds
            ).observe(seconds)
        }
        return configuration
    }

    private static func url(_ settings: UsersSettings, port: UInt16) -> String {
        let scheme = settings.tlsCertificate == nil ? "http" : "https"
        let host = settings.address.contains(":") ? "[\(settings.address)]" : settings.address
        return "\(scheme)://\(host):\(port)"
    }
}
