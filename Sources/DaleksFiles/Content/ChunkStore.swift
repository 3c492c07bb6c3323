import DaleksCore
import DaleksSystem

/// Why chunks could not be stored or read.
enum ChunkStoreError: Error, Equatable, Sendable {
    /// What lies there is not the chunk: bytes changed on the medium, or somebody removed them.
    case damaged(Digest)
    /// The medium is full.
    case full
    case failed(Errno)
    /// A service that holds them does not answer, or refuses us.
    case unreachable(String)
}

/// One file or object of a store.
struct SegmentRecord: Hashable, Sendable {
    let number: Int64
    let bytes: Int64
    let written: Timestamp
    /// Still being written to.
    let isActive: Bool
}

/// Keeps immutable chunks by location. Which owner has which chunk where is the database's business.
///
/// Anything that implements this passes `ChunkStoreConformance` in the tests.
protocol ChunkStore: Sendable {
    /// Returns when all of them survive a power cut. Where each lies, in the order given.
    func store(_ chunks: [PackedChunk]) throws(ChunkStoreError) -> [ChunkLocation]

    /// Chunks of so many stored bytes are cheaper kept in the database at first, whose barrier is paid anyway; they
    /// move here many at a time.
    var rowBytesMax: Int { get }

    /// The raw bytes, proved to be the chunk's.
    func read(_ digest: Digest, at location: ChunkLocation) throws(ChunkStoreError) -> [UInt8]

    /// The same where the store has proved it before and it can be sent from where it lies; nil where it must be read.
    func proved(_ location: ChunkLocation) -> ProvedChunk?

    /// Everything that it has, for whoever looks for garbage.
    func segments() throws(ChunkStoreError) -> [SegmentRecord]

    /// Nobody will ask for these again: the database forgot them, durably. Their room may be used for other things.
    func discard(_ locations: [ChunkLocation])

    /// Gives back what holds no chunk any more. `isUsed` says whether the database still names something in a segment;
    /// what was written to within the grace is left alone, since its transaction may not have ended.
    func reclaim(unusedFor grace: Duration, isUsed: (Int64) -> Bool)

    /// Ends what runs. Nothing is called after it.
    func close()
}

extension ChunkStore {
    func proved(_ location: ChunkLocation) -> ProvedChunk? { nil }
}
