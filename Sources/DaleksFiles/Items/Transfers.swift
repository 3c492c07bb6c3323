import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSystem

/// Files and folders change their owner: offered by the one, and accepted by the other, whose quota they count to from
/// then on.
///
/// The bytes are put into the recipient's tree first, a few at a time and durably; then one transaction makes the files
/// there and moves what was offered to the sender's trash, provided that nothing of it changed meanwhile. So an
/// acceptance that was broken off has changed nothing, and one that is tried again finds the bytes there already.
struct Transfers: Sendable {
    let items: Items

    private var store: TreeStore { items.store }

    func offer(_ id: NodeID, _ request: TransferRequest, by caller: UserID) throws(APIError) -> TransferRecord {
        let now = store.time.wall
        return try store.write { db in
            let (seen, name) = try owned(id, by: caller, db)
            guard request.recipient != caller else { throw APIError.invalid("it is the caller's already") }
            guard try !ErasureTable.contains(request.recipient, db) else {
                throw APIError.invalid("the user's account was deleted")
            }
            let most = Limits.Files.transfersMax
            guard try TransferTable.offers(from: caller, db).count < most,
                try TransferTable.offers(to: request.recipient, db).count < most
            else { throw APIError.rateLimited("too many offers wait for their answers", retryAfterSeconds: 3_600) }
            let offer = TransferTable.Offer(
                id: .random(at: now),
                node: id,
                sender: caller,
                recipient: request.recipient,
                offered: now,
                expires: now + Limits.Files.transferKept
            )
            try TransferTable.insert(offer, db)
            try AuditTable.record(
                .transferOffered,
                in: seen.tree.number,
                at: now,
                by: caller,
                node: id,
                subject: request.recipient,
                db
            )
            return record(offer, seen.node, name)
        }
    }

    /// What the caller offers and what is offered to it. What cannot be had any more is left out.
    func list(of caller: UserID) throws(APIError) -> TransferList {
        let now = store.time.wall
        return try store.read { db in
            var records: [TransferRecord] = []
            for offer in try TransferTable.offers(to: caller, db) + TransferTable.offers(from: caller, db) {
                guard offer.expires > now, let (seen, name) = try? owned(offer.node, by: offer.sender, db) else {
                    continue
                }
                records.append(record(offer, seen.node, name))
            }
            return TransferList(records)
        }
    }

    /// Either of the two may end it.
    func withdraw(_ id: TransferID, by caller: UserID) throws(APIError) {
        try store.write { db in
            guard let offer = try TransferTable.load(id, db), offer.sender == caller || offer.recipient == caller else {
                throw Self.noOffer
            }
            try TransferTable.delete(id, db)
        }
    }

    // MARK: Accepting

    func accept(_ id: TransferID, _ request: TransferAcceptance, by caller: UserID) throws(APIError) -> NodeRecord {
        let root = try store.tree(of: caller).root
        let place = try store.chunkPlace(for: nil, of: caller)
        // What goes on being changed is not carried over for ever.
        for _ in 0..<3 {
            let (offer, plan) = try store.read { db in try open(id, by: caller, db) }
            var contents: [NodeID: Content] = [:]
            for file in plan.files { contents[file.id] = try copy(file, of: offer.sender, into: place) }
            let key = EntryKey(parent: request.toParent ?? root, name: request.name ?? plan.items[0].name)
            if let made = try finish(id, plan, contents, at: key, by: caller) { return made }
        }
        throw .conflict("it is being changed: try again when that has ended")
    }

    private static var noOffer: APIError { .notFound("there is no such offer") }

    private func open(
        _ id: TransferID,
        by caller: UserID,
        _ db: borrowing StoreConnection
    ) throws -> (TransferTable.Offer, TransferPlan) {
        guard let offer = try TransferTable.load(id, db), offer.recipient == caller else { throw Self.noOffer }
        guard offer.expires > store.time.wall, try !ErasureTable.contains(offer.sender, db) else {
            throw APIError.gone("the offer has ended")
        }
        do {
            let (seen, name) = try owned(offer.node, by: offer.sender, db)
            return (offer, try TransferPlan(of: seen.node, named: name, db))
        } catch let error as APIError where error.code == .notFound || error.code == .forbidden {
            throw APIError.gone("what was offered is not there any more")
        }
    }

