import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksJSON
import DaleksSQLite

/// One batch inside its transaction: recognises what ran before, runs the rest in order over a draft, writes the draft.
struct BatchTransaction {
    private let batch: PreparedBatch
    private let caller: UserID
    private let bytesQuota: Int64
    private let now: Timestamp
    /// The caller's own tree, whose row its devices belong to.
    private let home: TreeNumber
    /// Of each tree that the batch touches.
    private var drafts: [TreeNumber: DraftSession]
    private var device: DeviceState
    private var results: [OperationResult] = []
    /// Files whose content was refused in this batch: nothing that comes after it shows them under another name.
    private var refusedContents: Set<NodeID> = []
    /// Those that took their sequence now.
    private var ran: [(step: PreparedBatch.Step, result: OperationResult)] = []

    struct Outcome {
        let answer: BatchAnswer
        /// Whose trees are others than before.
        let changedOwners: [UserID]
    }

    init(
        _ batch: PreparedBatch,
        tree: TreeState,
        bytesQuota: Int64,
        now: Timestamp,
        _ db: borrowing StoreConnection
    ) throws {
        self.batch = batch
        caller = tree.owner
        self.bytesQuota = bytesQuota
        self.now = now
        home = tree.number
        drafts = [tree.number: DraftSession(tree: tree, caller: tree.owner, bytesQuota: bytesQuota, now: now)]
        device =
            try DeviceTable.load(batch.device, in: tree.number, db)
            ?? DeviceTable.create(batch.device, in: tree.number, db)
    }

    mutating func run(_ db: borrowing StoreConnection) throws -> Outcome {
        try refuseForks(db)
        try takeAcknowledgement(db)
        // What runs next is most often all of it, in the caller's own tree.
        let mutations = batch.steps.compactMap { step -> Mutation? in
            guard step.sequence > device.highWater, case .mutation(let mutation) = step.work else { return nil }
            return mutation
        }
        try drafts[home]?.prepare(for: mutations, db)
        for step in batch.steps { try run(step, db) }
        try save(db)
        var changedOwners = drafts.values.filter { !$0.draft.changes.isEmpty }.map(\.tree.owner)
        for (number, session) in drafts {
            changedOwners += try ShareNews.tell(about: session.draft.sharedNodesMoved, of: number, at: now, db)
        }
        let cursor = drafts[home]?.tree.cursor.description ?? ""
        return Outcome(
            answer: BatchAnswer(results: results, cursor: cursor),
            changedOwners: changedOwners
        )
    }

    /// A journal that says something else than before, or that begins where we know of nothing, is not the journal that
    /// we know: a restored backup on either side, or a copied machine. Nothing of it runs.
    private func refuseForks(_ db: borrowing StoreConnection) throws {
        for step in batch.steps where step.sequence <= device.highWater {
            guard let known = try DeviceTable.operation(step.sequence, of: device.number, db) else { continue }
            guard known.digest == step.digest else {
                throw APIError(.deviceForked, "operation \(step.sequence) of this device was another one before")
            }
        }
        if let first = batch.steps.first, first.sequence > device.highWater + 1 {
            throw APIError(.deviceForked, "the region knows this device's operations up to \(device.highWater) only")
        }
    }

    private mutating func takeAcknowledgement(_ db: borrowing StoreConnection) throws {
        let acknowledged = min(batch.acknowledged, device.highWater)
        guard acknowledged > device.acknowledged else { return }
        device.acknowledged = acknowledged
        try DeviceTable.forget(upTo: acknowledged - Limits.Files.rememberedOperationCount, of: device.number, db)
    }

