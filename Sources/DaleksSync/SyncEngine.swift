public import DaleksAPI
public import DaleksCache
public import DaleksCore
import DaleksSQLite
public import DaleksSystem

/// One account's files of one region on this machine: tree, bytes, journal, and what keeps them and the region alike.
///
/// ## Concurrency
/// Wires objects that guard themselves. `start` once, then anything from any thread, `stop` once.
public final class SyncEngine: Sendable {
    public struct Configuration: Sendable {
        /// Where database and bytes lie; belongs to this account and region alone.
        public var folder: String
        /// "account@region", so that a folder is never used for another.
        public var subject: String
        /// Names conflict copies.
        public var hostName: String
        /// Whose the root is before the region said anything.
        public var uid: UInt32
        public var gid: UInt32
        /// How much of the disk the cache may take.
        public var space = CacheSpace()
        /// Which start of the machine this is: what was written under another one is certain only if it was durable.
        public var boot = MachineBoot.current

        public init(folder: String, subject: String, hostName: String, uid: UInt32, gid: UInt32) {
            self.folder = folder
            self.subject = subject
            self.hostName = hostName
            self.uid = uid
            self.gid = gid
        }
    }

    public enum StartFailure: Error, Sendable {
        /// Another daemon works in this folder.
        case inUse(String)
        /// The folder or its database cannot be used; says what and what to do.
        case unusable(String)
        /// Nothing is known yet and the region does not answer.
        case region(RemoteError)
    }

    public let tree: LocalTree
    private let configuration: Configuration
    let database: Database
    let remote: any Remote
    private let barrier: ContentBarrier
    private let gate: SpaceGate
    private let wake = Lock(Wake())
    let keeper: SpaceKeeper
    private let lostContent: LostContent
    let labour: Labour
    let waits: RegionWaits
    let news: RemoteNews
    let fetcher: Fetcher
    let pusher: Pusher
    let puller: Puller
    /// Instead of a tree of the account's own, what others share with it.
    let shares: Shares?
    /// Locks of programs that hold on all machines.
    public let locks: FileLocks
    private let leases: EngineLeases
    private let logger: Logger
    private let folderLock: Lock<LockFile?>
    private let threads = Lock<[Thread]>([])

    /// Opens what is there, recovers it, and makes the root known. Waits for the region only the very first time.
    public convenience init(
        _ configuration: Configuration,
        remote: any Remote,
        time: TimeSource = .system,
        logger: Logger
    ) throws(StartFailure) {
        try self.init(configuration, remote: remote, labour: .threads(), time: time, logger: logger)
    }

    /// The same of what others share with an account in a region: a folder of its own, in which each owner has one.
    /// Waits for nothing. `isHome`: another engine follows the account's own tree there, and says when to look.
    public convenience init(
        ofSharesWith account: UserID,
        _ configuration: Configuration,
        isHome: Bool = true,
        remote: any SharingRemote,
        time: TimeSource = .system,
        logger: Logger
    ) throws(StartFailure) {
        try self.init(
            configuration,
            remote: remote,
            sharing: (account, isHome, remote),
            labour: .threads(),
            time: time,
            logger: logger
        )
    }

