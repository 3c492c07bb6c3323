import DaleksAPI
import DaleksCore
import DaleksSQLite

/// A draft inside its transaction: what it asks for is loaded, and what it decided is written.
struct DraftSession {
    private(set) var draft: TreeDraft

    init(tree: TreeState, caller: UserID, bytesQuota: Int64, now: Timestamp) {
        draft = TreeDraft(tree: tree, bytesQuota: tree.bytesQuota ?? bytesQuota, now: now, caller: caller)
    }

    var tree: TreeState { draft.tree }

    func known(_ id: NodeID) -> StoredNode? { draft.known(id) }
    mutating func learn(node: StoredNode?, _ id: NodeID) { draft.learn(node: node, id) }

    /// Carries a decision out, loading what it asks for, until it ends. Where it is refused nothing has changed.
    mutating func decide<Answer>(
        _ db: borrowing StoreConnection,
        _ body: (inout TreeDraft) throws(Stop) -> Answer
    ) throws -> Decision<Answer> {
        for _ in 0..<Limits.Files.factRoundCountMax {
            do throws(Stop) {
                return .made(try body(&draft))
            } catch {
                switch error {
                case .refused(let outcome): return .refused(outcome)
                case .needs(let fact): try load(fact, db)
                }
            }
        }
        throw RecordError(record: "tree of folders")
    }

    mutating func run(
        _ mutation: Mutation,
        by author: Author,
        _ db: borrowing StoreConnection
    ) throws -> OperationResult.Outcome {
        for fact in TreeDraft.facts(namedBy: mutation) where !draft.knows(fact) { try load(fact, db) }
        switch try decide(db, { draft throws(Stop) in try draft.run(mutation, by: author) }) {
        case .made(let outcome), .refused(let outcome): return outcome
        }
    }

    /// What was said about a node itself is other than before: its rev rises and the owner's feed tells it.
    mutating func share(_ node: StoredNode) -> TreeState {
        draft.put(node)
        draft.accessChanged()
        _ = draft.finish(.request, nodes: [node.id])
        return draft.tree
    }

    mutating func tell(_ shares: [Change.Share]) { draft.tell(shares) }

    func save(_ db: borrowing StoreConnection) throws { try DraftWriter.save(draft, db) }

    private mutating func load(_ fact: Fact, _ db: borrowing StoreConnection) throws {
        switch fact {
        case .node(let id): draft.learn(node: try NodeTable.load(id, db), id)
        case .entry(let key): draft.learn(entry: try EntryTable.load(key, db), key)
        case .manifest(let key):
            guard let manifest = try ManifestTable.load(key, db) else { throw RecordError(record: "manifest") }
            draft.learn(manifest: manifest, key)
        case .page(let page): draft.learn(page: try ManifestTable.page(page, db), page)
        case .chunk(let digest):
            let tree = draft.tree.number
            let mayName = try ClaimTable.mayName(digest, in: tree, draft.caller, isOwner: draft.isOwner, db)
            draft.learn(chunkBytes: mayName ? try ChunkTable.load(digest, in: tree, db)?.rawBytes : nil, digest)
        case .names(let id): draft.learn(names: try EntryTable.parents(of: id, db), id)
        case .grant(let id):
            draft.learn(grant: try GrantTable.rights(of: draft.caller, on: id, at: draft.now, db), id)
        }
    }
}

/// How a decision ended.
enum Decision<Answer> {
    case made(Answer)
    case refused(OperationResult.Outcome)
}
