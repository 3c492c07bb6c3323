import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksJSON
import DaleksSync
import DaleksSystem
import DaleksTestSupport

@testable import DaleksFiles

/// The real engine of a files service, asked without HTTP in between, over a line that can fail.
final class InProcessRegion: Remote {
    private struct Line {
        var isUp = true
        /// The region does what it is asked, and the answer never arrives.
        var losesAnswers = 0
        var isCanceled = false
        var putBytes: Int64 = 0
        var questionCount = 0
        var onMutation: (@Sendable () -> Void)?
        var onPut: (@Sendable () -> Void)?
        var onListing: (@Sendable () -> Void)?
        var batchCount = 0
        var readCount = 0
        var onRead: (@Sendable (ContentReads) -> Void)?
        var alterRead: (@Sendable (ContentAnswers.Answer) -> ContentAnswers.Answer)?
    }

    private let current: Lock<RegionStorage>
    let owner: UserID
    private let line = Condition(Line())

    init(_ storage: RegionStorage, owner: UserID) {
        current = Lock(storage)
        self.owner = owner
    }

    /// Another one takes its place where the region came back from a backup.
    var storage: RegionStorage {
        get { current.withLock { $0 } }
        set { current.withLock { $0 = newValue } }
    }

    func setUp(_ isUp: Bool) { line.withLock { $0.isUp = isUp } }
    func loseAnswers(_ count: Int) { line.withLock { $0.losesAnswers = count } }
    func cancelAll() {
        line.withLock { $0.isCanceled = true }
        line.broadcast()
    }

    func tree() throws(RemoteError) -> TreeRecord {
        let state = try asking { () throws(APIError) in try storage.store.tree(of: owner) }
        return state.record
    }

    func node(_ id: NodeID) throws(RemoteError) -> NodeRecord {
        line.withLock { $0.questionCount += 1 }
        return try asking { () throws(APIError) in try storage.store.node(id, for: owner) }
    }

    /// Called whenever a folder was listed, before that is told.
    func onListing(_ body: (@Sendable () -> Void)?) { line.withLock { $0.onListing = body } }

    func children(of id: NodeID, after name: Name?, limit: Int) throws(RemoteError) -> ChildrenPage {
        line.withLock { $0.questionCount += 1 }
        defer { line.withLock { $0.onListing }?() }
        return try asking { () throws(APIError) in
            try storage.store.children(of: id, after: name, limit: limit, for: owner)
        }
    }

    /// Batches of operations that were sent.
    var batchCount: Int { line.withLock { $0.batchCount } }

    /// Called whenever a batch comes over the line, before it is looked at.
    func onMutation(_ body: @escaping @Sendable () -> Void) { line.withLock { $0.onMutation = body } }

    func mutate(_ batch: MutationBatch) throws(RemoteError) -> BatchAnswer {
        line.withLock { $0.batchCount += 1 }
        line.withLock { $0.isUp ? $0.onMutation : nil }?()
        let answer = try asking { () throws(APIError) in try storage.mutations.run(batch.jsonBytes, of: owner) }
        let isLost = line.withLock { line in
            guard line.losesAnswers > 0 else { return false }
            line.losesAnswers -= 1
            return true
        }
        if isLost { throw .unreachable("the answer was lost") }
        return answer
    }

    func missing(_ digests: [Digest]) throws(RemoteError) -> [Digest] {
        try asking { () throws(APIError) in try storage.store.missing(digests, of: owner) }
    }

    /// How often it was asked what it has of a node or folder.
    var questionCount: Int { line.withLock { $0.questionCount } }

    /// Bytes of chunks that were sent.
    var putBytes: Int64 { line.withLock { $0.putBytes } }

    /// Called whenever a chunk comes over the line, before it is looked at.
    func onPut(_ body: (@Sendable () -> Void)?) { line.withLock { $0.onPut = body } }

    func put(_ bytes: [UInt8], digest: Digest) throws(RemoteError) {
        line.withLock { $0.onPut }?()
        line.withLock { $0.putBytes += Int64(bytes.count) }
        _ = try asking { () throws(APIError) in try storage.content.put(bytes, as: digest, of: owner) }
    }

    func manifest(of id: NodeID, at revision: Revision) throws(RemoteError) -> Manifest {
        try asking { () throws(APIError) in
            try storage.content.manifest(of: id, at: revision, inPieces: false, for: owner)
        }
    }

    func span(_ index: Int, of id: NodeID, at revision: Revision) throws(RemoteError) -> [UInt8] {
        line.withLock { $0.readCount += 1 }
        return try asking { () throws(APIError) in try storage.content.read(index, of: id, at: revision, for: owner) }
    }

    let features: Set<Capabilities.Feature> = [.batchedReads, .readDigests]

    /// How often bytes were asked for.
    var readCount: Int { line.withLock { $0.readCount } }

    /// Called whenever bytes are asked for, before they are told.
    func onRead(_ body: (@Sendable (ContentReads) -> Void)?) { line.withLock { $0.onRead = body } }

    func read(_ reads: ContentReads) throws(RemoteError) -> [ContentAnswers.Answer] {
        line.withLock { $0.readCount += 1 }
        line.withLock { $0.onRead }?(reads)
        let answers = try asking { () throws(APIError) in
            storage.content.read(reads, for: owner, requestID: "read").answers
        }
        return line.withLock { $0.alterRead }.map(answers.map) ?? answers
    }