    init(
        _ configuration: Configuration,
        remote: any Remote,
        sharing: (account: UserID, isHome: Bool, remote: any SharingRemote)? = nil,
        labour: Labour,
        time: TimeSource,
        logger: Logger
    ) throws(StartFailure) {
        self.configuration = configuration
        self.remote = remote
        self.labour = labour
        self.logger = logger
        folderLock = Lock(try Self.lock(configuration.folder))
        let opened = try Self.open(configuration, logger)
        database = opened.database
        let wake = wake
        let gate = SpaceGate(database: database, store: opened.store, space: configuration.space)
        self.gate = gate
        let barrier = ContentBarrier(database: database, store: opened.store, gate: gate, logger: logger)
        self.barrier = barrier
        let contents = ContentCache(database: database, store: opened.store, barrier: barrier, time: time)
        tree = LocalTree(
            database: database,
            contents: contents,
            store: opened.store,
            time: time,
            farewells: labour.farewells
        ) {
            wake.withLock { $0.call }?()
        }
        keeper = SpaceKeeper(tree: tree, space: configuration.space, time: time, logger: logger)
        waits = RegionWaits(database: database, time: time)
        news = RemoteNews(tree: tree, waits: waits, account: sharing?.account, logger: logger)
        fetcher = Fetcher(
            tree: tree,
            news: news,
            gate: gate,
            remote: remote,
            labour: labour,
            time: time,
            logger: logger
        )
        puller = Puller(
            tree: tree,
            news: news,
            fetcher: fetcher,
            remote: remote,
            setAside: SetAside(folder: Self.setAsideFolder(configuration), logger: logger),
            time: time,
            logger: logger
        )
        let puller = puller
        let (tree, news) = (tree, news)
        let shares = sharing.map { sharing in
            Shares(
                tree: tree,
                news: news,
                remote: sharing.remote,
                following: sharing.isHome ? nil : sharing.account,
                setAside: SetAside(folder: Self.setAsideFolder(configuration), logger: logger),
                time: time,
                logger: logger
            )
        }
        self.shares = shares
        lostContent = LostContent(
            tree: tree,
            fetcher: fetcher,
            remote: remote,
            owner: (configuration.uid, configuration.gid),
            setAside: shares.map { _ in SetAside(folder: Self.setAsideFolder(configuration), logger: logger) },
            logger: logger
        )
        pusher = Pusher(
            tree: tree,
            news: news,
            remote: remote,
            asideFolder: configuration.folder,
            hostName: configuration.hostName,
            fetcher: fetcher,
            labour: labour,
            logger: logger,
            shares: shares,
            wasAnswered: { puller.poke() }
        )
        let pusher = pusher
        puller.whenBack { pusher.regionIsBack() }
        let waits = waits
        leases = EngineLeases(
            tree: tree,
            remote: remote,
            waits: waits,
            pusher: pusher,
            news: news,
            shares: shares,
            time: time,
            logger: logger
        )
        locks = FileLocks(ground: leases, time: time, logger: logger)
        wake.withLock { wake in
            wake.call = {
                pusher.wake()
                // What was waited for may have been undone before the region heard of it.
                waits.look()
            }
        }
        let keeper = keeper
        gate.begin(
            relieve: { _ = try? keeper.makeRoom() },
            isTakingUploads: { shares?.isConnected ?? puller.isConnected && pusher.isTaking }
        )
        let setAside = SetAside(folder: Self.setAsideFolder(configuration), logger: logger)
        do throws(Errno) { _ = try tree.recover(boot: configuration.boot, setAside: setAside) } catch {
            throw .unusable("the cache could not be recovered: \(error)")
        }
        if shares == nil { try establishRoot(time) } else { try establishSharedRoot(time) }
    }

    /// What wakes the pusher, known only after the tree. Inside a struct: a closure that is itself the state of a
    /// `Lock` is wrapped once more at each access, until calling it overflows the stack.
    private struct Wake: Sendable {
        var call: (@Sendable () -> Void)?
    }

    private static func lock(_ folder: String) throws(StartFailure) -> LockFile {
        do throws(Errno) { try Files.createPrivateDirectory(folder) } catch {
            throw .unusable("\(folder) cannot be made or written to: \(error); choose another with --state")
        }
        do throws(LockFile.Failure) { return try LockFile(folder + "/lock") } catch {
            switch error {
            case .held(let process):
                let who = process.map { " (process \($0))" } ?? ""
                throw .inUse("another daleksd\(who) works in \(folder); stop it, or choose another folder with --state")
            case .failed(let errno): throw .unusable("\(folder)/lock cannot be locked: \(errno)")
            }
        }
    }

    private static func open(
        _ configuration: Configuration,
        _ logger: Logger
    ) throws(StartFailure) -> (store: BackingStore, database: Database) {
        let folder = configuration.folder
        // The index first: where it is lost, the files that it spoke of are put beside and the store begins empty.
        let database: Database
        do throws(SQLiteError) { database = try LostIndex(folder: folder, logger: logger).open() } catch {
            throw .unusable("\(folder)/replica.db cannot be used: \(error)")
        }
        do throws(Errno) { return (try BackingStore(folder: folder + "/content"), database) } catch {
            throw .unusable("\(folder)/content cannot be made or written to: \(error)")
        }
    }

