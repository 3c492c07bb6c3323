import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksCrypto
import DaleksJSON
import DaleksSQLite
import DaleksSystem

/// Gets from the region what this machine lacks: folders and bytes, each once however many ask for it.
///
/// ## Concurrency
/// `state` holds who waits for what. Work runs on `pool`; completions run there too, with no lock held.
final class Fetcher: Sendable {
    typealias Completion = @Sendable (Errno?) -> Void

    private struct State {
        var waiting: [Need: [Completion]] = [:]
        var manifests: [ManifestKey: Manifest] = [:]
        var isStopping = false
    }

    private struct ManifestKey: Hashable {
        var node: NodeID
        var revision: Revision
    }

    /// Reads of bytes that are not here fail after this, so that no program hangs on a region that is away.
    private static let patience: Duration = .seconds(10)

    /// Manifests are small beside what they describe; past this the lot is dropped and asked for again.
    private static let manifestCountMax = 1_024

    private let tree: LocalTree
    private let news: RemoteNews
    private let remote: any Remote
    private let time: TimeSource
    private let logger: Logger
    private let pool = WorkerPool(name: "fetch", threadCountMax: 8, waitingCountMax: 65_536)
    private let state = Condition(State())

    init(tree: LocalTree, news: RemoteNews, remote: any Remote, time: TimeSource, logger: Logger) {
        self.tree = tree
        self.news = news
        self.remote = remote
        self.time = time
        self.logger = logger
    }

    func stop() {
        state.withLock { $0.isStopping = true }
        state.broadcast()
        pool.close()
    }

    /// Calls back when it is here, or with the reason why not. Never on the caller's thread.
    func fetch(_ need: Need, _ completion: @escaping Completion) {
        let isFirst = state.withLock { state in
            let isFirst = state.waiting[need] == nil
            state.waiting[need, default: []].append(completion)
            return isFirst
        }
        guard isFirst else { return }
        let accepted = pool.submit { [self] in finish(need, perform(need)) }
        if !accepted { _ = Thread(name: "fetch-refused") { [self] in finish(need, .tryAgain) } }
    }

    /// The same, waiting here. Not on a thread of the kernel's requests.
    func fetchNow(_ need: Need) -> Errno? { perform(need) }

    private func finish(_ need: Need, _ error: Errno?) {
        let completions = state.withLock { $0.waiting.removeValue(forKey: need) ?? [] }
        for completion in completions { completion(error) }
    }

    private func perform(_ need: Need) -> Errno? {
        let deadline = time.now + Self.patience
        var retry = Retry()
        while true {
            do throws(FetchFailure) {
                switch need {
                case .folder(let inode): try fetchFolder(inode)
                case .spans(let inode, let spans): try fetchSpans(spans, of: inode)
                }
                return nil
            } catch {
                guard case .remote(.unreachable) = error, time.now < deadline else { return error.errno }
                let pause = min(retry.next(), .seconds(1))
                if state.wait(timeout: pause, until: { $0.isStopping ? true : nil }) == true { return .canceled }
            }
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
            if try list(node) { return }
        }
        throw .remote(.unreachable("the folder changes faster than it can be listed"))
    }

    /// A listing is begun again when something happens in the folder meanwhile; more often than this is a storm.
    private static let listingAttemptsMax = 20

    /// False where something happened meanwhile that the listing may lack.
    private func list(_ node: LocalNode) throws(FetchFailure) -> Bool {
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
        let sequence = cursor.flatMap { Cursor($0) }?.sequence ?? 0
        let listing = entries
        do throws(Errno) {
            let isTaken = Lock(false)
            try news.apply(concerning: node.isStale ? listing.map(\.node.id) : []) { merger, db throws in
                let pending = try Self.pendingNames(in: inode, db)
                let isCurrent = try merger.merge(
                    listing: listing,
                    of: inode,
                    pendingNames: pending,
                    at: sequence,
                    db
                )
                isTaken.withLock { $0 = isCurrent }
            }
            return isTaken.withLock { $0 }
        } catch {
            throw .local(error)
        }
    }

