import DaleksCore
import DaleksHTTP
import DaleksSystem

/// Upload bytes on their way from the event thread, which must not wait, to a handler, which does.
///
/// ## Concurrency
/// `state` guards everything. The event thread writes, one worker reads. When the buffer is full the writer is told to
/// suspend its connection; the reader wakes it (`onDemand`, called with no lock held) when it took what was there.
final class BodyPipe: Sendable {
    private struct State {
        var incoming: [UInt8] = []
        /// A buffer that the reader gave back, so that a long upload allocates twice and no more.
        var spare: [UInt8] = []
        var isEnded = false
        var failure: APIError?
        /// The writer stands still until the reader wants more.
        var isPaused: Bool
        /// Nobody will read: what comes is dropped.
        var isDiscarding = false
        /// The reader is woken when so much is there.
        var wantedBytes = 1
    }

    private let state: Condition<State>
    private let capacity: Int
    private let onDemand: @Sendable () -> Void

    /// `startsPaused` where the client waits for `100 Continue`, which is sent once the handler begins to read.
    init(capacity: Int, startsPaused: Bool, onDemand: @escaping @Sendable () -> Void) {
        self.capacity = capacity
        self.onDemand = onDemand
        state = Condition(State(isPaused: startsPaused))
    }

    // MARK: The event thread's side

    /// Takes what fits. Fewer than offered: the pipe is full, and `onDemand` will be called when it no longer is.
    func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        let (taken, isEnough) = state.withLock { state -> (Int, Bool) in
            if state.isDiscarding { return (bytes.count, false) }
            let before = state.incoming.count
            let taken = min(bytes.count, capacity - before)
            state.incoming.append(contentsOf: bytes.prefix(taken))
            if taken < bytes.count { state.isPaused = true }
            return (taken, before < state.wantedBytes && before + taken >= state.wantedBytes)
        }
        if isEnough { state.signal() }
        return taken
    }

    /// The last byte was written.
    func end() {
        state.withLock { $0.isEnded = true }
        state.signal()
    }

    /// The rest will never come.
    func fail(_ error: APIError) {
        state.withLock { state in
            if !state.isEnded, state.failure == nil { state.failure = error }
        }
        state.signal()
    }

    /// Nobody reads any more; the writer may pour away. False, and the writer stands, where it already waits.
    func discard() {
        state.withLock { state in
            state.isDiscarding = true
            state.incoming = []
            state.spare = []
            state.isPaused = false
        }
    }

    var isDiscarding: Bool { state.withLock { $0.isDiscarding } }

    // MARK: The handler's side

    /// The next piece; waits for it. Nil at the end. A reader that wants all of a body has no use for each packet, and
    /// waking it costs more than the packet: it waits until half of the buffer is full.
    func next(isWhole: Bool = false) throws(APIError) -> [UInt8]? {
        demand()
        let wantedBytes = isWhole ? max(1, capacity / 2) : 1
        let outcome: Result<[UInt8]?, APIError>? = state.wait { state in
            state.wantedBytes = wantedBytes
            let isEnough = state.incoming.count >= wantedBytes || state.isEnded || state.failure != nil
            if !state.incoming.isEmpty, isEnough {
                var chunk: [UInt8] = []
                swap(&chunk, &state.incoming)
                swap(&state.incoming, &state.spare)
                return .success(chunk)
            }
            if let failure = state.failure { return .failure(failure) }
            return state.isEnded ? .success(nil) : nil
        }
        demand()
        guard let outcome else { return nil }
        return try outcome.get()
    }

    /// Gives a piece's memory back for the next one.
    func recycle(_ chunk: consuming [UInt8]) {
        chunk.removeAll(keepingCapacity: true)
        state.withLock { $0.spare = chunk }
    }

    /// Wakes the writer where it stands and the buffer is empty.
    private func demand() {
        let wakes = state.withLock { state in
            guard state.isPaused, state.incoming.isEmpty else { return false }
            state.isPaused = false
            return true
        }
        if wakes { onDemand() }
    }
}
