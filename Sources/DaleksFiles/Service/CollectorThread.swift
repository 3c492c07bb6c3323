import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// Runs the packer often and the collector now and then, in one process of the region at a time, and in each process
/// what is measured of the region.
///
/// ## Concurrency
/// `isStopping` is guarded by itself. One thread collects.
final class CollectorThread: Sendable {
    private let collector: Collector
    private let packer: Packer
    private let measures: RegionMeasures
    private let interval: Duration
    /// Who this process is, among those of the region.
    private let holder = Random.bytes(count: 16)
    private let logger: Logger
    private let isStopping = Condition(false)
    private let finished = Gate()

    init(
        _ collector: Collector,
        _ packer: Packer,
        _ measures: RegionMeasures,
        every interval: Duration,
        logger: Logger
    ) {
        self.collector = collector
        self.packer = packer
        self.measures = measures
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
        let pause = min(interval, Limits.Files.packInterval)
        var next = TimeSource.system.now + interval
        var nextMeasure = TimeSource.system.now
        while isStopping.wait(timeout: pause, until: { $0 ? true : nil }) == nil {
            do throws(APIError) {
                if TimeSource.system.now >= nextMeasure {
                    nextMeasure = TimeSource.system.now + interval
                    // Each process tells it, whoever collects.
                    try measures.refresh()
                }
                guard try isOurs() else { continue }
                try packer.pack(olderThan: Limits.Files.packAge, while: goesOn)
                guard TimeSource.system.now >= next else { continue }
                next = TimeSource.system.now + interval
                try collector.collect(while: goesOn)
                try packer.compact(grace: max(collector.grace, .seconds(3_600)), while: goesOn)
            } catch {
                logger.warning("the collector was stopped by a failure", ["error": error.detail])
            }
        }
    }

    /// Nothing is taken away while a backup is made.
    private func goesOn() -> Bool {
        guard isStopping.withLock({ !$0 }) else { return false }
        let store = collector.store
        let isHeld = try? store.read { db in try DutyTable.isHeld(Backup.duty, at: store.time.wall, db) }
        return isHeld == false
    }

    /// Another process that holds the duty and dies is replaced when its time is over.
    private func isOurs() throws(APIError) -> Bool {
        let store = collector.store
        let (now, holder) = (store.time.wall, holder)
        let expires = now + max(interval, .seconds(60))
        return try store.write(.normal) { db in
            try DutyTable.take("collect", for: holder, now: now, until: expires, db)
        }
    }
}
