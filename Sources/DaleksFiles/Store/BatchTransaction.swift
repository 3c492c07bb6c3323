import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksJSON
import DaleksSQLite

/// One batch inside its transaction: recognises what ran before, runs the rest in order over a draft, writes the draft.
struct BatchTransaction {
    private let batch: PreparedBatch
    private var draft: TreeDraft
    private var device: DeviceState
    private var results: [OperationResult] = []
    /// Files whose content was refused in this batch: nothing that comes after it shows them under another name.
    private var refusedContents: Set<NodeID> = []
    /// Those that took their sequence now.
    private var ran: [(step: PreparedBatch.Step, result: OperationResult)] = []

    struct Outcome {
        let answer: BatchAnswer
        let hasChanged: Bool
    }

    init(
        _ batch: PreparedBatch,
        tree: TreeState,
        bytesQuota: Int64,
        now: Timestamp,
        _ db: borrowing StoreConnection
    ) throws {
        self.batch = batch
        draft = TreeDraft(tree: tree, bytesQuota: tree.bytesQuota ?? bytesQuota, now: now)
        device =
            try DeviceTable.load(batch.device, in: tree.number, db)
            ?? DeviceTable.create(batch.device, in: tree.number, db)
    }

    mutating func run(_ db: borrowing StoreConnection) throws -> Outcome {
        let before = draft.tree.sequence
        try refuseForks(db)
        try takeAcknowledgement(db)
        for step in batch.steps { try run(step, db) }
        try save(db)
        return Outcome(
            answer: BatchAnswer(results: results, cursor: draft.tree.cursor.description),
            hasChanged: draft.tree.sequence != before
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
        case .create, .link, .rename, .remove, .attributes, .commit: break
        }
        let author = Author(
            device: device.id,
            mark: OperationMark(device: device.number, sequence: step.sequence)
        )
        for fact in TreeDraft.facts(namedBy: mutation) where !draft.knows(fact) { try load(fact, db) }
        for _ in 0..<Limits.Files.factRoundCountMax {
            do throws(TreeDraft.MissingFact) {
                return try draft.run(mutation, by: author)
            } catch {
                try load(error.fact, db)
            }
        }
        throw RecordError(record: "tree of folders")
    }

    private mutating func load(_ fact: Fact, _ db: borrowing StoreConnection) throws {
        switch fact {
        case .node(let id): draft.learn(node: try NodeTable.load(id, db), id)
        case .entry(let key): draft.learn(entry: try EntryTable.load(key, db), key)
        case .manifest(let key):
            guard let manifest = try ManifestTable.load(key, db) else { throw RecordError(record: "manifest") }
            draft.learn(manifest: manifest, key)
        case .page(let number): draft.learn(page: try ManifestTable.page(number, db), number)
        case .chunk(let digest):
            draft.learn(chunkBytes: try ChunkTable.load(digest, in: draft.tree.number, db)?.rawBytes, digest)
        }
    }

    // MARK: Writing

    private func save(_ db: borrowing StoreConnection) throws {
        try saveManifests(db)
        for node in draft.nodesToSave { try NodeTable.save(node, db) }
        for (key, node) in draft.entriesToSave { try EntryTable.save(key, node, db) }
        for (digest, count) in draft.newReferences {
            try ChunkTable.count(count, of: digest, in: draft.tree.number, at: draft.now, db)
        }
        for change in draft.changes { try ChangeTable.insert(change, in: draft.tree.number, db) }
        for (step, result) in ran {
            try DeviceTable.remember(step.sequence, of: device.number, step.digest, answer: result.jsonBytes, db)
        }
        if !draft.changes.isEmpty { try TreeTable.save(draft.tree, db) }
        try DeviceTable.save(device, db)
    }

    /// Pages get their numbers here, and the manifests that list them are written with those.
    private func saveManifests(_ db: borrowing StoreConnection) throws {
        var numbers: [Int64: Int64] = [:]
        for (number, page) in draft.pagesToSave { numbers[number] = try ManifestTable.insert(page, db) }
        for (key, manifest) in draft.manifestsToSave {
            var manifest = manifest
            for placed in manifest.pages {
                guard case .stored(let number, let bytes) = placed.page, let final = numbers[number] else { continue }
                manifest.set(placed.index, to: .stored(number: final, bytes: bytes))
            }
            try ManifestTable.save(manifest, key, db)
        }
        for key in draft.supersededManifests { try ManifestTable.supersede(key, at: draft.now, db) }
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
