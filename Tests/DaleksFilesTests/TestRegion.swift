import DaleksAPI
import DaleksCore
import DaleksJSON
import DaleksSystem
import DaleksTestSupport

@testable import DaleksFiles

/// A region's storage and engine in a scratch folder, without HTTP around it.
final class TestRegion: Sendable {
    let folder: ScratchFolder
    let clock = ManualClock()
    let store: TreeStore
    let chunks: LocalChunkStore
    let feed: ChangeFeed
    let leases: LeaseBoard
    let mutations: Mutations
    let content: ChunkAccess
    let measures = FilesMeasures(Metrics())

    init(bytesQuota: Int64 = 1 << 40, folder: ScratchFolder = ScratchFolder()) throws {
        self.folder = folder
        store = try TestDatabase.current.makeStore(folder, bytesQuota: bytesQuota, time: clock.source)
        chunks = try LocalChunkStore(folder: folder.path("chunks"))
        feed = ChangeFeed(store: store)
        leases = LeaseBoard(store: store)
        content = ChunkAccess(store: store, chunks: chunks, measures: measures)
        mutations = Mutations(store: store, content: content, feed: feed, measures: measures)
    }

    deinit {
        feed.stop()
        leases.stop()
        store.close()
    }

    func collector(grace: Duration = .seconds(3_600)) -> Collector {
        Collector(store: store, chunks: chunks, grace: grace, measures: measures)
    }

    var packer: Packer { Packer(store: store, chunks: chunks, measures: measures) }
}

/// One device of one user: it numbers its operations and waits for their answers.
final class TestDevice {
    let region: TestRegion
    let owner: UserID
    let device: DeviceID
    let root: NodeID
    var last: Int64 = 0
    var acknowledged: Int64 = 0

    init(_ region: TestRegion, owner: UserID = .random(at: .zero), device: DeviceID = .random(at: .zero)) throws {
        self.region = region
        self.owner = owner
        self.device = device
        root = try region.store.tree(of: owner).root
    }

    func batch(_ mutations: [Mutation], from first: Int64? = nil) -> MutationBatch {
        let first = first ?? last + 1
        let operations = mutations.enumerated().map { Operation(sequence: first + Int64($0), mutation: $1) }
        return MutationBatch(device: device, acknowledged: acknowledged, operations: operations)
    }

    /// Sends them as the device's next operations.
    func run(_ mutations: [Mutation]) throws -> [OperationResult.Outcome] {
        let results = try send(batch(mutations))
        last += Int64(results.count { !$0.outcome.stopsBatch })
        return results.map(\.outcome)
    }

    @discardableResult
    func run(_ mutation: Mutation) throws -> OperationResult.Outcome { try run([mutation])[0] }

    func send(_ batch: MutationBatch) throws -> [OperationResult] {
        // Through the wire's spelling, as a real one would come.
        try region.mutations.run(try PreparedBatch(body: batch.jsonBytes), of: owner).results
    }

    func node(_ id: NodeID) throws -> NodeRecord { try region.store.node(id, for: owner) }

    /// Every child in order, read in pages.
    func children(_ folder: NodeID, pageCount: Int = 1_000) throws -> [EntryRecord] {
        var entries: [EntryRecord] = []
        var next: Name?
        repeat {
            let page = try region.store.children(of: folder, after: next, limit: pageCount, for: owner)
            entries += page.entries
            next = page.next
        } while next != nil
        return entries
    }

    /// Makes a node at once and gives its id.
    func make(
        _ name: String,
        _ kind: NodeKind = .file,
        in parent: NodeID? = nil,
        target: [UInt8]? = nil
    ) throws -> NodeID {
        let (mutation, id) = try creation(name, kind, in: parent ?? root, target: target)
        guard case .done = try run(mutation) else { throw TestFailure("\(name) could not be made") }
        return id
    }

    func creation(
        _ name: String,
        _ kind: NodeKind = .file,
        in parent: NodeID? = nil,
        id: NodeID = .random(at: .zero),
        target: [UInt8]? = nil
    ) throws -> (Mutation, NodeID) {
        let creation = Mutation.Creation(
            parent: parent ?? root,
            name: try Name(name),
            node: id,
            kind: kind,
            mode: 0o644,
            uid: 1_000,
            gid: 1_000,
            time: Timestamp(nanoseconds: 1_000),
            target: target ?? (kind == .symlink ? Array("target".utf8) : nil)
        )
        return (.create(creation), id)
    }

    /// The whole content as one commit of inline spans; each span no longer than what may be inline.
    func commit(_ bytes: [UInt8], to node: NodeID, base: Mutation.Base) -> Mutation {
        .commit(
            Mutation.Commit(
                node: node,
                base: base,
                size: Int64(bytes.count),
                spans: bytes.isEmpty ? [] : [Span(index: 0, bytes: bytes.count, source: .inline(bytes))],
                modified: Timestamp(nanoseconds: 5_000),
                time: Timestamp(nanoseconds: 6_000)
            )
        )
    }

    func manifest(_ node: NodeID, at content: Revision) throws -> Manifest {
        try region.content.manifest(of: node, at: content, inPieces: false, for: owner)
    }

    func bytes(_ node: NodeID, at content: Revision, span: Int = 0) throws -> [UInt8] {
        try region.content.read(span, of: node, at: content, for: owner)
    }
}

struct TestFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

func name(_ text: String) -> Name {
    guard let name = try? Name(text) else { preconditionFailure("\(text) is no name") }
    return name
}

let moment = Timestamp(nanoseconds: 7_000_000_007)

extension OperationResult.Outcome {
    var conflict: OperationResult.Conflict? {
        guard case .conflict(let conflict, _) = self else { return nil }
        return conflict
    }

    var currentNode: NodeID? {
        guard case .conflict(_, let node) = self else { return nil }
        return node?.id
    }

    var deniedCode: String? {
        guard case .denied(let code, _) = self else { return nil }
        return code
    }

    var isDone: Bool {
        if case .done = self { true } else { false }
    }

    var content: Revision? {
        guard case .done(_, let content) = self else { return nil }
        return content
    }

    var revision: Revision? {
        guard case .done(let revision, _) = self else { return nil }
        return revision
    }
}
