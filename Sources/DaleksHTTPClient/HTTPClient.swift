import DaleksCore
public import DaleksSystem
import Synchronization

/// HTTP requests over pooled connections, with one thread for all of them.
///
/// A request has a deadline, is canceled from anywhere, streams its body and its answer without holding either, and is
/// retried where its policy says so. Certificates are always verified.
///
/// ## Concurrency
/// Every method may be called from any thread. libcurl runs on the driver's thread; a request's closures and
/// completions run on a pool (or, in the blocking form, on the thread that waits), so they may block. One exchange's
/// closures never run two at a time in the same direction, and its completion comes after all of them.
public final class HTTPClient: Sendable {
    private let inbox: Inbox
    private let pool: WorkerPool
    private let thread: Thread
    private let exchangesMax: Int
    private let requiresTLS: Bool
    private let nextID = Atomic<UInt64>(1)

    public init(configuration: HTTPClientConfiguration = HTTPClientConfiguration(), logger: Logger = .silent) {
        let multi = MultiHandle(connectionsIdleMax: Limits.HTTPClient.connectionsIdleMax)
        let inbox = Inbox(exchangesMax: configuration.exchangesMax, multi: multi)
        // Room for three closures of each exchange, both directions and the completion, and for refusals.
        let pool = WorkerPool(
            name: "http-call",
            threadCountMax: configuration.callbackThreadsMax,
            waitingCountMax: 4 * configuration.exchangesMax + 1_024
        )
        self.inbox = inbox
        self.pool = pool
        exchangesMax = configuration.exchangesMax
        requiresTLS = configuration.requiresTLS
        thread = Thread(name: "http-client") {
            let runner = CallbackRunner(pool: pool, inbox: inbox)
            Driver(configuration: configuration, multi: multi, runner: runner, logger: logger).run()
        }
    }

    deinit { inbox.stop() }

    /// Cancels what is in flight and returns when each exchange has been completed and no callback runs any more. What
    /// is started afterwards is canceled at once. Not from within one of the client's own callbacks.
    public func shutdown() {
        inbox.stop()
        thread.join()
    }

    /// Starts an exchange; `onComplete` is called exactly once, on a thread of the client's pool. It is called on this
    /// thread, before `start` returns, only after `shutdown` or while thousands of completions wait already.
    @discardableResult
    public func start(
        _ request: ClientRequest,
        onComplete: @escaping @Sendable (Result<ClientResponse, HTTPClientError>) -> Void
    ) -> Exchange {
        begin(request, .callback(onComplete))
    }

    /// Waits for the answer on this thread, which also runs the request's source and sink. For threads that may block.
    public func send(_ request: ClientRequest) throws(HTTPClientError) -> ClientResponse {
        let waiter = Waiter()
        begin(request, .waiter(waiter))
        return try waiter.wait().get()
    }

    /// Suspends the task until the answer is there; canceling the task cancels the exchange.
    public func response(to request: ClientRequest) async throws(HTTPClientError) -> ClientResponse {
        let cancellation = TaskCancellation()
        let result: ExchangeResult = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                cancellation.began(begin(request, .continuation(continuation)))
            }
        } onCancel: {
            cancellation.cancel()
        }
        return try result.get()
    }

    @discardableResult
    private func begin(_ request: ClientRequest, _ completion: Job.Completion) -> Exchange {
        let id = nextID.wrappingAdd(1, ordering: .relaxed).oldValue
        let exchange = Exchange(id: id, inbox: inbox)
        if let refusal = request.refusal() {
            refuse(completion, refusal)
            return exchange
        }
        guard let origin = Origin(url: request.url) else {
            refuse(completion, .badURL)
            return exchange
        }
        guard !requiresTLS || origin.isProtected else {
            refuse(completion, .unprotected)
            return exchange
        }
        let job = Job(
            id: id,
            request: request,
            origin: origin,
            deadline: TimeSource.system.now + max(.zero, request.deadline),
            completion: completion
        )
        if let refusal = inbox.begin(job) { refuse(completion, refusal) }
        return exchange
    }

    private func refuse(_ completion: Job.Completion, _ error: HTTPClientError) {
        switch completion {
        case .waiter(let waiter): waiter.finish(.failure(error))
        case .continuation(let continuation): continuation.resume(returning: .failure(error))
        case .callback(let callback):
            // The caller may hold a lock that its callback takes, so this thread is the last resort.
            guard pool.waitingCount < exchangesMax, pool.submit({ callback(.failure(error)) }) else {
                callback(.failure(error))
                return
            }
        }
    }
}

/// Joins a task's cancellation with an exchange that may not have begun yet.
private final class TaskCancellation: Sendable {
    private struct State {
        var exchange: Exchange?
        var isCanceled = false
    }

    private let state = Lock(State())

    func began(_ exchange: Exchange) {
        let isCanceled = state.withLock { state -> Bool in
            state.exchange = exchange
            return state.isCanceled
        }
        if isCanceled { exchange.cancel() }
    }

    func cancel() {
        let exchange = state.withLock { state -> Exchange? in
            state.isCanceled = true
            return state.exchange
        }
        exchange?.cancel()
    }
}
