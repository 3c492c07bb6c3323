import DaleksCore
import DaleksHTTP
import DaleksSystem

/// Moves chunks to where they are better kept: small ones out of the database, many in one write; and what is left in
/// segments that are mostly garbage, so that those can go.
///
/// A chunk's bytes are durable in their new place before the index says so, and the old place is given up after that.
/// Whoever read the old location meanwhile looks into the index again. What a crash leaves in the new place nobody
/// names, and the collector gives its room back.
struct Packer: Sendable {
    let store: TreeStore
    let chunks: any ChunkStore
    let measures: FilesMeasures

    /// Moves small chunks that are older than `age`; what was made and is gone again within it is never moved.
    func pack(olderThan age: Duration, while goesOn: () -> Bool = { true }) throws(APIError) {
        while goesOn() {
            let due = store.time.wall - age
            let rows = try store.read { db in
                try SmallChunkTable.oldest(
                    before: due,
                    bytesMax: Limits.Files.packBytes,
                    countMax: Limits.Files.packCountMax,
                    db
                )
            }
            guard !rows.isEmpty else { return }
            let locations = try ChunkAccess.translating(store.logger) { () throws(ChunkStoreError) in
                try chunks.store(rows.map(\.packed))
            }
            let stray = try store.write { db in
                try zip(rows, locations).filter { row, location in
                    guard try ChunkTable.move(row.chunk, to: location, db) else { return true }
                    try SmallChunkTable.delete(row.chunk.location.position, db)
                    return false
                }
            }
            chunks.discard(stray.map(\.1))
            measures.packedChunks.increment(by: rows.count - stray.count)
        }
    }

    /// Empties segments of which less than a quarter is in use and that were last written to before the grace.
    func compact(grace: Duration, while goesOn: () -> Bool = { true }) throws(APIError) {
        let used = try store.read { db in try ChunkTable.segments(db) }
        let segments = try ChunkAccess.translating(store.logger) { () throws(ChunkStoreError) in
            try chunks.segments()
        }
        let due = store.time.wall - grace
        for segment in segments where !segment.isActive && segment.written < due && goesOn() {
            guard let bytes = used[segment.number], bytes < segment.bytes / 4 else { continue }
            try empty(segment.number, while: goesOn)
        }
    }

    private func empty(_ segment: Int64, while goesOn: () -> Bool) throws(APIError) {
        var last: Int64 = -1
        while goesOn() {
            let page = try store.read { db in
                try ChunkTable.inSegment(segment, after: last, limit: Limits.Files.compactedChunkCountMax, db)
            }
            guard let end = page.last else { return }
            last = end.location.position
            // A damaged one stays where it is, for whoever may repair it.
            let sound = page.compactMap { placed -> (ChunkTable.Placed, PackedChunk)? in
                guard let raw = try? chunks.read(placed.digest, at: placed.location),
                    let content = ChunkContent(raw, claimedToBe: placed.digest)
                else { return nil }
                return (placed, PackedChunk(content, as: placed.location.compression))
            }
            let locations = try ChunkAccess.translating(store.logger) { () throws(ChunkStoreError) in
                try chunks.store(sound.map(\.1))
            }
            let (moved, stray) = try store.write { db -> ([ChunkLocation], [ChunkLocation]) in
                var (moved, stray): ([ChunkLocation], [ChunkLocation]) = ([], [])
                for ((placed, _), location) in zip(sound, locations) {
                    if try ChunkTable.move(placed, to: location, db) {
                        moved.append(placed.location)
                    } else {
                        stray.append(location)
                    }
                }
                return (moved, stray)
            }
            chunks.discard(moved + stray)
            measures.compactedChunks.increment(by: moved.count)
        }
    }
}
