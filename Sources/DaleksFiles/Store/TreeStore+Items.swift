import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// Single requests on nodes, each one transaction: what devices do in batches, for programs without a journal.
extension TreeStore {
    /// A new node, with whom it is shared from its first moment on.
    func makeChild(_ request: ChildRequest, in parent: NodeID, by caller: UserID) throws(APIError) -> Told<NodeRecord> {
        let now = time.wall
        let id = NodeID.random(at: now)
        return try write { db in
            guard let folder = try NodeTable.load(parent, db), let tree = try TreeTable.lock(number: folder.tree, db)
            else { throw Self.hidden }
            var session = DraftSession(tree: tree, caller: caller, bytesQuota: bytesQuota, now: now)
            let creation = Mutation.creating(id, request.kind, request.name, in: parent, at: now)
            try session.run(creation, by: .request, db).orThrow()
            try session.save(db)
            var owners = [tree.owner]
            for grant in request.grants {
                owners += try self.grant(grant.grant, to: grant.user, on: id, by: caller, now, db).owners
            }
            if request.isPublic { owners += try publish(true, id, by: caller, now, db).owners }
            return Told(value: try unchecked(id, for: caller, db), owners: owners)
        }
    }

    /// Renames, moves, and changes attributes, all or nothing.
    func change(
        _ id: NodeID,
        _ change: NodeChange,
        _ fields: HTTPFields,
        by caller: UserID
    ) throws(APIError)
        -> Told<NodeRecord>
    {
        let now = time.wall
        let changed = try self.change(at: id, by: caller) { session, db in
            let place = try place(of: id, by: caller, fields, db)
            if change.name != nil || change.toParent != nil {
                guard let key = place.key else { throw APIError.invalid("a root is not renamed") }
                let rename = Mutation.Rename(
                    parent: key.parent,
                    name: key.name,
                    node: id,
                    toParent: change.toParent ?? key.parent,
                    toName: change.name ?? key.name,
                    replaces: nil,
                    isExchange: false,
                    time: now
                )
                if let parent = change.toParent { try refuseCrossing(to: parent, from: place.seen, caller, db) }
                try session.run(.rename(rename), by: .request, db).orThrow()
            }
            if change.mode != nil || change.modified != nil {
                let attributes = Mutation.AttributeChange(
                    node: id,
                    mode: change.mode,
                    modified: change.modified,
                    time: now
                )
                try session.run(.attributes(attributes), by: .request, db).orThrow()
            }
            return id
        }
        return try told(changed, caller)
    }

    /// To the trash, with all that is in it.
    func discard(_ id: NodeID, _ fields: HTTPFields, by caller: UserID) throws(APIError) -> [UserID] {
        let now = time.wall
        return try write { db in
            let place = try place(of: id, by: caller, fields, locking: true, db)
            guard let key = place.key else { throw APIError.invalid("a root is not removed") }
            let number = place.seen.tree.number
            var session = DraftSession(tree: place.seen.tree, caller: caller, bytesQuota: bytesQuota, now: now)
            let subtree = try TrashTable.subtree(of: place.seen.node, db)
            let decision = try session.decide(db) { draft throws(Stop) in
                try draft.discard(key, id, subtree, by: .request)
            }
            _ = try decision.orThrow()
            try session.save(db)
            let told = try ShareNews.tell(
                about: session.draft.sharedNodesMoved + subtree.granted,
                of: number,
                at: now,
                db
            )
            return [place.seen.tree.owner] + told
        }
    }

    /// A file or a whole folder again, elsewhere in the same owner's tree, without moving a byte.
    func copy(_ id: NodeID, to request: CopyRequest, by caller: UserID) throws(APIError) -> Told<NodeRecord> {
        let copied = try change(at: request.toParent, by: caller) { session, db in
            let seen = try visible(id, to: caller, db)
            guard seen.standing.isReachable else { throw Self.hidden }
            guard seen.tree.number == session.tree.number else {
                throw APIError.invalid("a copy into another owner's tree moves bytes: read and write it")
            }
            var copying = TreeCopying(now: time.wall)
            let copy = try copying.copy(seen.node, as: request.name, in: request.toParent, &session, db)
            return copy
        }
        return try told(copied, caller)
    }

    /// A new file with content, or new content for the one that has the name, in one transaction, of which `ending` is
    /// the last part.
    func putContent(
        _ written: WrittenContent,
        at target: WriteTarget,
        by caller: UserID,
        also ending: (NodeID, borrowing StoreConnection) throws -> Void = { _, _ in }
    ) throws(APIError) -> Told<(record: NodeRecord, isNew: Bool)> {
        let now = time.wall
        let new = NodeID.random(at: now)
        var isNew = false
        let changed = try change(at: target.anchor, by: caller, savesItself: true) { session, db in
            written.unneeded = try Self.enter(written, now, db)
            let (id, base): (NodeID, Revision)
            switch try existing(target, by: caller, locking: true, db) {
            case let seen?:
                try target.check(seen.node)
                (id, base) = (seen.node.id, seen.node.content)
            case nil:
                guard case .name(let parent, let name) = target.place else { throw Self.hidden }
                try target.check(nil)
                let creation = Mutation.creating(new, .file, name, in: parent, at: now)
                try session.run(creation, by: .request, db).orThrow()
                (id, base) = (new, 0)
                isNew = true
            }
            let commit = Mutation.Commit(
                node: id,
                base: .content(base),
                size: written.size,
                spans: written.spans,
                modified: written.modified ?? now,
                time: now
            )
            if !isNew || written.size > 0 {
                try session.run(.commit(commit), by: .request, db).orThrow()
                written.afterCommit = session.tree.sequence
            }
            // What a new chunk was kept by goes only once the file names it.
            try session.save(db)
            if let digest = written.digest, let content = written.afterCommit {
                try ManifestTable.setDigest(digest, of: StoredManifest.Key(node: id, content: content), db)
            }
            try ending(id, db)
            return id
        }
        let told = try told(changed, caller)
        return Told(value: (told.value, isNew), owners: told.owners)
    }