    private mutating func run(_ step: PreparedBatch.Step, _ db: borrowing StoreConnection) throws {
        if let last = results.last, last.outcome.stopsBatch {
            return results.append(OperationResult(sequence: step.sequence, outcome: .waiting))
        }
        guard step.sequence > device.highWater else { return results.append(try remembered(step, db)) }
        let result = OperationResult(sequence: step.sequence, outcome: try decide(step, db))
        results.append(result)
        if case .mutation(.commit(let commit)) = step.work, case .denied = result.outcome {
            refusedContents.insert(commit.node)
        }
        guard !result.outcome.stopsBatch else { return }
        device.highWater = step.sequence
        ran.append((step, result))
    }

    private func remembered(_ step: PreparedBatch.Step, _ db: borrowing StoreConnection) throws -> OperationResult {
        guard step.sequence > device.acknowledged,
            let known = try DeviceTable.operation(step.sequence, of: device.number, db)
        else { return OperationResult(sequence: step.sequence, outcome: .known) }
        do {
            return try OperationResult(json: try JSONValue.parse(known.answer))
        } catch {
            throw RecordError(record: "answer")
        }
    }

    private mutating func decide(
        _ step: PreparedBatch.Step,
        _ db: borrowing StoreConnection
    ) throws -> OperationResult.Outcome {
        guard case .mutation(let mutation) = step.work else {
            guard case .refused(let code, let detail) = step.work else { return .waiting }
            return .denied(code: code, detail: detail)
        }
        switch mutation {
        case .rename(let rename) where refusedContents.contains(rename.node): return .conflict(.missing, current: nil)
        case .link(_, _, let node, _) where refusedContents.contains(node): return .conflict(.missing, current: nil)
        case .create, .link, .rename, .remove, .attributes, .extended, .commit: break
        }
        let author = Author(
            device: device.id,
            mark: OperationMark(device: device.number, sequence: step.sequence)
        )
        let places = mutation.places
        let number = try tree(of: places[0], db)
        for other in places.dropFirst() where try tree(of: other, db) != number {
            return try crossing(places, db)
        }
        // In place: a copy of the draft would cost as much as the batch.
        guard let outcome = try drafts[number]?.run(mutation, by: author, db) else { throw RecordError(record: "tree") }
        return outcome
    }

    // MARK: Trees

    /// Where a node lies; the caller's own tree for one that does not exist. Its draft is there afterwards.
    private mutating func tree(of id: NodeID, _ db: borrowing StoreConnection) throws -> TreeNumber {
        if drafts[home]?.known(id) != nil { return home }
        for (number, draft) in drafts where draft.known(id) != nil { return number }
        guard let node = try NodeTable.load(id, db) else { return home }
        if drafts[node.tree] == nil {
            guard let tree = try TreeTable.lock(number: node.tree, db) else { throw RecordError(record: "tree") }
            drafts[node.tree] = DraftSession(tree: tree, caller: caller, bytesQuota: bytesQuota, now: now)
        }
        // The draft loads it again, under the lock.
        return node.tree
    }

    /// What would join two trees is refused; but that there are two is told only to who sees both.
    private mutating func crossing(
        _ places: [NodeID],
        _ db: borrowing StoreConnection
    ) throws -> OperationResult.Outcome {
        for place in places {
            let number = try tree(of: place, db)
            let decision = try drafts[number]?.decide(db) { draft throws(Stop) in try draft.liveNode(place, for: .see) }
            guard case .made? = decision else { return .conflict(.missing, current: nil) }
        }
        return .denied(code: "cross_owner", detail: "the two lie in different owners' trees")
    }

    // MARK: Writing

    private func save(_ db: borrowing StoreConnection) throws {
        for draft in drafts.values { try draft.save(db) }
        let answers = ran.map { ($0.step.sequence, $0.step.digest, $0.result.jsonBytes) }
        try DeviceTable.remember(answers, of: device.number, db)
        try DeviceTable.save(device, db)
    }
}

extension OperationResult.Outcome {
    /// It did not take its sequence, so nothing after it may run.
    var stopsBatch: Bool {
        switch self {
        case .incomplete, .waiting: true
        case .done, .known, .conflict, .denied: false
        }
    }
}
