import DaleksCore
import DaleksSystem
import Glibc

/// Chunks in append-only files of one folder: many small ones cost one barrier together, none costs a file.
///
/// A record is written once, behind everything that was in the file, and never changed. What a crash leaves behind the
/// last record that the database names is never read; the next record goes behind that too. So no location is ever used
/// twice, and opening needs no repair.
///
/// ## Concurrency
/// `state` is guarded by itself and held for arithmetic; `isOpening` says that a thread makes the next segment. Files
/// are written and read with no lock held.
final class LocalChunkStore: ChunkStore {
    private struct State {
        /// Nil until the first write after one was filled.
        var active: ChunkSegment?
        /// Where the next record of the active segment begins.
        var end: Int64 = 0
        var lastNumber: Int64 = 0
        var isOpening = false
        /// Open files, for reading; the active one too.
        var open: [Int64: ChunkSegment] = [:]
    }

    private enum Room {
        case reserved(ChunkSegment, Int64)
        /// This thread makes a segment of that number.
        case open(Int64)
    }

    /// Descriptors kept for reading: 64 GiB of chunks at once.
    private static let openSegmentCountMax = 256

    private let folder: String
    private let segmentBytesMax: Int64
    private let state = Condition(State())
    private let blocks = ProvedBlocks()

    init(folder: String, segmentBytesMax: Int64 = Limits.Files.segmentBytesMax) throws(Errno) {
        self.folder = folder
        self.segmentBytesMax = segmentBytesMax
        try Files.createPrivateDirectory(folder)
        guard let last = try Self.numbers(in: folder).max() else { return }
        let segment = try openSegment(last, O_RDWR)
        let end = Self.aligned(try segment.size())
        state.withLock { state in
            state.lastNumber = last
            state.open[last] = segment
            guard end < segmentBytesMax else { return }
            state.active = segment
            state.end = end
        }
    }

    /// How often the disk was asked since the active segment was opened.
    var barrierCount: UInt64 { state.withLock { $0.active }?.barrierCount ?? 0 }

    /// With a barrier that takes milliseconds, more than this is written faster once than twice.
    var rowBytesMax: Int { 16 << 10 }

    func store(_ chunks: [PackedChunk]) throws(ChunkStoreError) -> [ChunkLocation] {
        guard !chunks.isEmpty else { return [] }
        var (bytes, locations) = Self.records(of: chunks)
        do throws(Errno) {
            let (segment, start) = try reserve(Int64(bytes.count))
            try segment.write(bytes, at: start)
            for index in locations.indices {
                locations[index].segment = segment.number
                locations[index].position += start
            }
        } catch {
            throw error == .noSpace || error == .quota ? .full : .failed(error)
        }
        return locations
    }

