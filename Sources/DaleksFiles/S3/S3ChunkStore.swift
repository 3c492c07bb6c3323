import DaleksCore
import DaleksSystem

/// Chunks in objects of a bucket: records as the local store's segments have them, so that an object can be read
/// without the index.
///
/// An object is written once, whole, by one request that returns when the service has it durably. Requests run side by
/// side up to a limit; what comes while that many are under way waits and goes together into the next object, so that a
/// slow service gets fewer and larger ones. No object is larger than one request may be, so uploads in parts are never
/// needed.
///
/// ## Concurrency
/// `state` is guarded by itself and held for arithmetic. Requests run with no lock held.
final class S3ChunkStore: ChunkStore {
    private final class Submission: Sendable {
        enum Phase {
            case waiting
            case taken
            case done(Result<[ChunkLocation], ChunkStoreError>)
        }
        let chunks: [PackedChunk]
        let bytes: Int
        /// Guarded by the store's `state`.
        let phase = Lock(Phase.waiting)

        init(_ chunks: [PackedChunk]) {
            self.chunks = chunks
            bytes = chunks.reduce(0) { $0 + $1.stored.count + ChunkHeader.byteCount }
        }
    }

    private struct State {
        var waiting: [Submission] = []
        var requestCount = 0
    }

    private enum Turn {
        case done(Result<[ChunkLocation], ChunkStoreError>)
        /// This thread makes an object of them.
        case write([Submission])
    }

    private let client: S3Client
    private let time: TimeSource
    private let logger: Logger
    private let state = Condition(State())

    init(_ client: S3Client, time: TimeSource = .system, logger: Logger) {
        self.client = client
        self.time = time
        self.logger = logger
    }

    func close() { client.shutdown() }

    /// A request costs tens of milliseconds wherever the bucket is.
    var rowBytesMax: Int { 64 << 10 }

    // MARK: Writing

    func store(_ chunks: [PackedChunk]) throws(ChunkStoreError) -> [ChunkLocation] {
        var locations: [ChunkLocation] = []
        var (part, bytes): ([PackedChunk], Int) = ([], 0)
        for chunk in chunks {
            let count = chunk.stored.count + ChunkHeader.byteCount
            if !part.isEmpty, bytes + count > Limits.S3.objectBytesMax {
                locations += try write(part)
                (part, bytes) = ([], 0)
            }
            part.append(chunk)
            bytes += count
        }
        if !part.isEmpty { locations += try write(part) }
        return locations
    }

    private func write(_ chunks: [PackedChunk]) throws(ChunkStoreError) -> [ChunkLocation] {
        let own = Submission(chunks)
        state.withLock { $0.waiting.append(own) }
        while true {
            let turn = state.wait { state -> Turn? in
                if case .done(let result) = own.phase.withLock({ $0 }) { return .done(result) }
                guard state.requestCount < Limits.S3.writeCountMax, !state.waiting.isEmpty else { return nil }
                state.requestCount += 1
                return .write(Self.take(&state))
            }
            switch turn {
            case .done(let result): return try result.get()
            case .write(let submissions): finish(submissions, put(submissions.flatMap(\.chunks)))
            case nil: preconditionFailure("a wait without an end ended")
            }
        }
    }

    /// From the front of the queue, as much as one object holds.
    private static func take(_ state: inout State) -> [Submission] {
        var (taken, bytes): ([Submission], Int) = ([], 0)
        while let next = state.waiting.first, taken.isEmpty || bytes + next.bytes <= Limits.S3.objectBytesMax {
            state.waiting.removeFirst()
            next.phase.withLock { $0 = .taken }
            bytes += next.bytes
            taken.append(next)
        }
        return taken
    }

    private func finish(_ submissions: [Submission], _ result: Result<[ChunkLocation], ChunkStoreError>) {
        state.withLock { state in
            state.requestCount -= 1
            var next = 0
            for submission in submissions {
                let part = result.map { Array($0[next..<next + submission.chunks.count]) }
                submission.phase.withLock { $0 = .done(part) }
                next += submission.chunks.count
            }
        }
        state.broadcast()
    }

    private func put(_ chunks: [PackedChunk]) -> Result<[ChunkLocation], ChunkStoreError> {
        var (bytes, locations) = LocalChunkStore.records(of: chunks)
        for _ in 0..<Limits.S3.keyDrawCountMax {
            let number = Self.number(at: time.wall)
            do throws(S3Client.Failure) {
                try client.put(key(number), bytes)
                for index in locations.indices { locations[index].segment = number }
                bytes = []
                return .success(locations)
            } catch {
                if error == .exists { continue }
                return .failure(Self.error(error))
            }
        }
        return .failure(.unreachable("no free key was found"))
    }

    /// Milliseconds since 2023-11-14 and 22 random bits: no two processes draw the same, and no restored database
    /// brings an old one back.
    private static func number(at time: Timestamp) -> Int64 {
        let milliseconds = max(0, time.nanoseconds / 1_000_000 - 1_700_000_000_000)
        return (milliseconds & (1 << 41 - 1)) << 22 | Int64(truncatingIfNeeded: Random.word() & (1 << 22 - 1))
    }

    private func key(_ number: Int64) -> String {
        let digits = String(number, radix: 16)
        return "\(prefix)\(String(repeating: "0", count: 16 - digits.utf8.count))\(digits)"
    }

    private var prefix: String { "\(client.address.prefix)chunks/" }

    // MARK: Reading

    func read(_ digest: Digest, at location: ChunkLocation) throws(ChunkStoreError) -> [UInt8] {
        let count = Int64(ChunkHeader.byteCount + location.storedBytes)
        let record: [UInt8]
        do throws(S3Client.Failure) {
            record = try client.get(key(location.segment), location.position..<location.position + count)
        } catch {
            if error == .missing { throw .damaged(digest) }
            throw Self.error(error)
        }
        return try LocalChunkStore.unpack(record: record, digest, location)
    }

    private static func error(_ failure: S3Client.Failure) -> ChunkStoreError {
        switch failure {
        case .missing: .unreachable("an object is not there")
        case .exists: .unreachable("an object is there already")
        case .refused(let code): .unreachable("refused: \(code)")
        case .unavailable(let detail): .unreachable(detail)
        }
    }

    // MARK: Garbage

    func segments() throws(ChunkStoreError) -> [SegmentRecord] {
        var records: [SegmentRecord] = []
        do throws(S3Client.Failure) {
            try client.list(prefix: prefix) { objects in
                records += objects.compactMap { object in
                    guard let number = Int64(object.key.dropFirst(prefix.utf8.count), radix: 16) else { return nil }
                    return SegmentRecord(number: number, bytes: object.bytes, written: object.modified, isActive: false)
                }
            }
        } catch {
            throw Self.error(error)
        }
        return records
    }

    /// Part of an object cannot be given back; `reclaim` takes whole ones, and the packer empties what is left.
    func discard(_ locations: [ChunkLocation]) {}

    func reclaim(unusedFor grace: Duration, isUsed: (Int64) -> Bool) {
        let due = time.wall - grace
        do throws(ChunkStoreError) {
            for record in try segments() where !isUsed(record.number) && record.written < due {
                do throws(S3Client.Failure) { try client.delete(key(record.number)) } catch { throw Self.error(error) }
            }
        } catch {
            logger.warning("garbage could not be collected in storage", ["reason": "\(error)"])
        }
    }
}
