import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSystem

extension TreeStore {
    /// Runs a batch and returns when what it did survives a power cut. `chunks` are contents of the batch that are
    /// not in the index yet.
    func apply(
        _ batch: PreparedBatch,
        storing chunks: [StoredChunk] = [],
        of owner: UserID
    ) throws(APIError) -> BatchTransaction.Outcome {
        let number = try tree(of: owner).number
        let now = time.wall
        return try write { db in
            guard let tree = try TreeTable.lock(number: number, db) else { throw Self.hidden }
            for chunk in chunks { try ChunkTable.insert(chunk, in: number, touched: now, db) }
            var transaction = try BatchTransaction(batch, tree: tree, bytesQuota: bytesQuota, now: now, db)
            return try transaction.run(db)
        }
    }
}
