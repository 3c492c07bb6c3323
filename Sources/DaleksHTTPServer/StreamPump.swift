import DaleksHTTP
import DaleksSystem

/// Keeps an answer's pipe filled by work on the pool, and holds no worker while the client is slow.
///
/// ## Concurrency
/// `state` says whether a job is under way; there is one at most, so `next` is called by one thread at a time.
final class StreamPump: Sendable {
    private struct State {
        var isRunning = false
        var isOver = false
    }

    enum Piece {
        case bytes([UInt8])
        case ready(any ReadyContent)
    }

    let pipe: OutputPipe
    private let next: @Sendable () throws(APIError) -> Piece?
    private let submit: @Sendable (@escaping @Sendable () -> Void) -> Bool
    private let state = Lock(State())

    init(
        _ pipe: OutputPipe,
        submit: @escaping @Sendable (@escaping @Sendable () -> Void) -> Bool,
        next: @escaping @Sendable () throws(APIError) -> Piece?
    ) {
        self.pipe = pipe
        self.submit = submit
        self.next = next
    }

    /// Starts a job where the pipe wants one and none runs.
    func kick() {
        guard pipe.wantsWork else { return }
        let starts = state.withLock { state in
            guard !state.isRunning, !state.isOver else { return false }
            state.isRunning = true
            return true
        }
        guard starts else { return }
        if !submit({ [self] in work() }) {
            state.withLock { $0.isOver = true }
            pipe.fail()
        }
    }

    private func work() {
        let isOver = produce()
        state.withLock { state in
            state.isRunning = false
            state.isOver = isOver
        }
        // Between the last look at the pipe and now the client may have emptied it.
        if !isOver { kick() }
    }

    /// True when the stream is over, one way or the other.
    private func produce() -> Bool {
        while true {
            do throws(APIError) {
                if let stalled = pipe.stalled { pipe.resolve(by: try stalled.content.read(from: stalled.start)) }
                guard pipe.hasRoom else { break }
                switch try next() {
                case .bytes(let bytes)?: if !pipe.append(bytes) { return true }
                case .ready(let content)?: if !pipe.append(content) { return true }
                case nil:
                    // What is still to be sent may have to be read.
                    pipe.end()
                    return false
                }
            } catch {
                pipe.fail()
                return true
            }
        }
        return pipe.isClosed
    }
}
