import DaleksCore
import DaleksSystem

/// Where work runs beside the thread that wants it done.
protocol WorkQueue: Sendable {
    /// False where it will not take the job, which then never runs.
    func submit(_ job: @escaping @Sendable () -> Void) -> Bool
    func close()
}

extension WorkerPool: WorkQueue {}

/// Who does synchronisation's slow work, and how it waits: threads in the daemon, turns in a simulation.
struct Labour: Sendable {
    /// Whole files to the region.
    let uploads: any WorkQueue
    /// Chunks to the region.
    let puts: any WorkQueue
    /// Folders and bytes from the region.
    let fetches: any WorkQueue
    /// Spans of one need, side by side.
    let spans: any WorkQueue
    /// Spans that nobody asked for yet.
    let ahead: any WorkQueue
    /// What was asked for, in the order in which it was.
    let order: any WorkQueue
    /// Nodes that nobody can reach any more, out of the replica.
    let farewells: any WorkQueue
    /// Instead of sleeping, where time is not the machine's.
    let rest: (@Sendable (Duration) -> Void)?

    static func threads() -> Labour {
        Labour(
            uploads: WorkerPool(name: "upload", threadCountMax: 4, waitingCountMax: 4_096, standsBack: true),
            puts: WorkerPool(name: "put", threadCountMax: 8, waitingCountMax: 256, standsBack: true),
            fetches: WorkerPool(name: "fetch", threadCountMax: 8, waitingCountMax: 65_536),
            // Enough to fill a fast line, few enough for a small region.
            spans: WorkerPool(name: "span", threadCountMax: 8, waitingCountMax: 4_096),
            // As many spans under way as a fast line is long, and room beside them for what somebody waits for.
            ahead: WorkerPool(name: "ahead", threadCountMax: 10, waitingCountMax: 4 * Fetcher.aheadCountMax),
            order: WorkerPool(name: "order", threadCountMax: 1, waitingCountMax: 256),
            farewells: WorkerPool(name: "farewell", threadCountMax: 1, waitingCountMax: 16, standsBack: true),
            rest: nil
        )
    }
}