    /// What comes over the line in place of what the region said.
    func alterReads(_ body: (@Sendable (ContentAnswers.Answer) -> ContentAnswers.Answer)?) {
        line.withLock { $0.alterRead = body }
    }

    func changes(after cursor: String, by device: DeviceID, waitSeconds: Int) throws(RemoteError) -> ChangesPage {
        guard let cursor = Cursor(cursor) else { throw .cursorExpired }
        // Looks often instead of being woken: what is tested here is what happens with the answer.
        for _ in 0...waitSeconds * 200 {
            let page = try asking { () throws(APIError) in
                try storage.store.changes(of: owner, after: cursor, for: owner, by: device)
            }
            if !page.changes.isEmpty {
                return ChangesPage(changes: page.changes, cursor: page.cursor.description)
            }
            let isOver = line.wait(timeout: .milliseconds(5)) { $0.isCanceled || !$0.isUp ? true : nil } ?? false
            if isOver { break }
        }
        return ChangesPage(changes: [], cursor: cursor.description)
    }

    func usage() throws(RemoteError) -> UsageRecord {
        try asking { () throws(APIError) in try storage.store.usage(of: owner) }
    }

    // MARK: Leases

    func takeLease(_ request: LeaseRequest, on id: NodeID) throws(RemoteError) -> LeaseRecord {
        let holder = LeaseHolder(user: owner, device: request.device)
        // Looks often instead of being woken, as with changes.
        for round in 0...request.waitSeconds * 200 {
            let outcome = try asking { () throws(APIError) in
                try storage.store.takeLease(request.mode, on: id, by: holder, wishKept: .seconds(2))
            }
            switch outcome.value {
            case .given(let record): return record
            case .taken(let isUsed, _):
                if isUsed && request.unlessUsed || round == request.waitSeconds * 200 { break }
                pause()
                continue
            }
            break
        }
        throw .refused(code: "locked", detail: "another machine has the lease on this file")
    }

    func returnLease(_ number: Int64, of device: DeviceID, on id: NodeID) throws(RemoteError) {
        try asking { () throws(APIError) in
            _ = try storage.store.returnLease(number, on: id, by: LeaseHolder(user: owner, device: device))
        }
    }

    func watchLeases(_ watch: LeaseWatch) throws(RemoteError) -> LeaseNews {
        let holder = LeaseHolder(user: owner, device: watch.device)
        let lost = try asking { () throws(APIError) in try storage.store.renewLeases(watch.held, by: holder).value }
        let known = Dictionary(uniqueKeysWithValues: watch.held.filter(\.isRecalled).map { ($0.node, $0.number) })
        var recalled: [NodeID] = []
        for _ in 0..<max(1, watch.waitSeconds * 200) {
            let asked = try asking { () throws(APIError) in try storage.store.recalledLeases(of: holder) }
            recalled = (asked ?? []).map(\.place.node)
            guard asked?.allSatisfy({ known[$0.place.node] == $0.number }) == true, lost.isEmpty else { break }
            pause()
        }
        return LeaseNews(seconds: 28, recalled: recalled, lost: lost)
    }

    /// Until it is worth looking again.
    func pause() { _ = line.wait(timeout: .milliseconds(5)) { $0.isCanceled || !$0.isUp ? true : nil } }

    func asking<Answer>(_ question: () throws(APIError) -> Answer) throws(RemoteError) -> Answer {
        let line = line.withLock { $0 }
        if line.isCanceled { throw .canceled }
        guard line.isUp else { throw .unreachable("the line is down") }
        do throws(APIError) {
            return try question()
        } catch {
            switch error.code {
            case .notFound: throw .notFound
            case .cursorExpired: throw .cursorExpired
            case .deviceForked: throw .deviceForked
            case .unavailable: throw .unreachable(error.detail)
            default: throw .refused(code: error.code.rawValue, detail: error.detail)
            }
        }
    }
}

/// A region's database and chunks in a scratch folder.
final class RegionStorage: Sendable {
    let folder: ScratchFolder
    let store: TreeStore
    let content: ChunkAccess
    let mutations: Mutations
    private let feed: ChangeFeed

    init(time: TimeSource = .system, folder: ScratchFolder = ScratchFolder()) throws {
        self.folder = folder
        store = try TreeStore(path: folder.path("files.db"), bytesQuota: 1 << 40, time: time, logger: .silent)
        let chunks = try LocalChunkStore(folder: folder.path("chunks"))
        feed = ChangeFeed(store: store)
        let measures = FilesMeasures(Metrics())
        content = ChunkAccess(store: store, chunks: chunks, measures: measures)
        mutations = Mutations(store: store, content: content, feed: feed, measures: measures)
    }

    /// What an operator keeps: a copy of the folder, taken while nothing is written.
    func backup() throws -> ScratchFolder { try Self.copy(folder) }

    /// The region as it was then.
    static func restored(from backup: ScratchFolder, time: TimeSource = .system) throws -> RegionStorage {
        try RegionStorage(time: time, folder: try copy(backup))
    }

    private static func copy(_ folder: ScratchFolder) throws -> ScratchFolder {
        let copy = ScratchFolder()
        try FolderCopy.copy(folder.path(""), to: copy.path(""), but: [])
        return copy
    }

    deinit {
        feed.stop()
        store.close()
    }
}
