import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksJSON
import DaleksSQLite
import DaleksSystem

extension Pusher {
    func send(_ batch: Batch) throws(PushFailure) {
        guard !batch.rows.isEmpty else { return }
        try makeCertain()
        let answer: BatchAnswer
        do throws(RemoteError) {
            answer = try remote.mutate(
                MutationBatch(
                    device: batch.device,
                    acknowledged: batch.acknowledged,
                    cursor: batch.cursor,
                    operations: batch.operations
                )
            )
        } catch {
            if error == .deviceForked { try takeNewDevice() }
            throw .remote(error)
        }
        guard answer.results.count == batch.rows.count else {
            throw .remote(.unreachable("the region answered \(answer.results.count) of \(batch.rows.count) operations"))
        }
        let outcomes = try outcomes(of: batch, answer.results.map(\.outcome))
        do throws(Errno) {
            try settle(
                zip(batch.rows, batch.operations).enumerated().map { index, pair in
                    Settlement.Item(row: pair.0, operation: pair.1, outcome: outcomes[index])
                },
                of: batch.device,
                seen: answer.cursor
            )
        } catch {
            throw .local(error)
        }
        // After the answers are in: only then is what they held back settled.
        wasAnswered()
    }

    /// What others share may be withdrawn, and then the region knows nothing of it. That is no conflict: nothing is
    /// made anew, and what was done here is kept until it is put aside.
    private func outcomes(
        of batch: Batch,
        _ outcomes: [OperationResult.Outcome]
    ) throws(PushFailure) -> [OperationResult.Outcome] {
        guard let shares else { return outcomes }
        var missing: Set<Inode> = []
        for (row, outcome) in zip(batch.rows, outcomes) {
            if case .conflict(.missing, _) = outcome { missing.insert(row.subjects.node) }
        }
        guard !missing.isEmpty else { return outcomes }
        let withdrawn = try shares.withdrawn(among: missing)
        return zip(batch.rows, outcomes).map { row, outcome in
            guard case .conflict(.missing, _) = outcome, withdrawn.contains(row.subjects.node) else { return outcome }
            return .denied(code: RefusalPlan.withdrawn, detail: "it is not shared any more")
        }
    }

    /// The region is told nothing that a power cut could make this machine forget: it would come back with an older
    /// journal, take its own later steps for somebody else's, and keep what it had replaced. One barrier a batch.
    private func makeCertain() throws(PushFailure) {
        do throws(SQLiteError) { try tree.database.flush() } catch { throw .local(Errno(error)) }
    }

    /// Somebody else counts under our device id (a copied machine, a restored backup): count anew under another.
    private func takeNewDevice() throws(PushFailure) {
        logger.warning("the region knows this device id from elsewhere; taking a new one")
        let now = tree.wallNow
        do throws(Errno) {
            try tree.database.writing { db throws in try ForkedDevice.countAnew(at: now, db) }
        } catch {
            throw .local(error)
        }
    }
}