    /// The first time, asks the region for our tree; later everything is here.
    private func establishRoot(_ time: TimeSource) throws(StartFailure) {
        let known: String?
        do throws(Errno) {
            known = try database.reading { db in try MetaTable.text(.subject, in: db) }
        } catch {
            throw .unusable("the replica cannot be read: \(error)")
        }
        if let known {
            guard known == configuration.subject else {
                throw .unusable("\(configuration.folder) belongs to \(known), not to \(configuration.subject)")
            }
            return
        }
        let record: TreeRecord
        let rootNode: NodeRecord
        do throws(RemoteError) {
            record = try remote.tree()
            rootNode = try remote.node(record.root)
        } catch {
            throw .region(error)
        }
        do throws(Errno) {
            try database.writing { db in
                var attributes = rootNode.attributes
                if rootNode.attributes.mode == 0 { attributes.mode = 0o755 }
                let root = LocalNode(inode: .root, id: record.root, attributes: attributes, revision: rootNode.revision)
                _ = try NodeTable.insert(root, in: db)
                try MetaTable.set(.device, "\(DeviceID.random(at: time.wall))", in: db)
                try MetaTable.set(.cursor, record.cursor, in: db)
                try MetaTable.set(.subject, configuration.subject, in: db)
            }
        } catch {
            throw .unusable("the replica cannot be written: \(error)")
        }
    }

    /// The folder of the owners' folders is this machine's alone.
    private func establishSharedRoot(_ time: TimeSource) throws(StartFailure) {
        let known: String?
        do throws(Errno) {
            known = try database.writing { db throws in
                if let known = try MetaTable.text(.subject, in: db) { return known }
                let root = LocalNode(
                    inode: .root,
                    id: .random(at: time.wall),
                    attributes: .ofSharedFolder(at: time.wall),
                    isComplete: true
                )
                _ = try NodeTable.insert(root, in: db)
                try MetaTable.set(.device, "\(DeviceID.random(at: time.wall))", in: db)
                try MetaTable.set(.subject, configuration.subject, in: db)
                return configuration.subject
            }
        } catch {
            throw .unusable("the replica of what others share cannot be written: \(error)")
        }
        guard known == configuration.subject else {
            throw .unusable("\(configuration.folder) belongs to \(known ?? "another"), not to \(configuration.subject)")
        }
    }

    // MARK: Life

    public func start(observer: any TreeObserver) {
        news.observe(observer)
        fetcher.askFeatures()
        let (pusher, puller, barrier, keeper, waits, shares) = (pusher, puller, barrier, keeper, waits, shares)
        threads.withLock { threads in
            threads.append(Thread(name: "flush") { barrier.run() })
            threads.append(Thread(name: "space") { keeper.run() })
            threads.append(Thread(name: "waits") { waits.run() })
            let lost = LostIndex(folder: configuration.folder, logger: logger).lostFolders
            if !lost.isEmpty {
                let lostContent = lostContent
                threads.append(Thread(name: "recover") { lostContent.run(lost) })
            }
            threads.append(Self.behind("push") { pusher.run() })
            threads.append(Self.behind("pull") { if let shares { shares.run() } else { puller.run() } })
            threads.append(Self.behind("refresh") { puller.runRefresh() })
        }
    }

    /// A thread whose work nobody waits for, where somebody works.
    private static func behind(_ name: String, _ body: @escaping @Sendable () -> Void) -> Thread {
        Thread(name: name) {
            Thread.standBack()
            body()
        }
    }

    /// Waits until everything done here is at the region; false when the time passed first.
    public func drain(timeout: Duration, time: TimeSource = .system) -> Bool {
        for content in tree.contents.allLoaded { try? tree.saveContent(content) }
        let deadline = time.now + timeout
        let pause = Gate()
        while pendingCount > 0 {
            if time.now >= deadline { return false }
            pusher.hurry()
            pause.wait(timeout: .milliseconds(10))
        }
        return true
    }

