import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksJSON
import DaleksSQLite
import DaleksSystem

/// Gets from the region what this machine lacks: folders and bytes, each once however many ask for it.
///
/// ## Concurrency
/// `state` holds who waits for what. Work runs on the queues of `labour`; completions run there too, with no lock held.
final class Fetcher: Sendable {
    typealias Completion = @Sendable (Errno?) -> Void

    struct State {
        var waiting: [Need: [Completion]] = [:]
        var flying: Set<SpanKey> = []
        var aheadCount = 0
        var manifests: [ManifestKey: Manifest] = [:]
        /// Being asked for.
        var flyingManifests: Set<ManifestKey> = []
        var isStopping = false
    }

    struct ManifestKey: Hashable {
        var node: NodeID
        var revision: Revision
    }

    /// Reads of bytes that are not here fail after this, so that no program hangs on a region that is away.
    static let patience: Duration = .seconds(10)

    /// Manifests are small beside what they describe; past this the lot is dropped and asked for again.
    private static let manifestCountMax = 1_024

    let tree: LocalTree
    private let news: RemoteNews
    let remote: any Remote
    let time: TimeSource
    let logger: Logger
    let labour: Labour
    let gate: SpaceGate
    let state = Condition(State())
    /// What the region can do, once it has said so.
    private let features = Lock<Set<Capabilities.Feature>?>(nil)
    /// What is got before it is asked for.
    let ahead = Lock(Ahead())
    /// What is kept of spans that are not here.
    let glimpses = Lock(Glimpses())

    init(
        tree: LocalTree,
        news: RemoteNews,
        gate: SpaceGate,
        remote: any Remote,
        labour: Labour,
        time: TimeSource,
        logger: Logger
    ) {
        self.labour = labour
        self.tree = tree
        self.gate = gate
        self.news = news
        self.remote = remote
        self.time = time
        self.logger = logger
    }

    func stop() {
        state.withLock { $0.isStopping = true }
        state.broadcast()
        labour.fetches.close()
        labour.order.close()
        labour.ahead.close()
        labour.spans.close()
    }

    /// Calls back when it is here, or with the reason why not. Never on the caller's thread.
    func fetch(_ need: Need, _ completion: @escaping Completion) {
        let isFirst = state.withLock { state in
            let isFirst = state.waiting[need] == nil
            state.waiting[need, default: []].append(completion)
            return isFirst
        }
        guard isFirst else { return }
        let accepted = labour.fetches.submit { [self] in finish(need, perform(need)) }
        if !accepted { _ = Thread(name: "fetch-refused") { [self] in finish(need, .tryAgain) } }
        noteWanted(need)
    }

    /// The same, waiting here. Not on a thread of the kernel's requests.
    func fetchNow(_ need: Need) -> Errno? { perform(need) }

    func finish(_ need: Need, _ error: Errno?) {
        let completions = state.withLock { $0.waiting.removeValue(forKey: need) ?? [] }
        for completion in completions { completion(error) }
    }

    func perform(_ need: Need) -> Errno? {
        let deadline = time.now + Self.patience
        var retry = Retry()
        while true {
            do throws(FetchFailure) {
                switch need {
                case .folder(let inode): try fetchFolder(inode)
                case .spans(let inode, let spans): try fetchSpans(spans, of: inode)
                case .pieces(let inode, let pieces): try fetchPieces(pieces, of: inode)
                case .manifest(let inode):
                    let node = try row(inode)
                    _ = try manifest(of: node.id, at: node.content)
                case .room: waitForRoom()
                }
                return nil
            } catch {
                guard case .remote(.unreachable) = error, time.now < deadline else { return error.errno }
                if pause(retry.next()) { return .canceled }
            }
        }
    }

    /// Asks the region once more and again where it did not answer. Not on a thread of the kernel's requests.
    func asking<Answer>(
        until deadline: Instant,
        _ question: () throws(RemoteError) -> Answer
    ) throws(RemoteError) -> Answer {
        var retry = Retry()
        while true {
            do throws(RemoteError) {
                return try question()
            } catch {
                guard case .unreachable = error, time.now < deadline else { throw error }
                if pause(min(retry.next(), deadline - time.now)) { throw .canceled }
            }
        }
    }