    /// The names in a folder that operations of ours are about.
    private static func pendingNames(in folder: Inode, _ db: borrowing Connection) throws -> Set<Name> {
        var names: Set<Name> = []
        for row in try JournalTable.rows(in: folder, in: db) where row.kind == .metadata {
            switch try Pusher.operation(of: row).mutation {
            case .create(let creation): names.insert(creation.name)
            case .link(_, let name, _, _), .remove(_, let name, _, _): names.insert(name)
            case .rename(let rename):
                if row.subjects.parent == folder { names.insert(rename.name) }
                if row.subjects.otherParent == folder { names.insert(rename.toName) }
            case .attributes, .commit: break
            }
        }
        return names
    }

    /// Asks for a node's present state. False when the region cannot be asked now.
    func refresh(_ node: LocalNode) -> Bool {
        do throws(FetchFailure) {
            if node.attributes.kind == .folder { try fetchFolder(node.inode) }
            try refreshAttributes(of: node)
            return true
        } catch {
            guard case .remote(.unreachable) = error else {
                logger.warning("a node could not be refreshed", ["inode": node.inode, "reason": "\(error)"])
                return settleStale(node)
            }
            return false
        }
    }

    private func refreshAttributes(of node: LocalNode) throws(FetchFailure) {
        let record: NodeRecord
        do throws(RemoteError) {
            record = try remote.node(node.id)
        } catch {
            // It is gone there; the listing of its folder, also stale, takes the name away.
            guard error == .notFound else { throw .remote(error) }
            _ = settleStale(node)
            return
        }
        do throws(Errno) {
            try news.apply(concerning: [node.id]) { merger, db throws in _ = try merger.merge(record, db) }
        } catch {
            throw .local(error)
        }
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

    private func fetchSpans(_ spans: Range<Int>, of inode: Inode) throws(FetchFailure) {
        let node = try row(inode)
        let content: FileContent
        do throws(Errno) { content = try tree.contents.use(inode) } catch { throw .local(error) }
        defer { tree.contents.release(inode) }
        try verify(spans, of: content)
        let revision = content.state.withLock { $0.revision }
        guard revision > 0, spans.contains(where: { content.lacks($0, of: revision) }) else { return }
        let manifest = try manifest(of: node.id, at: revision)
        for index in spans where content.lacks(index, of: revision) {
            let bytes = try bytes(of: index, node.id, revision, manifest)
            do throws(Errno) {
                try content.fill(index, with: bytes, of: revision) { () throws(Errno) in
                    try tree.database.writing { db throws in
                        try ContentTable.fill(index, digest: SHA256.digest(of: bytes), of: inode, in: db)
                    }
                }
            } catch {
                throw .local(error)
            }
        }
    }

    /// What an earlier daemon left, and did not stop: hashed before it is believed.
    private func verify(_ spans: Range<Int>, of content: FileContent) throws(FetchFailure) {
        let inode = content.inode
        for index in spans where content.isSuspect(index) {
            do throws(Errno) {
                try content.verify(
                    index,
                    trusted: tree.contents.trustsUnhashed,
                    digest: { () throws(Errno) in
                        try tree.database.reading { db throws in
                            try ContentTable.digest(of: index, of: inode, in: db)
                        }
                    },
                    drop: { () throws(Errno) in
                        try tree.database.writing { db throws in
                            try ContentTable.drop(spans: [index], of: inode, in: db)
                        }
                    }
                )
            } catch {
                throw .local(error)
            }
        }
    }

    private func bytes(
        of index: Int,
        _ id: NodeID,
        _ revision: Revision,
        _ manifest: Manifest
    ) throws(FetchFailure) -> [UInt8] {
        guard let span = manifest.spans.first(where: { $0.index == index }), let digest = span.digest else { return [] }
        let bytes: [UInt8]
        do throws(RemoteError) { bytes = try remote.span(index, of: id, at: revision) } catch { throw .remote(error) }
        guard SHA256.digest(of: bytes) == digest else {
            logger.error("bytes from the region are damaged", ["node": id, "span": index])
            throw .damaged
        }
        return bytes
    }

    private func manifest(of id: NodeID, at revision: Revision) throws(FetchFailure) -> Manifest {
        let key = ManifestKey(node: id, revision: revision)
        if let known = state.withLock({ $0.manifests[key] }) { return known }
        let manifest: Manifest
        do throws(RemoteError) { manifest = try remote.manifest(of: id, at: revision) } catch { throw .remote(error) }
        state.withLock { state in
            if state.manifests.count >= Self.manifestCountMax { state.manifests = [:] }
            state.manifests[key] = manifest
        }
        return manifest
    }

    private func row(_ inode: Inode) throws(FetchFailure) -> LocalNode {
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
