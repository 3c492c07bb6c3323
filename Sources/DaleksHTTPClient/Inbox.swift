import DaleksSystem

/// What other threads tell the driver.
///
/// ## Concurrency
/// `state` is guarded by its lock; the driver is woken after that is released, once for all that was posted since it
/// last looked.
final class Inbox: Sendable {
    enum Message: Sendable {
        case begin(Job)
        case cancel(UInt64)
        /// A piece of the body that its source made; empty at its end.
        case sourceFilled(UInt64, Result<[UInt8], Errno>)
        /// The sink is done with these bytes; their buffer comes back for the next.
        case sinkDone(UInt64, SinkVerdict, [UInt8])
        case stop
    }

    enum SinkVerdict: Sendable {
        case more
        case stop
        case failed(Errno)
    }

    private struct State {
        var messages: [Message] = []
        var isWakePending = false
        var isStopping = false
        /// Nobody reads any more.
        var isClosed = false
        var exchangeCount = 0
    }

    private let exchangesMax: Int
    private let multi: MultiHandle
    private let state = Lock(State())

    init(exchangesMax: Int, multi: MultiHandle) {
        self.exchangesMax = exchangesMax
        self.multi = multi
    }

    /// Nil when it was accepted.
    func begin(_ job: Job) -> HTTPClientError? {
        let (refusal, mustWake) = state.withLock { state -> (HTTPClientError?, Bool) in
            guard !state.isStopping else { return (.canceled, false) }
            guard state.exchangeCount < exchangesMax else { return (.overloaded, false) }
            state.exchangeCount += 1
            return (nil, Self.append(.begin(job), to: &state))
        }
        if mustWake { multi.wake() }
        return refusal
    }

    func post(_ message: Message) {
        let mustWake = state.withLock { Self.append(message, to: &$0) }
        if mustWake { multi.wake() }
    }

    /// No exchange begins after this.
    func stop() {
        let mustWake = state.withLock { state -> Bool in
            guard !state.isStopping else { return false }
            state.isStopping = true
            return Self.append(.stop, to: &state)
        }
        if mustWake { multi.wake() }
    }

    /// The driver's last look: what is posted from now on is dropped.
    func close() {
        state.withLock { state in
            state.isClosed = true
            state.messages = []
        }
    }

    /// One exchange has been completed, its callback included.
    func exchangeEnded() { state.withLock { $0.exchangeCount -= 1 } }

    /// Takes everything; `emptied` gives its buffer for what comes next.
    func drain(into emptied: inout [Message]) {
        var messages = emptied
        emptied = []
        messages.removeAll(keepingCapacity: true)
        emptied = state.withLock { state in
            state.isWakePending = false
            let taken = state.messages
            state.messages = messages
            return taken
        }
    }

    private static func append(_ message: Message, to state: inout State) -> Bool {
        guard !state.isClosed else { return false }
        state.messages.append(message)
        guard !state.isWakePending else { return false }
        state.isWakePending = true
        return true
    }
}

/// Runs the closures of exchanges where they may block: on the thread that waits for the exchange, or on the pool.
struct CallbackRunner: Sendable {
    let pool: WorkerPool
    let inbox: Inbox

    func run(for job: Job, _ closure: @escaping @Sendable () -> Void) {
        switch job.completion {
        case .waiter(let waiter): waiter.run(closure)
        case .callback, .continuation: onPool(closure)
        }
    }

    func complete(_ job: Job, _ result: ExchangeResult) {
        switch job.completion {
        case .waiter(let waiter):
            inbox.exchangeEnded()
            waiter.finish(result)
        case .continuation(let continuation):
            inbox.exchangeEnded()
            continuation.resume(returning: result)
        case .callback(let callback):
            let inbox = inbox
            onPool {
                callback(result)
                inbox.exchangeEnded()
            }
        }
    }

    private func onPool(_ closure: @escaping @Sendable () -> Void) {
        // The pool's queue has room for three closures of each exchange, and an exchange has no more at a time.
        let isAccepted = pool.submit(closure)
        precondition(isAccepted, "the pool refused a closure that it has room for")
    }
}
