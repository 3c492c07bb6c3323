import DaleksCore

/// Where a chunk lies in its store. A location is never used for a second chunk, so whoever holds an old one reads the
/// right bytes or is told that they are gone.
struct ChunkLocation: Hashable, Sendable {
    enum Compression: UInt8, Sendable {
        case none = 0
        case zstd = 1
    }

    /// A file of the local store.
    var segment: Int64
    /// Where its record begins there.
    var position: Int64
    var storedBytes: Int
    var rawBytes: Int
    var compression: Compression
}
