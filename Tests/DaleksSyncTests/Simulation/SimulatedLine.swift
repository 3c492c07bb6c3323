import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSync
import DaleksSystem
import DaleksTestSupport

@testable import DaleksFiles

/// A client's line to the region: requests and answers travel while others move, get lost, come twice or late.
///
/// ## Concurrency
/// Belongs to the holder of the stage's baton.
final class SimulatedLine: Remote, @unchecked Sendable {
    // Unchecked: see above.
    let name: String
    private let stage: Stage
    private let region: SimulatedRegion
    var isUp = true
    /// One of so many requests, and of so many answers, is lost.
    var lossOneIn = 30
    /// The client behind it was killed.
    var isDead = false
    private var late: [MutationBatch] = []
    private(set) var requestCount = 0

    init(name: String, stage: Stage, region: SimulatedRegion) {
        self.name = name
        self.stage = stage
        self.region = region
    }

    func cancelAll() { isDead = true }

    func tree() throws(RemoteError) -> TreeRecord {
        try asking("tree") { () throws(APIError) in try region.tree() }
    }

    func node(_ id: NodeID) throws(RemoteError) -> NodeRecord {
        try asking("node") { () throws(APIError) in try region.storage.store.node(id, for: region.owner) }
    }

    func children(of id: NodeID, after name: Name?, limit: Int) throws(RemoteError) -> ChildrenPage {
        // Small pages, so that a listing takes a while.
        try asking("children") { () throws(APIError) in
            try region.storage.store.children(of: id, after: name, limit: min(limit, 4), for: region.owner)
        }
    }

    func mutate(_ batch: MutationBatch) throws(RemoteError) -> BatchAnswer {
        if stage.isOnStage, !isDead, isUp, stage.oneIn(40) { late.append(batch) }
        let answer = try asking("mutate") { () throws(APIError) in try region.run(batch, from: name) }
        if stage.isOnStage, stage.oneIn(4) { deliverLate() }
        return answer
    }

    /// A copy of a request that was thought lost, or was answered, arrives long after.
    func deliverLate() {
        guard let old = late.first else { return }
        late.removeFirst()
        stage.note("\(name): a late copy of \(old.operations.map(\.sequence)) arrives")
        _ = try? region.run(old, from: name)
    }

    func missing(_ digests: [Digest]) throws(RemoteError) -> [Digest] {
        try asking("missing") { () throws(APIError) in
            try region.storage.store.missing(digests, of: region.owner)
        }
    }

    func put(_ bytes: [UInt8], digest: Digest) throws(RemoteError) {
        _ = try asking("put") { () throws(APIError) in
            try region.storage.content.put(bytes, as: digest, of: region.owner)
        }
    }

    func manifest(of id: NodeID, at revision: Revision) throws(RemoteError) -> Manifest {
        try asking("manifest") { () throws(APIError) in
            try region.storage.content.manifest(of: id, at: revision, inPieces: false, for: region.owner)
        }
    }

    func span(_ index: Int, of id: NodeID, at revision: Revision) throws(RemoteError) -> [UInt8] {
        try asking("span") { () throws(APIError) in
            try region.storage.content.read(index, of: id, at: revision, for: region.owner)
        }
    }

    func changes(after cursor: String, by device: DeviceID, waitSeconds: Int) throws(RemoteError) -> ChangesPage {
        guard let cursor = Cursor(cursor) else { throw .cursorExpired }
        return try asking("changes") { () throws(APIError) in
            let page = try region.storage.store.changes(of: region.owner, after: cursor)
            guard stage.isOnStage, page.changes.count > 1 else {
                return ChangesPage(
                    changes: Change.inShort(page.changes, for: device),
                    cursor: page.cursor.description
                )
            }
            // Some of it now, the rest later, as when it is being made meanwhile.
            let part = Array(page.changes.prefix(1 + stage.number(below: page.changes.count)))
            let last = part.count == page.changes.count ? page.cursor.sequence : part[part.count - 1].sequence
            return ChangesPage(
                // A region of before it could tell so says everything at length.
                changes: stage.number(below: 4) == 0 ? part : Change.inShort(part, for: device),
                cursor: Cursor(epoch: page.cursor.epoch, sequence: last).description
            )
        }
    }

    func usage() throws(RemoteError) -> UsageRecord {
        try asking("usage") { () throws(APIError) in try region.storage.store.usage(of: region.owner) }
    }

    private func asking<Answer>(
        _ what: String,
        _ question: () throws(APIError) -> Answer
    ) throws(RemoteError) -> Answer {
        requestCount += 1
        try travel("\(what) →")
        let answer: Result<Answer, APIError>
        do throws(APIError) { answer = .success(try question()) } catch { answer = .failure(error) }
        try travel("\(what) ←")
        do throws(APIError) {
            return try answer.get()
        } catch {
            switch error.code {
            case .notFound, .gone: throw .notFound
            case .cursorExpired: throw .cursorExpired
            case .deviceForked: throw .deviceForked
            case .unavailable: throw .unreachable(error.detail)
            default: throw .refused(code: error.code.rawValue, detail: error.detail)
            }
        }
    }

    private func travel(_ what: String) throws(RemoteError) {
        stage.yield()
        if isDead { throw .canceled }
        guard isUp else { throw .unreachable("the line is down") }
        if stage.isOnStage, stage.oneIn(lossOneIn) {
            stage.note("\(name): \(what) lost")
            throw .unreachable("lost")
        }
    }
}
