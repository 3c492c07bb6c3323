import DaleksCore

/// Where a chunk lies. A location in a store is never used for a second chunk, so whoever holds an old one reads the
/// right bytes or is told that they are gone.
struct ChunkLocation: Hashable, Sendable {
    enum Compression: UInt8, Sendable {
        case none = 0
        case zstd = 1
    }

    /// The segment of what is not in the store yet: its bytes are a row of the database, `position` the row's number.
    static let inRow: Int64 = 0

    /// A file of the local store, an object of a bucket.
    var segment: Int64
    /// Where its record begins there.
    var position: Int64
    var storedBytes: Int
    var rawBytes: Int
    var compression: Compression

    var isInRow: Bool { segment == Self.inRow }
}
