import DaleksSystem

/// The connections for reading; a reader is with one thread from its first row to its last.
///
/// ## Concurrency
/// `state` is guarded by itself and held for arithmetic only.
final class ReaderPool: Sendable {
    private struct State {
        var free: [Handle]
        var isClosed = false
    }

    private let timeout: Duration
    private let all: [Handle]
    private let state: Condition<State>

    init(_ readers: [Handle], timeout: Duration) {
        self.timeout = timeout
        all = readers
        state = Condition(State(free: readers))
    }

    func take() throws(SQLiteError) -> Handle {
        let taken = state.wait(timeout: timeout) { state -> Handle?? in
            if state.isClosed { return .some(nil) }
            guard let reader = state.free.popLast() else { return nil }
            return reader
        }
        guard let taken else { throw SQLiteError(.busy, "no reader became free within \(timeout)") }
        guard let taken else { throw SQLiteError(.closed, "the database was closed") }
        return taken
    }

    func giveBack(_ reader: Handle) {
        state.withLock { $0.free.append(reader) }
        state.signal()
    }

    /// From any thread; the readers live as long as the pool.
    func interrupt() {
        for reader in all { reader.interrupt() }
    }

    /// Once `close` returned.
    func closeHandles(isLogKept: Bool) {
        for reader in all { reader.close(isLogKept: isLogKept) }
    }

    /// Lets nobody in any more and waits for those inside.
    func close() {
        state.withLock { $0.isClosed = true }
        state.broadcast()
        _ = state.wait { $0.free.count == all.count ? true : nil }
    }
}