    /// True where all is to end meanwhile.
    private func pause(_ duration: Duration) -> Bool {
        let duration = min(duration, .seconds(1))
        if let rest = labour.rest {
            rest(duration)
            return false
        }
        return state.wait(timeout: duration, until: { $0.isStopping ? true : nil }) == true
    }

    /// Until the region took some of what waits for it here, or is away, when waiting for it would help nobody.
    private func waitForRoom() {
        while !gate.hasRoom {
            let isOver = state.wait(timeout: .milliseconds(50)) { $0.isStopping ? true : nil }
            if isOver == true { return }
        }
    }

    enum FetchFailure: Error {
        case local(Errno)
        case remote(RemoteError)
        /// The bytes do not have the digest that the region's manifest gives them.
        case damaged

        var errno: Errno {
            switch self {
            case .local(let errno): errno
            case .damaged: .io
            case .remote(let error):
                switch error {
                case .unreachable, .canceled, .cursorExpired, .deviceForked: .timedOut
                case .loggedOut, .refused: .accessDenied
                case .notFound: .stale
                }
            }
        }
    }

    // MARK: Folders

    private func fetchFolder(_ inode: Inode) throws(FetchFailure) {
        for _ in 0..<Self.listingAttemptsMax {
            let node = try row(inode)
            guard !node.isComplete || node.isStale else { return }
            // Its own state first: once it is listed it no longer counts as stale.
            let asked = node.isStale ? try refreshAttributes(of: node) : nil
            if try list(node, asked: asked) { return }
        }
        throw .remote(.unreachable("the folder changes faster than it can be listed"))
    }

    /// A listing is begun again when something happens in the folder meanwhile; more often than this is a storm.
    private static let listingAttemptsMax = 20

    /// False where something happened meanwhile that the listing may lack.
    private func list(_ node: LocalNode, asked: Revision?) throws(FetchFailure) -> Bool {
        let inode = node.inode
        var entries: [EntryRecord] = []
        var next: Name?
        var cursor: String?
        repeat {
            let page: ChildrenPage
            do throws(RemoteError) {
                page = try remote.children(of: node.id, after: next, limit: Limits.Wire.childrenPageCountMax)
            } catch {
                throw .remote(error)
            }
            entries += page.entries
            // The oldest of the cursors: what changed while the pages were read comes again through the feed.
            cursor = cursor ?? page.cursor
            next = page.next
        } while next != nil
        let place = cursor.flatMap { Cursor($0) }
        let sequence = place?.sequence ?? 0
        let listing = entries
        // A region that came back from a backup says nothing about what went since: first that is taken in.
        let isOfThisLife = Lock(true)
        do throws(Errno) {
            let isTaken = Lock(false)
            try news.apply(concerning: listing.map(\.node.id)) { merger, db throws in
                let own = try FollowedTree.cursor(ofTreeWith: inode, db)
                guard own?.epoch == place?.epoch else { return isOfThisLife.withLock { $0 = false } }
                let pending = try Self.pendingNames(in: inode, db)
                let isCurrent = try merger.merge(
                    listing: listing,
                    of: inode,
                    pendingNames: pending,
                    asked: asked,
                    at: sequence,
                    db
                )
                isTaken.withLock { $0 = isCurrent }
            }
            if isOfThisLife.withLock({ $0 }) { return isTaken.withLock { $0 } }
        } catch {
            throw .local(error)
        }
        throw .remote(.unreachable("the region came back from a backup"))
    }

    /// The names in a folder that operations of ours are about.
    private static func pendingNames(in folder: Inode, _ db: borrowing Connection) throws -> Set<Name> {
        var names: Set<Name> = []
        for row in try JournalTable.rows(in: folder, in: db) where row.kind == .metadata {
            switch try Journaling.operation(of: row).mutation {
            case .create(let creation): names.insert(creation.name)
            case .link(_, let name, _, _), .remove(_, let name, _, _): names.insert(name)
            case .rename(let rename):
                if row.subjects.parent == folder { names.insert(rename.name) }
                if row.subjects.otherParent == folder { names.insert(rename.toName) }
            case .attributes, .extended, .commit: break
            }
        }
        return names
    }

