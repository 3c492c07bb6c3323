import DaleksHTTP
import DaleksSystem

/// Bytes of an answer on their way from whoever makes them to the event thread, which must not wait.
///
/// ## Concurrency
/// `state` guards everything. The event thread takes; when there is nothing it is told to suspend its connection, and
/// `wake` (called with no lock held) resumes it when something came. It alone removes pieces, so it copies what is
/// ready with no lock held.
final class OutputPipe: Sendable {
    enum Taken {
        case bytes(Int)
        /// Nothing now: suspend; `wake` will be called.
        case nothing
        case end
        case failed
    }

    private enum Next {
        case taken(Taken)
        case ready(any ReadyContent, Int)
    }

    private struct State {
        var queue = OutputQueue()
        var isEnded = false
        var isFailed = false
        /// The event thread found nothing and stands still.
        var isStarved = false
        /// The first piece was not ready: whoever makes pieces is to read it.
        var isStalled = false
        /// The connection is gone: what comes is dropped.
        var isClosed = false
        var onClosed: (@Sendable () -> Void)?

        var isOver: Bool { isClosed || isEnded || isFailed }
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
            guard !state.isOver else { return false }
            state.queue.append(bytes)
            return true
        }
    }

    func append(_ content: any ReadyContent) -> Bool {
        change { state in
            guard !state.isOver else { return false }
            state.queue.append(content)
            return true
        }
    }

    /// As `append`; a reader so slow that the bytes would not fit ends the stream.
    func appendIfFits(_ bytes: some Collection<UInt8>) -> Bool {
        change { state in
            guard !state.isOver else { return false }
            guard state.queue.byteCount + bytes.count <= capacity else {
                state.isEnded = true
                return false
            }
            state.queue.append(bytes)
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

    /// Whether there is something to be made: more, or what was said to be ready and was not.
    var wantsWork: Bool { state.withLock { $0.isStalled && !$0.isClosed && !$0.isFailed } || hasRoom }

    var hasRoom: Bool {
        state.withLock { state in
            // One that is being sent, and the next.
            !state.isOver && state.queue.byteCount < capacity && state.queue.readyCount < 2
        }
    }

    /// What has to be read after all before anything goes on.
    var stalled: (content: any ReadyContent, start: Int)? {
        state.withLock { state in
            guard state.isStalled, !state.isClosed, case .ready(let content, let start)? = state.queue.first else {
                return nil
            }
            return (content, start)
        }
    }

    func resolve(by bytes: [UInt8]) {
        _ = change { state in
            state.isStalled = false
            state.queue.replaceFirst(by: bytes)
            return true
        }
    }

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
            let hasNews = (!state.queue.isEmpty && !state.isStalled) || state.isEnded || state.isFailed
            let wakes = state.isStarved && hasNews
            if wakes { state.isStarved = false }
            return (result, wakes)
        }
        if wakes { wake() }
        return result
    }

    // MARK: The event thread's side

    func take(into target: UnsafeMutableRawBufferPointer) -> Taken {
        let next = state.withLock { state -> Next in
            if state.isFailed { return .taken(.failed) }
            switch state.queue.first {
            case nil:
                if state.isEnded { return .taken(.end) }
                state.isStarved = true
                return .taken(.nothing)
            case .bytes(let bytes)?:
                let count = min(target.count, bytes.count)
                bytes.withUnsafeBytes { source in
                    target.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[..<count]))
                }
                state.queue.advance(by: count)
                return .taken(.bytes(count))
            case .ready(let content, let start)?:
                if !state.isStalled { return .ready(content, start) }
                state.isStarved = true
                return .taken(.nothing)
            }
        }
        switch next {
        case .taken(let taken): return taken
        case .ready(let content, let start): return take(content, start, into: target)
        }
    }

    private func take(_ content: any ReadyContent, _ start: Int, into target: UnsafeMutableRawBufferPointer) -> Taken {
        let count = content.copy(into: target, from: start)
        return state.withLock { state in
            guard let count, count > 0 else {
                state.isStalled = true
                state.isStarved = true
                return .nothing
            }
            state.queue.advance(by: count)
            return .bytes(count)
        }
    }

    func close() {
        let onClosed = state.withLock { state in
            state.isClosed = true
            state.queue.removeAll()
            let onClosed = state.onClosed
            state.onClosed = nil
            return onClosed
        }
        onClosed?()
    }
}
