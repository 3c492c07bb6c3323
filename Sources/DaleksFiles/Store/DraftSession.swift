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

    /// Loads all that the mutations name at once, where the database answers in sets. What lies in another tree is left
    /// to that tree's draft.
    mutating func prepare(for mutations: [Mutation], _ db: borrowing StoreConnection) throws {
        guard db.isPostgres, mutations.count > 1 else { return }
        var (ids, keys, digests): (Set<NodeID>, Set<EntryKey>, Set<Digest>) = ([], [], [])
        for fact in mutations.flatMap({ TreeDraft.facts(namedBy: $0) }) {
            switch fact {
            case .node(let id): ids.insert(id)
            case .entry(let key): keys.insert(key)
            case .chunk(let digest): digests.insert(digest)
            case .manifest, .page, .names, .grant, .height: break
            }
        }
        if !keys.isEmpty {
            let entries = try EntryTable.loadSet(Array(keys), db)
            for key in keys { draft.learn(entry: entries[key], key) }
            ids.formUnion(entries.values)
        }
        if !ids.isEmpty { try prepare(nodes: Array(ids), db) }
        if !digests.isEmpty { try prepare(chunks: Array(digests), db) }
    }

    private mutating func prepare(nodes ids: [NodeID], _ db: borrowing StoreConnection) throws {
        let nodes = try NodeTable.loadSet(ids, db)
        var contents: [StoredManifest.Key] = []
        for id in ids where nodes[id]?.tree ?? draft.tree.number == draft.tree.number {
            draft.learn(node: nodes[id], id)
            guard let node = nodes[id], node.content != 0 else { continue }
            contents.append(StoredManifest.Key(node: id, content: node.content))
        }
        guard !contents.isEmpty else { return }
        for (key, manifest) in try ManifestTable.loadSet(contents, db) { draft.learn(manifest: manifest, key) }
    }

    private mutating func prepare(chunks digests: [Digest], _ db: borrowing StoreConnection) throws {
        let tree = draft.tree.number
        let found = try ChunkTable.bytesOfSet(digests, in: tree, db)
        let claims = try ClaimTable.claims(Array(found.keys), in: tree, db)
        for digest in digests {
            let mayName = found[digest].map { found in
                ClaimTable.mayName(claims[digest], isUsed: found.isUsed, draft.caller, isOwner: draft.isOwner)
            }
            draft.learn(chunkBytes: mayName == true ? found[digest]?.bytes : nil, digest)
        }
    }

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
        case .node(let id): try load(node: id, db)
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
        case .height(let id): draft.learn(height: try height(of: id, db), id)
        }
    }

    /// A folder comes with all that lies above it, since what may be done in it is decided there: at once, for a
    /// decision that asked for one after the other would begin anew as often as the folder is deep.
    private mutating func load(node id: NodeID, _ db: borrowing StoreConnection) throws {
        let node = try NodeTable.load(id, db)
        draft.learn(node: node, id)
        guard let node, node.isFolder, node.tree == draft.tree.number else { return }
        if db.isPostgres {
            guard let parent = node.parent, !draft.knows(.node(parent)) else { return }
            let line = try NodeTable.line(from: parent, db)
            for (id, node) in try NodeTable.loadSet(line.filter { !draft.knows(.node($0)) }, db) {
                draft.learn(node: node, id)
            }
        } else {
            var next = node.parent
            while let id = next, !draft.knows(.node(id)) {
                let above = try NodeTable.load(id, db)
                draft.learn(node: above, id)
                next = above?.parent
            }
        }
    }

    /// By the database, and by what the draft changed since.
    private func height(of top: NodeID, _ db: borrowing StoreConnection) throws -> Int {
        var (changed, below): (Set<NodeID>, [NodeID: [StoredNode]]) = ([], [:])
        for folder in draft.nodesToSave where folder.isFolder {
            changed.insert(folder.id)
            if folder.isLive, let parent = folder.parent { below[parent, default: []].append(folder) }
        }
        var (level, height) = ([top], 0)
        // Beyond the limit it does not matter how far.
        while !level.isEmpty, height <= Limits.Files.pathDepthMax {
            var (next, isAny): ([NodeID], Bool) = ([], false)
            for id in level {
                for (folder, links) in try EntryTable.folders(in: id, db) where !changed.contains(folder) {
                    isAny = true
                    // Without a folder in it a folder has two links.
                    if links > 2 { next.append(folder) }
                }
                for folder in below[id] ?? [] {
                    isAny = true
                    next.append(folder.id)
                }
            }
            if isAny { height += 1 }
            level = next
        }
        return height
    }
}

/// How a decision ended.
enum Decision<Answer> {
    case made(Answer)
    case refused(OperationResult.Outcome)
}
