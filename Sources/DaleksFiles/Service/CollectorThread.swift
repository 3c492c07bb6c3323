import DaleksCore
import DaleksHTTP
import DaleksSystem

/// Runs the collector now and then.
///
/// ## Concurrency
/// `isStopping` is guarded by itself. One thread collects.
final class CollectorThread: Sendable {
    private let collector: Collector
    private let interval: Duration
    private let logger: Logger
    private let isStopping = Condition(false)
    private let finished = Gate()

    init(_ collector: Collector, every interval: Duration, logger: Logger) {
        self.collector = collector
        self.interval = interval
        self.logger = logger
        // The thread holds this until `stop`, which every service calls.
        _ = Thread(name: "collector") { [self] in
            run()
            finished.open()
        }
    }

    func stop() {
        isStopping.withLock { $0 = true }
        isStopping.broadcast()
        finished.wait()
    }

    private func run() {
        while isStopping.wait(timeout: interval, until: { $0 ? true : nil }) == nil {
            do throws(APIError) {
                try collector.collect { isStopping.withLock { !$0 } }
            } catch {
                logger.warning("the collector was stopped by a failure", ["error": error.detail])
            }
        }
    }
}
