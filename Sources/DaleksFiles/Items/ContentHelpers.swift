import DaleksCore
import DaleksSystem

/// Threads for what goes on beside a request: spans being stored, spans being read ahead. A job holds what it needs, so
/// it may outlive its request; a region that stopped meanwhile answers it with an error that nobody hears.
enum ContentHelpers {
    // One pool for the process: a pool of each region would have to be ended by one of its own jobs.
    private static let pool = WorkerPool(
        name: "content",
        threadCountMax: Limits.Files.contentHelperCountMax,
        waitingCountMax: Limits.Files.contentHelperCountMax
    )

    static func submit(_ job: @escaping @Sendable () -> Void) -> Bool { pool.submit(job) }
}