    private struct Content {
        let size: Int64
        let spans: [Span]
    }

    /// The bytes of a file as chunks of the recipient's tree: those that are there already are not read.
    private func copy(
        _ file: StoredNode,
        of sender: UserID,
        into place: TreeStore.ChunkPlace
    ) throws(APIError) -> Content {
        let (size, placed) = try store.spans(of: file.id, at: file.content, for: sender)
        var spans: [Span] = []
        var next = 0
        while next < placed.count {
            let some = placed[next..<min(next + Limits.Files.writtenSpansTogether, placed.count)]
            var waiting: [ChunkContent] = []
            for span in some {
                let start = Int64(span.index) * Int64(Limits.spanBytes)
                let extent = Int(min(Int64(Limits.spanBytes), size - start))
                if case .chunk(let part) = span.form, part.bytes == extent,
                    try store.missing([part.digest], in: place).isEmpty
                {
                    spans.append(Span(index: span.index, bytes: extent, source: .chunk(part.digest)))
                    continue
                }
                var bytes = try items.content.read(span.index, of: file.id, at: file.content, for: sender)
                bytes += [UInt8](repeating: 0, count: max(0, extent - bytes.count))
                let content = ChunkContent(bytes)
                spans.append(Span(index: span.index, bytes: extent, source: .chunk(content.digest)))
                waiting.append(content)
            }
            if !waiting.isEmpty { try items.content.putLacking(waiting, in: place) }
            next += some.count
        }
        return Content(size: size, spans: spans)
    }

    /// Nil where something changed since the plan was made.
    private func finish(
        _ id: TransferID,
        _ plan: TransferPlan,
        _ contents: [NodeID: Content],
        at key: EntryKey,
        by caller: UserID
    ) throws(APIError) -> NodeRecord? {
        let now = store.time.wall
        let mine = try store.tree(of: caller).number
        let made = try store.write { db -> (NodeID, [UserID])? in
            try TreeTable.lock([mine, plan.items[0].node.tree], db)
            let (offer, current) = try open(id, by: caller, db)
            guard current == plan else { return nil }
            guard let target = try NodeTable.load(key.parent, db), target.tree == mine,
                let tree = try TreeTable.lock(number: mine, db)
            else { throw TreeStore.hidden }
            var session = DraftSession(tree: tree, caller: caller, bytesQuota: store.bytesQuota, now: now)
            let top = try make(plan, contents, at: key, now, &session, db)
            try session.save(db)
            let told = try discard(plan, of: offer.sender, now, db)
            try TransferTable.delete(id, db)
            try AuditTable.record(.transferred, in: mine, at: now, by: caller, node: top, subject: offer.sender, db)
            return (top, [caller, offer.sender] + told)
        }
        guard let (top, owners) = made else { return nil }
        items.announce(owners)
        return try store.node(top, for: caller)
    }

