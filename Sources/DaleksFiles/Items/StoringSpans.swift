import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// Some spans on their way into the store, beside the request that goes on receiving.
///
/// ## Concurrency
/// One thread runs it and another waits for its outcome; `state` is guarded by itself.
final class StoringSpans: Sendable {
    private struct State {
        var spans: [[UInt8]]
        var isAbandoned = false
        var outcome: Result<[(digest: Digest, bytes: Int)], APIError>?
    }

    private let access: ChunkAccess
    private let place: TreeStore.ChunkPlace
    private let state: Condition<State>

    init(_ spans: [[UInt8]], _ access: ChunkAccess, _ place: TreeStore.ChunkPlace) {
        self.access = access
        self.place = place
        state = Condition(State(spans: spans))
    }

    func run() {
        let spans = state.withLock { state in
            defer { state.spans = [] }
            return state.isAbandoned ? [] : state.spans
        }
        let outcome: Result<[(digest: Digest, bytes: Int)], APIError>
        do throws(APIError) {
            outcome = .success(try store(spans))
        } catch {
            outcome = .failure(error)
        }
        state.withLock { $0.outcome = outcome }
        state.broadcast()
    }

    private func store(_ spans: [[UInt8]]) throws(APIError) -> [(digest: Digest, bytes: Int)] {
        let contents = spans.map { ChunkContent($0) }
        try access.putLacking(contents, in: place, .normal)
        return contents.map { ($0.digest, $0.bytes.count) }
    }

    /// Waits for the end.
    func outcome() throws(APIError) -> [(digest: Digest, bytes: Int)] {
        guard let outcome = state.wait(until: { $0.outcome }) else {
            preconditionFailure("a wait without an end ended")
        }
        return try outcome.get()
    }

    /// Nobody will ask: what did not begin need not.
    func abandon() { state.withLock { $0.isAbandoned = true } }
}
