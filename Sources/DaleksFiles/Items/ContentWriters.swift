import DaleksCore
import DaleksHTTP
import DaleksSystem

/// How many write at a time, which decides how much each may hold: all of them together stay within some hundred
/// megabytes.
///
/// ## Concurrency
/// `state` is guarded by itself.
final class ContentWriters: Sendable {
    private struct State {
        var count = 0
        var packingCount = 0
    }

    private let state = Condition(State())

    func begin() { state.withLock { $0.count += 1 } }

    func end() { state.withLock { $0.count -= 1 } }

    /// Spans that share a barrier.
    var spansTogether: Int {
        max(1, Limits.Files.writtenSpansTogether / max(1, state.withLock { $0.count } / 2))
    }

    /// Whether spans are stored beside the request that receives more. Where many write the disk is busy anyway.
    var storesAside: Bool { state.withLock { $0.count } <= Limits.Files.writersAsideMax }

    /// Chunks are compressed and written in copies, so not by everybody at once.
    func packing<Result>(_ body: () throws(APIError) -> Result) throws(APIError) -> Result {
        _ = state.wait { state -> Bool? in
            guard state.packingCount < Limits.Files.packingCountMax else { return nil }
            state.packingCount += 1
            return true
        }
        defer {
            state.withLock { $0.packingCount -= 1 }
            state.signal()
        }
        return try body()
    }
}
