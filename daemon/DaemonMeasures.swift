import DaleksCore
import DaleksMount
import DaleksSync
import DaleksSystem

/// What the daemon counts of its conversation with the region.
struct RegionMeasures {
    enum Kind: String, CaseIterable {
        case lookup, listing, batch, missing, upload, download, sharing
        /// Wait for something to change, so most of their time is nobody's.
        case changes, lease
    }

    private let times: [Kind: Histogram]
    private let failures: [Kind: Counter]
    private let bytesSent, bytesReceived: Counter

    init(_ metrics: Metrics) {
        times = Dictionary(
            uniqueKeysWithValues: Kind.allCases.map { kind in
                let histogram = metrics.histogram(
                    "daleks_region_request_seconds",
                    help: "Time that requests to the region took, where it answered.",
                    labels: ["request": kind.rawValue]
                )
                return (kind, histogram)
            }
        )
        failures = Dictionary(
            uniqueKeysWithValues: Kind.allCases.map { kind in
                let counter = metrics.counter(
                    "daleks_region_request_failures_total",
                    help: "Requests that the region refused or did not answer.",
                    labels: ["request": kind.rawValue]
                )
                return (kind, counter)
            }
        )
        let help = "Content that went to the region or came from it, without what rides in batches."
        bytesSent = metrics.counter("daleks_region_bytes_total", help: help, labels: ["direction": "up"])
        bytesReceived = metrics.counter("daleks_region_bytes_total", help: help, labels: ["direction": "down"])
    }

    func answered(_ kind: Kind, after time: Duration) { times[kind]?.observe(time) }
    func failed(_ kind: Kind) { failures[kind]?.increment() }
    func sent(_ count: Int) { bytesSent.increment(by: count) }
    func received(_ count: Int) { bytesReceived.increment(by: count) }
}

extension Metrics {
    /// How the replicas are, whenever somebody looks: the account's own and those of what others share.
    func addAccount(_ account: MountedAccount, space: CacheSpace) {
        func sum(_ name: String, _ help: String, _ read: @escaping @Sendable (SyncEngine.Status) -> Int64) {
            gauge(name, help: help) { Double(account.engines.reduce(0) { $0 + read($1.status) }) }
        }
        let own = account.engine
        gauge("daleks_region_connected", help: "1 while the region's changes arrive.") { own.isConnected ? 1 : 0 }
        sum("daleks_journal_changes", "Changes that their region does not have yet.") { $0.pendingCount }
        sum("daleks_journal_bytes", "Content that its region does not have yet.") { $0.pendingBytes }
        sum("daleks_conflicts", "Files that stand aside because two machines changed them.") { $0.conflictCount }
        sum("daleks_refusals", "Changes that a region refused.") { $0.refusedCount }
        sum("daleks_cache_bytes", "Content that is here, when that was last looked at.") { $0.cacheBytes }
        gauge("daleks_cache_bytes_max", help: "Content that may be here.") { Double(space.bytesMax) }
    }
}
