import DaleksHTTP
import DaleksSystem

/// Bytes of an answer on their way from whoever makes them to the event thread, which must not wait.
///
/// ## Concurrency
/// `state` guards everything. The event thread takes; when there is nothing it is told to suspend its connection, and
/// `wake` (called with no lock held) resumes it when something came.
final class OutputPipe: Sendable {
    enum Taken {
        case bytes(Int)
        /// Nothing now: suspend; `wake` will be called.
        case nothing
        case end
        case failed
    }

    private struct State {
        var buffer: [UInt8] = []
        var head = 0
        var isEnded = false
        var isFailed = false
        /// The event thread found nothing and stands still.
        var isStarved = false
        /// The connection is gone: what comes is dropped.
        var isClosed = false
        var onClosed: (@Sendable () -> Void)?

        var count: Int { buffer.count - head }
    }

    private let state = Lock(State())
    private let capacity: Int
    private let wake: @Sendable () -> Void

    init(capacity: Int, wake: @escaping @Sendable () -> Void) {
        self.capacity = capacity
        self.wake = wake
    }

    // MARK: The maker's side

    /// False where the connection is gone or the stream over. May exceed the capacity by one piece.
    func append(_ bytes: some Collection<UInt8>) -> Bool {
        change { state in
            guard !state.isClosed, !state.isEnded, !state.isFailed else { return false }
            state.buffer.append(contentsOf: bytes)
            return true
        }
    }

    /// As `append`; a reader so slow that the bytes would not fit ends the stream.
    func appendIfFits(_ bytes: some Collection<UInt8>) -> Bool {
        change { state in
            guard !state.isClosed, !state.isEnded, !state.isFailed else { return false }
            guard state.count + bytes.count <= capacity else {
                state.isEnded = true
                return false
            }
            state.buffer.append(contentsOf: bytes)
            return true
        }
    }

    func end() {
        _ = change { state in
            state.isEnded = true
            return true
        }
    }

    /// What was sent is not whole: the connection breaks.
    func fail() {
        _ = change { state in
            state.isFailed = true
            return true
        }
    }

    var isClosed: Bool { state.withLock { $0.isClosed } }
    var hasRoom: Bool { state.withLock { $0.count < capacity && !$0.isClosed && !$0.isEnded && !$0.isFailed } }

    /// Calls `body` once when the connection ends, at once if it did.
    func onClosed(_ body: @escaping @Sendable () -> Void) {
        let isClosed = state.withLock { state in
            if !state.isClosed { state.onClosed = body }
            return state.isClosed
        }
        if isClosed { body() }
    }

    private func change(_ body: (inout State) -> Bool) -> Bool {
        let (result, wakes) = state.withLock { state -> (Bool, Bool) in
            let result = body(&state)
            let wakes = state.isStarved && (state.count > 0 || state.isEnded || state.isFailed)
            if wakes { state.isStarved = false }
            return (result, wakes)
        }
        if wakes { wake() }
        return result
    }

    // MARK: The event thread's side

    func take(into target: UnsafeMutableRawBufferPointer) -> Taken {
        state.withLock { state in
            if state.isFailed { return .failed }
            let count = min(target.count, state.count)
            if count == 0 {
                if state.isEnded { return .end }
                state.isStarved = true
                return .nothing
            }
            state.buffer.withUnsafeBytes { source in
                target.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[state.head..<state.head + count]))
            }
            state.head += count
            if state.head == state.buffer.count {
                state.buffer.removeAll(keepingCapacity: state.buffer.capacity <= capacity)
                state.head = 0
            } else if state.head >= capacity {
                state.buffer.removeFirst(state.head)
                state.head = 0
            }
            return .bytes(count)
        }
    }

    func close() {
        let onClosed = state.withLock { state in
            state.isClosed = true
            state.buffer = []
            state.head = 0
            let onClosed = state.onClosed
            state.onClosed = nil
            return onClosed
        }
        onClosed?()
    }
}
