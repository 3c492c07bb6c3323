import DaleksAPI
import DaleksSystem

/// What `/metrics` tells beside the server's own numbers.
struct FilesMeasures: Sendable {
    private let done: Counter
    private let known: Counter
    private let conflicts: Counter
    private let denied: Counter
    private let incomplete: Counter
    private let waiting: Counter
    private let chunksStored: Counter
    private let rawBytes: Counter
    private let storedBytes: Counter
    let damagedChunks: Counter
    let collectedChunks: Counter
    let collectedNodes: Counter
    let packedChunks: Counter
    let compactedChunks: Counter
    let keyFetches: Counter
    let keyFetchFailures: Counter

    init(_ metrics: Metrics) {
        func operations(_ outcome: String) -> Counter {
            metrics.counter(
                "daleks_files_operations_total",
                help: "Operations of devices by what became of them.",
                labels: ["outcome": outcome]
            )
        }
        done = operations("done")
        known = operations("known")
        conflicts = operations("conflict")
        denied = operations("denied")
        incomplete = operations("incomplete")
        waiting = operations("waiting")
        chunksStored = metrics.counter("daleks_files_chunks_stored_total", help: "Chunks written to storage.")
        rawBytes = metrics.counter("daleks_files_chunk_raw_bytes_total", help: "Bytes of chunks before compression.")
        storedBytes = metrics.counter("daleks_files_chunk_stored_bytes_total", help: "Bytes of chunks as stored.")
        damagedChunks = metrics.counter(
            "daleks_files_chunks_damaged_total",
            help: "Reads that found a chunk damaged. More than none needs an operator."
        )
        collectedChunks = metrics.counter("daleks_files_collected_chunks_total", help: "Unused chunks given up.")
        collectedNodes = metrics.counter("daleks_files_collected_nodes_total", help: "Removed nodes given up.")
        packedChunks = metrics.counter(
            "daleks_files_packed_chunks_total",
            help: "Small chunks moved from the database to the store."
        )
        compactedChunks = metrics.counter(
            "daleks_files_compacted_chunks_total",
            help: "Chunks moved out of segments that were mostly garbage."
        )
        keyFetches = metrics.counter("daleks_files_key_fetches_total", help: "Key sets asked of the users service.")
        keyFetchFailures = metrics.counter(
            "daleks_files_key_fetch_failures_total",
            help: "Key sets that the users service did not give."
        )
    }

    func count(_ results: [OperationResult]) {
        for result in results {
            switch result.outcome {
            case .done: done.increment()
            case .known: known.increment()
            case .conflict: conflicts.increment()
            case .denied: denied.increment()
            case .incomplete: incomplete.increment()
            case .waiting: waiting.increment()
            }
        }
    }

    func stored(_ locations: [ChunkLocation]) {
        chunksStored.increment(by: locations.count)
        for location in locations {
            rawBytes.increment(by: location.rawBytes)
            storedBytes.increment(by: location.storedBytes)
        }
    }
}