    /// Asks for a node's present state. False when the region cannot be asked now. Where its answer could not be taken
    /// in, as on a full disk, the node stays stale.
    func refresh(_ node: LocalNode) -> Bool {
        do throws(FetchFailure) {
            if node.attributes.kind == .folder {
                try fetchFolder(node.inode)
            } else {
                _ = try refreshAttributes(of: node)
            }
            return true
        } catch {
            switch error {
            case .remote(.unreachable), .remote(.canceled), .remote(.loggedOut), .remote(.cursorExpired),
                .remote(.deviceForked):
                return false
            case .local(let errno) where errno != .stale:
                logger.warning("news of a node could not be taken in", ["inode": node.inode, "reason": errno])
                return true
            case .remote(.notFound), .remote(.refused), .local, .damaged:
                logger.warning("a node could not be refreshed", ["inode": node.inode, "reason": "\(error)"])
                return settleStale(node)
            }
        }
    }

    /// The revision in which the region has the node; nil where it has none.
    private func refreshAttributes(of node: LocalNode) throws(FetchFailure) -> Revision? {
        let record: NodeRecord
        do throws(RemoteError) {
            record = try remote.node(node.id)
        } catch {
            // It is gone there; the listing of its folder, also stale, takes the name away.
            guard error == .notFound else { throw .remote(error) }
            _ = settleStale(node)
            return nil
        }
        do throws(Errno) {
            try news.apply(concerning: [node.id]) { merger, db throws in _ = try merger.merge(record, .answer, db) }
        } catch {
            throw .local(error)
        }
        return record.revision
    }

    /// Stops asking for a node that cannot be had.
    private func settleStale(_ node: LocalNode) -> Bool {
        let written: Void? = try? tree.database.writing { db throws in
            guard var row = try NodeTable.find(node.inode, in: db) else { return }
            row.isStale = false
            try NodeTable.update(row, in: db)
        }
        return written != nil
    }

    // MARK: Bytes

    /// As they came, and what they have to hash to. A hole has neither.
    func bytes(
        of index: Int,
        _ id: NodeID,
        _ revision: Revision,
        _ manifest: Manifest
    ) throws(FetchFailure) -> (bytes: [UInt8], digest: Digest?) {
        guard let span = manifest.spans.first(where: { $0.index == index }), let digest = span.digest else {
            return ([], nil)
        }
        do throws(RemoteError) {
            return (try remote.span(index, of: id, at: revision), digest)
        } catch {
            throw .remote(error)
        }
    }

    /// Whether the region is known to be able to. It is asked apart from what somebody waits for.
    func regionCan(_ feature: Capabilities.Feature) -> Bool {
        if let known = features.withLock({ $0 }) { return known.contains(feature) }
        askFeatures()
        return false
    }

    func askFeatures() {
        _ = labour.ahead.submit { [self] in
            guard features.withLock({ $0 == nil }) else { return }
            let told = remote.features
            // Where it told nothing it may be away.
            if !told.isEmpty { features.withLock { $0 = told } }
        }
    }

    /// Without asking for it.
    func knownManifest(of id: NodeID, at revision: Revision) -> Manifest? {
        state.withLock { $0.manifests[ManifestKey(node: id, revision: revision)] }
    }

    func manifest(of id: NodeID, at revision: Revision) throws(FetchFailure) -> Manifest {
        let key = ManifestKey(node: id, revision: revision)
        // Several spans of a file begin at once.
        let known = state.wait(timeout: Self.patience) { state -> Manifest?? in
            if let known = state.manifests[key] { return .some(known) }
            return state.flyingManifests.insert(key).inserted ? .some(nil) : nil
        }
        if let known = known ?? nil { return known }
        defer {
            state.withLock { _ = $0.flyingManifests.remove(key) }
            state.broadcast()
        }
        let manifest: Manifest
        do throws(RemoteError) { manifest = try remote.manifest(of: id, at: revision) } catch { throw .remote(error) }
        state.withLock { state in
            if state.manifests.count >= Self.manifestCountMax { state.manifests = [:] }
            state.manifests[key] = manifest
        }
        return manifest
    }

    func row(_ inode: Inode) throws(FetchFailure) -> LocalNode {
        let node: LocalNode?
        do throws(Errno) {
            node = try tree.database.reading { db throws in try NodeTable.find(inode, in: db) }
        } catch {
            throw .local(error)
        }
        guard let node else { throw .local(.stale) }
        return node
    }
}
