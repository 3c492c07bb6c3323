import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksHTTPServer
import DaleksSQLite
public import DaleksSystem

/// One region's files service, running.
///
/// ## Concurrency
/// The parts have their own threads. `start`, `reload` and `stop` are called by one thread.
public final class FilesService: Sendable {
    public let port: UInt16
    /// What tokens must name as their audience.
    public let publicURL: String

    private let state: StateFolder
    private let store: TreeStore
    private let feed: ChangeFeed
    private let client: HTTPClient
    private let server: HTTPServer
    private let collector: CollectorThread
    private let drainTimeout: Duration

    /// Returns when requests are served.
    public static func start(
        _ settings: FilesSettings,
        time: TimeSource = .system,
        logger: Logger
    ) throws(FilesServiceError) -> FilesService {
        try FilesService(settings, time, logger)
    }

    private init(_ settings: FilesSettings, _ time: TimeSource, _ logger: Logger) throws(FilesServiceError) {
        let state = try StateFolder(settings.stateFolder)
        let store = try Self.openStore(settings, state, time, logger)
        let chunks = try Self.openChunks(state)
        let metrics = Metrics()
        metrics.addProcess()
        let measures = FilesMeasures(metrics)
        let client = HTTPClient(
            configuration: HTTPClientConfiguration(userAgent: "daleks-files", caFile: settings.usersCAFile),
            logger: logger
        )
        let keys = KeySource(
            usersURL: settings.usersURL,
            client: client,
            store: store,
            time: time,
            logger: logger,
            measures: measures
        )
        let tokens = TokenVerifier(keys: keys, issuer: settings.usersURL, time: time, logger: logger)
        let feed = ChangeFeed(store: store, time: time)
        let content = ChunkAccess(store: store, chunks: chunks, measures: measures)
        let routes = FilesRouter(
            region: settings.region,
            store: store,
            content: content,
            mutations: Mutations(store: store, content: content, feed: feed, measures: measures),
            feed: feed,
            tokens: tokens,
            metrics: metrics,
            time: time
        )
        metrics.gauge("daleks_files_feed_readers", help: "Requests parked for the next change.") {
            Double(feed.readerCount)
        }
        do throws(HTTPServerError) {
            server = try HTTPServer(Self.configuration(settings, metrics), router: routes.router, logger: logger)
            port = server.port
            publicURL = settings.publicURL ?? Self.url(settings, port: server.port)
            // Before anybody is served: a token is for us or it is refused, never "not yet known".
            tokens.setAudience(publicURL)
            try server.start()
        } catch {
            feed.stop()
            client.shutdown()
            store.close()
            throw FilesServiceError("\(error)")
        }
        self.state = state
        self.store = store
        self.feed = feed
        self.client = client
        drainTimeout = settings.drainTimeout
        collector = CollectorThread(
            Collector(store: store, chunks: chunks, grace: settings.removedGrace, measures: measures),
            Packer(store: store, chunks: chunks, measures: measures),
            every: settings.collectInterval,
            logger: logger
        )
    }

    /// Reads the certificate again. Where that fails, the old one goes on.
    public func reload() throws(FilesServiceError) {
        do throws(HTTPServerError) { try server.reloadCertificates() } catch { throw FilesServiceError("\(error)") }
    }

    /// Answers what was asked and ends. Whoever waits for changes hears that there are none yet.
    public func stop() {
        feed.stop()
        server.drain(timeout: drainTimeout)
        collector.stop()
        client.shutdown()
        store.close()
    }

    private static func openStore(
        _ settings: FilesSettings,
        _ state: StateFolder,
        _ time: TimeSource,
        _ logger: Logger
    ) throws(FilesServiceError) -> TreeStore {
        do throws(SQLiteError) {
            return try TreeStore(path: state.databasePath, bytesQuota: settings.bytesQuota, time: time, logger: logger)
        } catch {
            throw FilesServiceError("the database cannot be opened: \(error)")
        }
    }

    private static func openChunks(_ state: StateFolder) throws(FilesServiceError) -> LocalChunkStore {
        do throws(Errno) {
            return try LocalChunkStore(folder: state.chunksPath)
        } catch {
            throw FilesServiceError("the contents in \(state.chunksPath) cannot be used: \(error)")
        }
    }

    private static func configuration(_ settings: FilesSettings, _ metrics: Metrics) -> HTTPServerConfiguration {
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

    private static func url(_ settings: FilesSettings, port: UInt16) -> String {
        let scheme = settings.tlsCertificate == nil ? "http" : "https"
        let host = settings.address.contains(":") ? "[\(settings.address)]" : settings.address
        return "\(scheme)://\(host):\(port)"
    }
}
