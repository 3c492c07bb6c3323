import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksJSON
import DaleksSQLite
import DaleksSystem
import DaleksTestSupport

@testable import DaleksFiles

/// The files service's own core, and a book of what was done to it, for judging afterwards.
///
/// ## Concurrency
/// Belongs to the holder of the stage's baton.
final class SimulatedRegion: @unchecked Sendable {
    // Unchecked: see above.
    private(set) var storage: RegionStorage
    private var backup: ScratchFolder?
    /// Whether it ever came back from a backup.
    private(set) var hasReturned = false
    let owner = UserID.random(at: .zero)
    private let stage: Stage
    /// Nodes that lost their last name in a step that was done.
    private(set) var removed: Set<NodeID> = []
    /// In which nodes' contents a word was ever committed.
    private(set) var committed: [UInt32: Set<NodeID>] = [:]
    /// Nodes of which the region would not take some content.
    private(set) var refused: Set<NodeID> = []
    /// The names that the last batch made.
    private(set) var told: [String] = []
    /// Checked after every batch; says what is wrong.
    var isSound: ((SimulatedRegion) throws -> String?)?
    private(set) var unsoundness: String?
    private var chunks: [Digest: [UInt32]] = [:]

    init(stage: Stage) throws {
        self.stage = stage
        storage = try RegionStorage(time: stage.time)
        _ = try storage.store.tree(of: owner)
    }

    func tree() throws(APIError) -> TreeRecord {
        let state = try storage.store.tree(of: owner)
        return state.record
    }

    func run(_ batch: MutationBatch, from name: String) throws(APIError) -> BatchAnswer {
        let before = try storage.store.tree(of: owner).sequence
        told = []
        let answer = try storage.mutations.run(batch.jsonBytes, of: owner)
        for (operation, result) in zip(batch.operations, answer.results) {
            stage.note(
                "region: \(name) #\(operation.sequence) \(Words.describe(operation.mutation)) = "
                    + Words.describe(result.outcome)
            )
            if case .commit(let commit) = operation.mutation {
                switch result.outcome {
                case .conflict, .denied: refused.insert(commit.node)
                case .done, .known, .incomplete, .waiting: break
                }
            }
            guard case .done(let revision, let content) = result.outcome, revision > before else { continue }
            if let content { try book(operation.mutation.subject, content) }
            try bookRemoval(operation.mutation)
            if case .create(let creation) = operation.mutation { told.append("\(creation.name)") }
        }
        if unsoundness == nil, let isSound { unsoundness = try? isSound(self) }
        return answer
    }

    private func book(_ node: NodeID, _ content: Revision) throws(APIError) {
        for word in Set(Words.words(of: try bytes(of: node, at: content))) { committed[word, default: []].insert(node) }
    }

    private func bookRemoval(_ mutation: Mutation) throws(APIError) {
        let ids: [NodeID?] =
            switch mutation {
            case .remove(_, _, let node, _): [node]
            case .rename(let rename): [rename.isExchange ? nil : rename.replaces]
            default: []
            }
        for case let id? in ids {
            do throws(APIError) { _ = try storage.store.node(id, for: owner) } catch { removed.insert(id) }
        }
    }

    /// What there is now is what a return brings back.
    func takeBackup() throws {
        backup = try storage.backup()
        let cursor = try tree().cursor
        stage.note("region: backup at \(cursor)")
    }

    /// The last backup takes the region's place.
    func comeBack(isAnnounced: Bool) throws {
        guard let backup else { return }
        storage = try RegionStorage.restored(from: backup, time: stage.time)
        if isAnnounced { _ = try storage.store.raiseEpochs() }
        hasReturned = true
        let cursor = try tree().cursor
        stage.note("region: back at \(cursor)")
    }

    /// kill -9: the next service begins with what is in its folder.
    func crash() throws {
        storage = try RegionStorage.restored(from: try storage.backup(), time: stage.time)
        stage.note("region: crash")
    }

    /// Whether it refuses bytes.
    private(set) var isFull = false

    /// Lets the account be full, or not.
    func fill(_ isFull: Bool) throws {
        self.isFull = isFull
        let tree = try storage.store.tree(of: owner)
        _ = try storage.store.write { db in
            try db.execute(
                "UPDATE trees SET bytes_quota = ?2 WHERE number = ?1",
                [.integer(tree.number), isFull ? .integer(tree.bytesUsed + 100) : .null]
            )
        }
    }

    /// The whole content of one revision.
    func bytes(of node: NodeID, at content: Revision) throws(APIError) -> [UInt8] {
        let manifest = try storage.content.manifest(of: node, at: content, inPieces: false, for: owner)
        var bytes = [UInt8](repeating: 0, count: Int(manifest.size))
        for span in manifest.spans {
            let read = try storage.content.read(span.index, of: node, at: content, for: owner)
            let start = span.index * Limits.spanBytes
            bytes.replaceSubrange(start..<min(bytes.count, start + read.count), with: read.prefix(bytes.count - start))
        }
        return bytes
    }

    /// Every path with its node.
    func walk(_ visit: (String, NodeRecord) throws -> Void) throws {
        try walk(try storage.store.tree(of: owner).root, "", visit)
    }

    private func walk(_ id: NodeID, _ path: String, _ visit: (String, NodeRecord) throws -> Void) throws {
        var after: Name?
        repeat {
            let page = try storage.store.children(of: id, after: after, limit: 1_000, for: owner)
            for entry in page.entries {
                let child = path.isEmpty ? "\(entry.name)" : "\(path)/\(entry.name)"
                try visit(child, entry.node)
                if entry.node.attributes.kind == .folder { try walk(entry.node.id, child, visit) }
            }
            after = page.next
        } while after != nil
    }
}
