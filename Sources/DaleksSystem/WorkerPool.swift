/// Threads for blocking work: a bounded queue in front of threads that start when needed and stay.
///
/// ## Concurrency
/// `queue` is guarded by its condition. Jobs run with no lock held.
public final class WorkerPool: Sendable {
    private struct Queue {
        var jobs: [@Sendable () -> Void] = []
        var head = 0
        var threadCount = 0
        var idleCount = 0
        var isClosing = false
        var threads: [Thread] = []

        var waitingCount: Int { jobs.count - head }

        mutating func next() -> (@Sendable () -> Void)? {
            guard head < jobs.count else { return nil }
            let job = jobs[head]
            jobs[head] = {}
            head += 1
            if head == jobs.count {
                jobs.removeAll(keepingCapacity: true)
                head = 0
            } else if head > 1_024, head * 2 > jobs.count {
                jobs.removeFirst(head)
                head = 0
            }
            return job
        }
    }

    private let name: String
    private let threadCountMax: Int
    private let waitingCountMax: Int
    private let queue = Condition(Queue())

    public init(name: String, threadCountMax: Int, waitingCountMax: Int) {
        precondition(threadCountMax > 0 && waitingCountMax >= 0, "a pool needs a thread and a bound")
        self.name = name
        self.threadCountMax = threadCountMax
        self.waitingCountMax = waitingCountMax
    }

    /// Runs the job on some thread, soon. False, and the job never runs, when the queue is full or the pool closing.
    @discardableResult
    public func submit(_ job: @escaping @Sendable () -> Void) -> Bool {
        let accepted = queue.withLock { queue -> Bool in
            guard !queue.isClosing, queue.waitingCount < waitingCountMax + queue.idleCount else { return false }
            queue.jobs.append(job)
            if queue.waitingCount > queue.idleCount, queue.threadCount < threadCountMax {
                queue.threadCount += 1
                queue.threads.append(Thread(name: "\(name)-\(queue.threadCount)") { [self] in work() })
            }
            return true
        }
        if accepted { queue.signal() }
        return accepted
    }

    /// Runs the job on a thread of the pool and suspends the calling task until it is done.
    public func run<Result: Sendable, Failure: Error>(
        _ job: @escaping @Sendable () throws(Failure) -> Result,
        whenFull failure: @autoclosure () -> Failure
    ) async throws(Failure) -> Result {
        let outcome: Swift.Result<Result, Failure>? = await withCheckedContinuation { continuation in
            let accepted = submit {
                do throws(Failure) {
                    continuation.resume(returning: .success(try job()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
            if !accepted { continuation.resume(returning: nil) }
        }
        guard let outcome else { throw failure() }
        return try outcome.get()
    }

    public var waitingCount: Int { queue.withLock { $0.waitingCount } }

    /// Takes no new jobs, finishes those it has, and returns when every thread is gone. Not from one of its own threads.
    public func close() {
        let threads = queue.withLock { queue in
            queue.isClosing = true
            return queue.threads
        }
        queue.broadcast()
        for thread in threads { thread.join() }
    }

    private func work() {
        while true {
            let job: (@Sendable () -> Void)?? = queue.wait { queue in
                if let job = queue.next() { return .some(job) }
                return queue.isClosing ? .some(nil) : nil
            } whileWaiting: { queue, change in
                queue.idleCount += change
            }
            guard case .some(.some(let job)) = job else { return }
            job()
        }
    }
}
