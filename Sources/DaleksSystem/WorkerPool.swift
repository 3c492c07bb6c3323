/// Threads for blocking work: a bounded queue in front of threads that start when needed and stay.
///
/// A pool that is not closed keeps its threads for as long as the process lives.
///
/// ## Concurrency
/// `queue` is guarded by its condition. Jobs run with no lock held.
public final class WorkerPool: Sendable {
    private struct Queue {
        var jobs: [@Sendable () -> Void] = []
        var head = 0
        /// Threads that run a job. The others wait for one, or have just been started and are about to look.
        var busyCount = 0
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

    private enum Next {
        case job(@Sendable () -> Void)
        case end
    }

    private let name: String
    private let threadCountMax: Int
    private let waitingCountMax: Int
    private let standsBack: Bool
    private let queue = Condition(Queue())

    /// `standsBack`: nobody waits for what is done here, so other threads go first.
    public init(name: String, threadCountMax: Int, waitingCountMax: Int, standsBack: Bool = false) {
        self.standsBack = standsBack
        precondition(threadCountMax > 0 && waitingCountMax >= 0, "a pool needs a thread and a bound")
        self.name = name
        self.threadCountMax = threadCountMax
        self.waitingCountMax = waitingCountMax
    }

    /// Runs the job on some thread, soon. False, and the job never runs, when every thread is busy and the queue full,
    /// or the pool closing.
    @discardableResult
    public func submit(_ job: @escaping @Sendable () -> Void) -> Bool {
        let accepted = queue.withLock { queue -> Bool in
            guard !queue.isClosing, queue.waitingCount + queue.busyCount < threadCountMax + waitingCountMax else {
                return false
            }
            if queue.waitingCount >= queue.threads.count - queue.busyCount, queue.threads.count < threadCountMax {
                do throws(Errno) {
                    queue.threads.append(
                        try Thread.start(name: "\(name)-\(queue.threads.count + 1)") { [self] in work() }
                    )
                } catch {
                    // The machine refuses more threads: those that are there will come to it.
                    if queue.threads.isEmpty { return false }
                }
            }
            queue.jobs.append(job)
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

    /// Jobs that are running.
    public var busyCount: Int { queue.withLock { $0.busyCount } }

    /// Jobs that no thread has taken yet.
    public var waitingCount: Int { queue.withLock { $0.waitingCount } }

    /// Takes no new jobs, finishes those it has, and returns when every thread is gone. Not from one of its own
    /// threads.
    public func close() {
        let threads = queue.withLock { queue in
            queue.isClosing = true
            return queue.threads
        }
        queue.broadcast()
        for thread in threads { thread.join() }
    }

    private func work() {
        if standsBack { Thread.standBack() }
        var wasBusy = false
        while true {
            let next = queue.wait { queue -> Next? in
                if wasBusy { queue.busyCount -= 1 }
                wasBusy = false
                if let job = queue.next() {
                    queue.busyCount += 1
                    return .job(job)
                }
                return queue.isClosing ? .end : nil
            }
            guard case .job(let job) = next else { return }
            job()
            wasBusy = true
        }
    }
}
