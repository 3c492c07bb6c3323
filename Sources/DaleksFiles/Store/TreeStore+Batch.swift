import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSystem

extension TreeStore {
    /// Runs a batch and returns when what it did survives a power cut. `chunks` are contents of the batch that were
    /// stored just now and are not in the index yet.
    func apply(
        _ batch: PreparedBatch,
        storing chunks: [(digest: Digest, location: ChunkLocation)] = [],
        of owner: UserID
    ) throws(APIError) -> BatchTransaction.Outcome {
        let number = try tree(of: owner).number
        let now = time.wall
        return try write { db in
            guard let tree = try TreeTable.lock(number: number, db) else { throw Self.hidden }
            for (digest, location) in chunks {
                try ChunkTable.insert(digest, at: location, in: number, touched: now, db)
            }
            var transaction = try BatchTransaction(batch, tree: tree, bytesQuota: bytesQuota, now: now, db)
            return try transaction.run(db)
        }
    }
}
