import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksSQLite
public import DaleksService
public import DaleksSystem

/// One region's files service, running.
///
/// ## Concurrency
/// The parts have their own threads. `start`, `reload` and `stop` are called by one thread.
public final class FilesService: RunningService {
    public let port: UInt16
    /// What tokens must name as their audience.
    public let publicURL: String
    public let facts: Logger.Metadata

    private let state: StateFolder
    private let store: TreeStore
    private let feed: ChangeFeed
    private let client: HTTPClient
    private let server: ServiceServer
    private let collector: CollectorThread

    /// Returns when requests are served.
    public static func start(
        _ settings: FilesSettings,
        time: TimeSource = .system,
        logger: Logger
    ) throws(ServiceFailure) -> FilesService {
        try FilesService(settings, time, logger)
    }

    private init(_ settings: FilesSettings, _ time: TimeSource, _ logger: Logger) throws(ServiceFailure) {
        let state = try StateFolder(settings.serving.stateFolder, database: "files.db")
        let listening = try settings.serving.listen()
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
        let routes = FilesRouter(
            region: settings.region,
            store: store,
            content: ChunkAccess(store: store, chunks: chunks, measures: measures),
            mutations: Mutations(store: store, chunks: chunks, feed: feed, measures: measures),
            feed: feed,
            tokens: tokens,
            metrics: metrics,
            time: time
        )
        metrics.gauge("daleks_files_feed_readers", help: "Requests parked for the next change.") {
            Double(feed.readerCount)
        }
        do throws(ServiceFailure) {
            server = try ServiceServer(
                settings.serving,
                listening: listening,
                router: routes.router,
                metrics: metrics,
                logger: logger
            )
            port = server.port
            publicURL = settings.publicURL ?? server.url
            facts = ["region": settings.region, "url": publicURL]
            // Before anybody is served: a token is for us or it is refused, never "not yet known".
            tokens.setAudience(publicURL)
            try server.start()
        } catch {
            feed.stop()
            client.shutdown()
            store.close()
            throw error
        }
        self.state = state
        self.store = store
        self.feed = feed
        self.client = client
        collector = CollectorThread(
            Collector(store: store, chunks: chunks, grace: settings.removedGrace, measures: measures),
            every: settings.collectInterval,
            logger: logger
        )
    }

    /// Reads the certificate again. Where that fails, the old one goes on.
    public func reload() throws(ServiceFailure) { try server.reload() }

    /// Answers what was asked and ends. Whoever waits for changes hears that there are none yet.
    public func stop() {
        feed.stop()
        server.drain()
        collector.stop()
        client.shutdown()
        store.close()
        state.release()
    }

    private static func openStore(
        _ settings: FilesSettings,
        _ state: StateFolder,
        _ time: TimeSource,
        _ logger: Logger
    ) throws(ServiceFailure) -> TreeStore {
        do throws(SQLiteError) {
            return try TreeStore(
                path: "\(state.path)/files.db",
                bytesQuota: settings.bytesQuota,
                time: time,
                logger: logger
            )
        } catch {
            throw ServiceFailure("the database cannot be opened: \(error)")
        }
    }

    private static func openChunks(_ state: StateFolder) throws(ServiceFailure) -> LocalChunkStore {
        let folder = "\(state.path)/chunks"
        do throws(Errno) {
            return try LocalChunkStore(folder: folder)
        } catch {
            throw ServiceFailure("the contents in \(folder) cannot be used: \(error)")
        }
    }
}