    private func make(
        _ plan: TransferPlan,
        _ contents: [NodeID: Content],
        at key: EntryKey,
        _ now: Timestamp,
        _ session: inout DraftSession,
        _ db: borrowing StoreConnection
    ) throws -> NodeID {
        var (made, known): ([NodeID], [NodeID: NodeID]) = ([], [:])
        for item in plan.items {
            let place = item.folder.map { EntryKey(parent: made[$0], name: item.name) } ?? key
            if let earlier = known[item.node.id] {
                // Another name of the same file.
                let link = Mutation.link(parent: place.parent, name: place.name, node: earlier, time: now)
                try session.run(link, by: .request, db).orThrow()
                made.append(earlier)
                continue
            }
            let copy = NodeID.random(at: now)
            for mutation in item.node.copying(to: place, as: copy, at: now) {
                try session.run(mutation, by: .request, db).orThrow()
            }
            if let content = contents[item.node.id] {
                let commit = Mutation.Commit(
                    node: copy,
                    base: .content(0),
                    size: content.size,
                    spans: content.spans,
                    modified: item.node.attributes.modified,
                    time: now
                )
                try session.run(.commit(commit), by: .request, db).orThrow()
            }
            known[item.node.id] = copy
            made.append(copy)
        }
        // Last, since what is made in a folder changes its times.
        for (item, copy) in zip(plan.items, made).reversed() {
            try session.run(item.node.times(of: copy, at: now), by: .request, db).orThrow()
        }
        return made[0]
    }

    /// The sender's own goes to the sender's trash, with its versions: nothing is lost by a mistake of either.
    private func discard(
        _ plan: TransferPlan,
        of sender: UserID,
        _ now: Timestamp,
        _ db: borrowing StoreConnection
    ) throws -> [UserID] {
        let top = plan.items[0]
        guard let tree = try TreeTable.lock(number: top.node.tree, db), let parent = top.node.parent else {
            throw TreeStore.hidden
        }
        var session = DraftSession(tree: tree, caller: sender, bytesQuota: store.bytesQuota, now: now)
        let subtree = try TrashTable.subtree(of: top.node, db)
        let key = EntryKey(parent: parent, name: top.name)
        let decision = try session.decide(db) { draft throws(Stop) in
            try draft.discard(key, top.node.id, subtree, by: .request)
        }
        _ = try decision.orThrow()
        try session.save(db)
        try AuditTable.record(.transferred, in: tree.number, at: now, by: sender, node: top.node.id, db)
        return try ShareNews.tell(
            about: session.draft.sharedNodesMoved + subtree.granted,
            of: tree.number,
            at: now,
            db
        )
    }

    // MARK: Parts

    /// Something of the caller's own that has a name, and a folder that it lies in.
    private func owned(
        _ id: NodeID,
        by caller: UserID,
        _ db: borrowing StoreConnection
    ) throws -> (TreeStore.Seen, Name) {
        let seen = try store.visible(id, to: caller, db)
        guard seen.standing.isReachable else { throw TreeStore.hidden }
        guard seen.tree.owner == caller else { throw APIError.forbidden("only its owner may give it away") }
        guard id != seen.tree.root else { throw APIError.invalid("a root has its owner for ever") }
        guard let key = try EntryTable.parents(of: id, db).first else { throw TreeStore.hidden }
        var node = seen.node
        node.parent = key.parent
        return (TreeStore.Seen(tree: seen.tree, node: node, standing: seen.standing), key.name)
    }

    private func record(_ offer: TransferTable.Offer, _ node: StoredNode, _ name: Name) -> TransferRecord {
        TransferRecord(
            id: offer.id,
            node: offer.node,
            name: name,
            kind: node.attributes.kind,
            sender: offer.sender,
            recipient: offer.recipient,
            offered: offer.offered,
            expires: offer.expires
        )
    }
}

extension StoredNode {
    /// What makes the same thing elsewhere, but for its bytes and its times.
    func copying(to place: EntryKey, as copy: NodeID, at now: Timestamp) -> [Mutation] {
        let creation = Mutation.Creation(
            parent: place.parent,
            name: place.name,
            node: copy,
            kind: attributes.kind,
            mode: attributes.mode,
            uid: attributes.uid,
            gid: attributes.gid,
            time: now,
            target: target,
            device: attributes.device
        )
        return [.create(creation)]
            + extended.items.map { item in
                .extended(.init(node: copy, name: item.name, value: item.value, time: now))
            }
    }

    func times(of copy: NodeID, at now: Timestamp) -> Mutation {
        .attributes(.init(node: copy, accessed: attributes.accessed, modified: attributes.modified, time: now))
    }
}