    /// Stops everything and makes it durable. What is not at the region stays in the journal.
    public func stop() {
        for content in tree.contents.allLoaded { try? tree.saveContent(content) }
        // While there is somebody to publish what was done under them.
        locks.stop()
        puller.stop()
        shares?.stop()
        waits.stop()
        remote.cancelAll()
        pusher.stop()
        fetcher.stop()
        lostContent.stop()
        keeper.stop()
        barrier.stop()
        let running = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        for thread in running { thread.join() }
        locks.join()
        leases.close()
        labour.farewells.close()
        do throws(Errno) { try tree.noteStopped() } catch {
            logger.error("the replica could not be made durable", ["reason": error])
        }
        tree.store.close()
        database.close()
        // What they call holds what holds them.
        wake.withLock { $0.call = nil }
        puller.whenBack(nil)
        gate.end()
        folderLock.withLock { $0 = nil }
    }

    // MARK: Asking

    /// Rises whenever something from outside changed what is shown.
    public var epoch: UInt64 { news.epoch }

    /// Whether what is here is as new as the region: then the kernel may believe it for long.
    public var isConnected: Bool { shares?.isConnected ?? puller.isConnected }

    /// Whether it is of no use to ask the region, which did not answer when it was asked last.
    public var isAway: Bool { shares.map { !$0.isConnected } ?? puller.isAway }

    /// How full the account was when the region was last asked; nil before the first answer.
    public var usage: UsageRecord? { puller.usage }

    /// Where bytes lie that nobody could vouch for after a power cut.
    public var setAsideFolder: String { Self.setAsideFolder(configuration) }

    private static func setAsideFolder(_ configuration: Configuration) -> String { configuration.folder + "/set-aside" }

    /// Whether the region has refused bytes because the account is full, and not taken any since: then new ones are not
    /// to be promised to anybody (EDQUOT). Taking away always goes.
    public var isFull: Bool { pusher.full.withLock { $0 } }

    /// Gets what a request lacked, then calls back on another thread; nil is success.
    public func fetch(_ need: Need, _ completion: @escaping @Sendable (Errno?) -> Void) {
        fetcher.fetch(need, completion)
    }

    /// Lets go of what is too much in the cache now, instead of soon, and says how many bytes that was.
    @discardableResult
    public func trimCache() throws(Errno) -> Int64 { try keeper.makeRoom() }

    /// Spans that will be read soon, if all goes on as it does.
    public func fetchAhead(_ spans: Range<Int>, of inode: Inode) { fetcher.fetchAhead(spans, of: inode) }

    /// Somebody opened a file.
    public func noteOpened(_ inode: Inode) { fetcher.noteOpened(inode) }
    public func noteListed(_ folder: Inode) { fetcher.noteListed(folder) }

    /// With true: no change is sent any more once this returns, neither operations nor bytes; what is on its way by
    /// then is waited for, so long. Reading goes on. With false: what was kept goes out.
    public func pause(_ isPaused: Bool, waitingUpTo limit: Duration = SyncEngine.pauseLimit) {
        pusher.pause(isPaused, waitingUpTo: limit)
    }

    /// Waits for what was on its way when it was paused.
    public func waitUntilQuiet(upTo limit: Duration) { pusher.sending.waitUntilQuiet(upTo: limit) }

    /// For so long a pause waits for what is on its way.
    public static let pauseLimit = Sending.limit

    public var pendingCount: Int64 {
        (try? database.readingLong { db in try JournalTable.count(in: db) }) ?? 0
    }

    public struct Status: Sendable {
        public var isConnected: Bool
        public var pendingCount: Int64
        public var pendingBytes: Int64
        public var conflictCount: Int64
        public var refusedCount: Int64
        /// What the cache took when that was last looked at.
        public var cacheBytes: Int64
        public var lastFailure: String?
        public var isLoggedOut: Bool
    }

    public var status: Status {
        let failure = pusher.lastFailure
        let counts = try? database.reading { db throws in
            (
                pending: try JournalTable.count(in: db), bytes: try ContentTable.bytesUnsent(in: db),
                conflicts: try EntryTable.conflictCount(db), refused: try RefusalTable.count(in: db)
            )
        }
        return Status(
            isConnected: isConnected,
            pendingCount: counts?.pending ?? 0,
            pendingBytes: counts?.bytes ?? 0,
            conflictCount: counts?.conflicts ?? 0,
            refusedCount: counts?.refused ?? 0,
            cacheBytes: keeper.bytesHere,
            lastFailure: failure.map { "\($0)" },
            isLoggedOut: failure == .loggedOut
        )
    }
}