    private static func enter(
        _ written: WrittenContent,
        _ now: Timestamp,
        _ db: borrowing StoreConnection
    ) throws -> [ChunkLocation] {
        guard let place = written.place else { return [] }
        return try unneeded(of: written.entering, in: place, now, db)
    }

    // MARK: Parts

    struct Place {
        let seen: Seen
        /// Its name; nil for a root.
        let key: EntryKey?
    }

    /// A node and its name, where the request's conditions hold.
    private func place(
        of id: NodeID,
        by caller: UserID,
        _ fields: HTTPFields,
        locking: Bool = false,
        _ db: borrowing StoreConnection
    ) throws -> Place {
        let seen = try visible(id, to: caller, locking: locking, db)
        guard seen.standing.isReachable else { throw Self.hidden }
        let outcome = Conditional.evaluate(.put, fields, tag: EntityTag("\(seen.node.content)"))
        guard outcome == .proceed else { throw APIError.preconditionFailed("the content is another by now") }
        // Of several names the one that the caller may see.
        var key: EntryKey?
        for candidate in try EntryTable.parents(of: id, db) where key == nil {
            do {
                _ = try visible(candidate.parent, to: caller, db)
                key = candidate
            } catch let error as APIError {
                guard error.code == .notFound || error.code == .forbidden else { throw error }
            }
        }
        if key == nil, id != seen.tree.root { throw APIError.forbidden("the folder that it lies in is not shared") }
        return Place(seen: seen, key: key)
    }

    private func refuseCrossing(
        to parent: NodeID,
        from seen: Seen,
        _ caller: UserID,
        _ db: borrowing StoreConnection
    ) throws {
        let target = try visible(parent, to: caller, db)
        guard target.tree.number == seen.tree.number else {
            throw APIError.invalid("nothing is moved into another owner's tree: copy and delete it")
        }
    }

    /// What a write is to replace; nil where there is nothing.
    func existing(
        _ target: WriteTarget,
        by caller: UserID,
        locking: Bool = false,
        _ db: borrowing StoreConnection
    ) throws -> Seen? {
        let id: NodeID
        switch target.place {
        case .node(let node): id = node
        case .name(let parent, let name):
            let folder = try visible(parent, to: caller, for: .add, locking: locking, db)
            guard folder.standing.isReachable else { throw Self.hidden }
            guard folder.node.isFolder else { throw APIError.invalid("only a folder has children") }
            guard let child = try EntryTable.load(EntryKey(parent: parent, name: name), db) else { return nil }
            id = child
        }
        let seen = try visible(id, to: caller, for: .change, locking: locking, db)
        guard seen.standing.isReachable else { throw Self.hidden }
        // Conditions and answers tell of what is there.
        guard seen.standing.access.decide(.see) == .allowed || seen.standing.access.isCreator else {
            throw APIError.forbidden("the caller may not read what is there")
        }
        guard seen.node.attributes.kind == .file else { throw APIError(.alreadyExists, "it is not a file") }
        return seen
    }

    /// One change of the tree that a node lies in.
    private func change(
        at id: NodeID,
        by caller: UserID,
        savesItself: Bool = false,
        _ body: (inout DraftSession, borrowing StoreConnection) throws -> NodeID
    ) throws(APIError) -> Told<NodeID> {
        let now = time.wall
        return try write { db in
            // The draft decides what may be done; this only finds the tree without telling of it.
            guard let node = try NodeTable.load(id, db), let tree = try TreeTable.lock(number: node.tree, db) else {
                throw Self.hidden
            }
            var session = DraftSession(tree: tree, caller: caller, bytesQuota: bytesQuota, now: now)
            let changed = try body(&session, db)
            if !savesItself { try session.save(db) }
            let told = try ShareNews.tell(about: session.draft.sharedNodesMoved, of: tree.number, at: now, db)
            return Told(value: changed, owners: [tree.owner] + told)
        }
    }

    /// What the caller changed, as he may see it. Who may add where he may not read sees what he made, this once.
    private func told(_ changed: Told<NodeID>, _ caller: UserID) throws(APIError) -> Told<NodeRecord> {
        try read { db in
            Told(value: try unchecked(changed.value, for: caller, db), owners: changed.owners)
        }
    }

    private func unchecked(
        _ id: NodeID,
        for caller: UserID,
        _ db: borrowing StoreConnection
    ) throws -> NodeRecord {
        guard let node = try NodeTable.load(id, db), let tree = try TreeTable.load(number: node.tree, db) else {
            throw Self.hidden
        }
        // Within a transaction the tree's version may be one that never comes to be.
        let question = AccessTable.Question(tree: tree, caller: caller, now: time.wall, cache: AccessCache())
        return Seen(tree: tree, node: node, standing: try AccessTable.standing(of: node, question, db)).record
    }
}

extension Mutation {
    /// As a program without a file system of its own makes things.
    static func creating(
        _ id: NodeID,
        _ kind: NodeKind,
        _ name: Name,
        in parent: NodeID,
        at time: Timestamp
    ) -> Mutation {
        .create(
            Creation(
                parent: parent,
                name: name,
                node: id,
                kind: kind,
                mode: kind == .folder ? 0o755 : 0o644,
                uid: 0,
                gid: 0,
                time: time
            )
        )
    }
}

extension OperationResult.Outcome {
    func orThrow() throws(APIError) {
        guard case .done = self else { throw APIError(self) }
    }
}
