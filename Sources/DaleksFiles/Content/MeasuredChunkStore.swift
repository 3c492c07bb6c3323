import DaleksCore
import DaleksSystem

/// A store whose operations are timed and counted.
struct MeasuredChunkStore: ChunkStore {
    private let inner: any ChunkStore
    private let time: TimeSource
    private let storing: Histogram
    private let reading: Histogram
    private let failures: Counter

    init(_ inner: any ChunkStore, _ metrics: Metrics, time: TimeSource) {
        self.inner = inner
        self.time = time
        func seconds(_ operation: String) -> Histogram {
            metrics.histogram(
                "daleks_files_storage_seconds",
                help: "Time that the storage of contents took: to make some durable, to read one.",
                labels: ["operation": operation],
                buckets: Histogram.latencySeconds
            )
        }
        (storing, reading) = (seconds("store"), seconds("read"))
        failures = metrics.counter(
            "daleks_files_storage_failures_total",
            help: "Operations that the storage of contents did not do: it is full, damaged or away."
        )
    }

    func store(_ chunks: [PackedChunk]) throws(ChunkStoreError) -> [ChunkLocation] {
        guard !chunks.isEmpty else { return [] }
        return try timing(storing) { () throws(ChunkStoreError) in try inner.store(chunks) }
    }

    func read(_ digest: Digest, at location: ChunkLocation) throws(ChunkStoreError) -> [UInt8] {
        try timing(reading) { () throws(ChunkStoreError) in try inner.read(digest, at: location) }
    }

    func proved(_ location: ChunkLocation) -> ProvedChunk? { inner.proved(location) }

    private func timing<Result>(
        _ seconds: Histogram,
        _ body: () throws(ChunkStoreError) -> Result
    ) throws(ChunkStoreError) -> Result {
        let began = time.now
        do throws(ChunkStoreError) {
            let result = try body()
            seconds.observe(time.now - began)
            return result
        } catch {
            failures.increment()
            throw error
        }
    }

    var rowBytesMax: Int { inner.rowBytesMax }
    func segments() throws(ChunkStoreError) -> [SegmentRecord] { try inner.segments() }
    func discard(_ locations: [ChunkLocation]) { inner.discard(locations) }
    func reclaim(unusedFor grace: Duration, isUsed: (Int64) -> Bool) { inner.reclaim(unusedFor: grace, isUsed: isUsed) }
    func close() { inner.close() }
}