    /// The records one after the other, each at a multiple of the alignment; positions count from the first.
    static func records(of chunks: [PackedChunk]) -> (bytes: [UInt8], locations: [ChunkLocation]) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(
            chunks.reduce(0) { $0 + $1.stored.count + ChunkHeader.byteCount + Int(ChunkHeader.alignment) }
        )
        var locations: [ChunkLocation] = []
        for chunk in chunks {
            let location = chunk.location(segment: 0, position: Int64(bytes.count))
            bytes += ChunkHeader(chunk.digest, location).bytes
            bytes += chunk.stored
            bytes += [UInt8](repeating: 0, count: Int(aligned(Int64(bytes.count))) - bytes.count)
            locations.append(location)
        }
        return (bytes, locations)
    }

    private func reserve(_ count: Int64) throws(Errno) -> (ChunkSegment, Int64) {
        while true {
            let room = state.wait { state -> Room? in
                if state.isOpening { return nil }
                if let active = state.active, !active.hasFailed, state.end == 0 || state.end + count <= segmentBytesMax
                {
                    defer { state.end += count }
                    return .reserved(active, state.end)
                }
                state.isOpening = true
                return .open(state.lastNumber + 1)
            }
            switch room {
            case .reserved(let segment, let position): return (segment, position)
            case .open(let number): try begin(number)
            case nil: preconditionFailure("a wait without an end ended")
            }
        }
    }

    private func begin(_ number: Int64) throws(Errno) {
        defer { state.broadcast() }
        do throws(Errno) {
            let segment = try openSegment(number, O_RDWR | O_CREAT | O_EXCL)
            try Files.synchronizeDirectory(folder)
            state.withLock { state in
                state.isOpening = false
                state.active = segment
                state.lastNumber = number
                state.end = 0
                Self.remember(segment, &state)
            }
        } catch {
            // The number is passed over: a file may stand there that is not certain to survive.
            state.withLock { state in
                state.isOpening = false
                state.lastNumber = number
            }
            throw error
        }
    }

    func read(_ digest: Digest, at location: ChunkLocation) throws(ChunkStoreError) -> [UInt8] {
        let (header, stored): ([UInt8], [UInt8])
        do throws(Errno) {
            let segment = try segment(location.segment)
            // Two calls, so that a megabyte comes to lie where it stays.
            header = try segment.read(count: ChunkHeader.byteCount, at: location.position)
            stored = try segment.read(
                count: location.storedBytes,
                at: location.position + Int64(ChunkHeader.byteCount)
            )
        } catch {
            throw error == .noEntry ? .damaged(digest) : .failed(error)
        }
        let raw = try Self.unpack(header: header[...], stored: stored, digest, location)
        if location.compression == .none, raw.count >= ProvedBlocks.blockBytes { blocks.remember(raw, at: location) }
        return raw
    }

    func proved(_ location: ChunkLocation) -> ProvedChunk? {
        guard location.compression == .none, !location.isInRow, let tags = blocks.tags(at: location),
            let segment = try? segment(location.segment)
        else { return nil }
        let position = location.position + Int64(ChunkHeader.byteCount)
        segment.announce(location.storedBytes, at: position)
        return ProvedChunk(
            segment: segment,
            position: position,
            count: location.storedBytes,
            tags: tags,
            blocks: blocks
        )
    }

    /// What stands at a location, proved.
    static func unpack(
        record: [UInt8],
        _ digest: Digest,
        _ location: ChunkLocation
    ) throws(ChunkStoreError) -> [UInt8] {
        guard record.count >= ChunkHeader.byteCount else { throw .damaged(digest) }
        let stored = Array(record[ChunkHeader.byteCount...])
        return try unpack(header: record[..<ChunkHeader.byteCount], stored: stored, digest, location)
    }

    private static func unpack(
        header: ArraySlice<UInt8>,
        stored: [UInt8],
        _ digest: Digest,
        _ location: ChunkLocation
    ) throws(ChunkStoreError) -> [UInt8] {
        guard stored.count == location.storedBytes, header.count == ChunkHeader.byteCount,
            ChunkHeader(bytes: header) == ChunkHeader(digest, location)
        else { throw .damaged(digest) }
        return try PackedChunk(digest, location, stored: stored).unpack()
    }

    func discard(_ locations: [ChunkLocation]) {
        for location in locations {
            guard let segment = try? segment(location.segment) else { continue }
            let count = Self.aligned(Int64(ChunkHeader.byteCount + location.storedBytes))
            segment.punch(location.position..<location.position + count)
        }
    }

    /// Descriptors close with whoever reads from them last.
    func close() { state.withLock { $0.open = [:] } }

    func segments() throws(ChunkStoreError) -> [SegmentRecord] {
        do throws(Errno) {
            var records: [SegmentRecord] = []
            for number in try Self.numbers(in: folder) {
                let segment = try segment(number)
                records.append(
                    SegmentRecord(
                        number: number,
                        bytes: try segment.size(),
                        written: Timestamp(nanoseconds: try segment.modified() * 1_000_000_000),
                        isActive: state.withLock { $0.active?.number == number || $0.lastNumber == number }
                    )
                )
            }
            return records
        } catch {
            throw .failed(error)
        }
    }

    func reclaim(unusedFor grace: Duration, isUsed: (Int64) -> Bool) {
        guard let numbers = try? Self.numbers(in: folder) else { return }
        let now = TimeSource.system.wall.seconds
        for number in numbers where !isUsed(number) {
            let isActive = state.withLock { $0.active?.number == number || $0.lastNumber == number }
            guard !isActive, let segment = try? segment(number), let modified = try? segment.modified(),
                now - modified > grace.nanoseconds / 1_000_000_000
            else { continue }
            state.withLock { _ = $0.open.removeValue(forKey: number) }
            _ = unlink(path(number))
        }
    }

    private func segment(_ number: Int64) throws(Errno) -> ChunkSegment {
        if let segment = state.withLock({ $0.open[number] }) { return segment }
        let segment = try openSegment(number, O_RDWR)
        return state.withLock { state in
            if let other = state.open[number] { return other }
            Self.remember(segment, &state)
            return segment
        }
    }

    /// Which one makes room does not matter: whoever reads from it holds it.
    private static func remember(_ segment: ChunkSegment, _ state: inout State) {
        if state.open.count >= openSegmentCountMax,
            let other = state.open.keys.first(where: { $0 != state.active?.number })
        {
            state.open.removeValue(forKey: other)
        }
        state.open[segment.number] = segment
    }

    private func openSegment(_ number: Int64, _ flags: Int32) throws(Errno) -> ChunkSegment {
        ChunkSegment(number: number, file: try FileDescriptor.open(path(number), flags | O_NOFOLLOW))
    }

    private func path(_ number: Int64) -> String { "\(folder)/\(Self.fileName(number))" }

    static func fileName(_ number: Int64) -> String {
        let digits = String(number)
        return "\(String(repeating: "0", count: max(0, 10 - digits.utf8.count)))\(digits).chunks"
    }

    private static func numbers(in folder: String) throws(Errno) -> [Int64] {
        try Files.entries(of: folder).compactMap { name in
            name.hasSuffix(".chunks") ? Int64(name.dropLast(".chunks".utf8.count)) : nil
        }
    }

    private static func aligned(_ position: Int64) -> Int64 {
        (position + ChunkHeader.alignment - 1) / ChunkHeader.alignment * ChunkHeader.alignment
    }
}

extension ChunkHeader {
    init(_ digest: Digest, _ location: ChunkLocation) {
        self.init(
            digest: digest,
            storedBytes: location.storedBytes,
            rawBytes: location.rawBytes,
            compression: location.compression
        )
    }
}
