import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksPostgres
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
    private let chunks: any ChunkStore
    private let feed: ChangeFeed
    private let leases: LeaseBoard
    private let relay: FeedRelay?
    private let client: HTTPClient
    private let server: ServiceServer
    private let collector: CollectorThread
    /// Nil where the users service does not know this region.
    private let revocations: RevocationFeed?

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
        let store = try settings.storage.openStore(
            state.path,
            bytesQuota: settings.bytesQuota,
            trashKept: settings.trashKept,
            time: time,
            logger: logger
        )
        let metrics = Metrics()
        metrics.addProcess()
        let chunks: any ChunkStore
        do throws(ServiceFailure) {
            let opened = try settings.storage.openChunks(state.path, time: time, logger: logger)
            chunks = MeasuredChunkStore(opened, metrics, time: time)
        } catch {
            store.close()
            throw error
        }
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
        let relay = store.relay()
        let feed = ChangeFeed(store: store, relay: relay, time: time)
        let leases = LeaseBoard(store: store, relay: relay, time: time)
        do throws(PostgresError) {
            try relay?.start { news in
                switch news {
                case .tree(let owner): feed.wake(owner)
                case .leases(let holder): leases.wake(holder)
                case .anything:
                    feed.wakeAll()
                    leases.wakeAll()
                }
            }
        } catch {
            feed.stop()
            leases.stop()
            client.shutdown()
            chunks.close()
            store.close()
            throw ServiceFailure("the database does not tell of changes: \(error)")
        }
        let content = ChunkAccess(store: store, chunks: chunks, measures: measures)
        let visitors = PublicAccess(store: store, revocations: tokens.revocations)
        var routes = FilesRouter(
            region: settings.region,
            store: store,
            content: content,
            mutations: Mutations(store: store, content: content, feed: feed, measures: measures),
            feed: feed,
            leases: leases,
            known: KnownAnswers(store.stamps, time: time),
            visitors: visitors,
            tokens: tokens,
            metrics: metrics,
            time: time
        )
        routes.users = settings.rateLimits.users(time)
        routes.addresses = settings.rateLimits.addresses(time)
        metrics.gauge("daleks_files_lease_waiters", help: "Requests parked for a lease or for news of one.") {
            Double(leases.waiterCount)
        }
        metrics.gauge("daleks_files_feed_readers", help: "Requests parked for the next change.") {
            Double(feed.readerCount)
        }
        let credentials: ServiceCredentials?
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
            visitors.setBase(publicURL)
            let enrolling = Enrolling(settings, client: client)
            credentials = try enrolling.credentials(token: settings.enrolToken, filesURL: publicURL)
            try server.start()
        } catch {
            feed.stop()
            leases.stop()
            relay?.stop()
            client.shutdown()
            chunks.close()
            store.close()
            throw error
        }
        self.state = state
        self.store = store
        self.chunks = chunks
        self.feed = feed
        self.leases = leases
        self.relay = relay
        self.client = client
        revocations = credentials.map { credentials in
            RevocationFeed(
                tokens.revocations,
                usersURL: settings.usersURL,
                credentials: credentials,
                client: client,
                store: store,
                deletedKept: settings.deletedKept,
                logger: logger
            ) {
                feed.endReaders { tokens.revocations.isRevoked($0) }
                leases.end { tokens.revocations.isRevoked($0) }
            }
        }
        if credentials == nil {
            logger.notice("this region is not enrolled: ended sessions are believed until their tokens expire")
        }
        var collecting = Collector(store: store, chunks: chunks, grace: settings.removedGrace, measures: measures)
        collecting.announce = { feed.announce($0) }
        collector = CollectorThread(
            collecting,
            Packer(store: store, chunks: chunks, measures: measures),
            RegionMeasures(metrics, store: store),
            every: settings.collectInterval,
            logger: logger
        )
    }

    /// Reads the certificate again. Where that fails, the old one goes on.
    public func reload() throws(ServiceFailure) { try server.reload() }

    /// Answers what was asked and ends. Whoever waits for changes hears that there are none yet.
    public func stop() {
        feed.stop()
        leases.stop()
        server.drain()
        revocations?.stop()
        relay?.stop()
        collector.stop()
        client.shutdown()
        chunks.close()
        store.close()
        state.release()
    }
}
