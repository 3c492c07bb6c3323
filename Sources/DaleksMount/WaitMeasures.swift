import DaleksCore
import DaleksSync
public import DaleksSystem

/// How often the kernel asked for what was not here, and how long it then waited.
///
/// ## Concurrency
/// Immutable; histograms count by themselves.
public final class WaitMeasures: Sendable {
    private let bytes, folders, room: Histogram
    private let failures: Counter

    public init(_ metrics: Metrics) {
        func waits(_ what: String) -> Histogram {
            metrics.histogram(
                "daleks_mount_wait_seconds",
                help: "Time that requests waited for what was not here.",
                labels: ["for": what]
            )
        }
        (bytes, folders, room) = (waits("bytes"), waits("folder"), waits("room"))
        failures = metrics.counter(
            "daleks_mount_wait_failures_total",
            help: "Requests that waited and then failed."
        )
    }

    func note(_ need: Need, since began: Instant, isFailed: Bool) {
        let waited = TimeSource.system.now - began
        switch need {
        case .spans, .pieces, .manifest: bytes.observe(waited)
        case .folder: folders.observe(waited)
        case .room: room.observe(waited)
        }
        if isFailed { failures.increment() }
    }
}
