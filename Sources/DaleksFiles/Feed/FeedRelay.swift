import DaleksCore
import DaleksPostgres
import DaleksSystem

/// Tells the other processes of a region that a tree changed, and hears it from them.
///
/// A notification wakes readers sooner; nothing depends on it. What a process that died no longer told, or what was
/// lost while the connection was away, readers find when they look by themselves, which happens every
/// `Limits.Files.feedLookInterval`.
///
/// Notifications are sent after the commit, many owners in one transaction that waits for no barrier: one inside each
/// commit would have all commits of the server wait for each other.
///
/// ## Concurrency
/// `state` is guarded by itself. One thread sends; the pool's listener calls what hears.
final class FeedRelay: Sendable {
    /// What happened in another process.
    enum News: Sendable {
        /// Something of this owner's tree was committed.
        case tree(UserID)
        /// What this device has, or waits for, may be otherwise.
        case leases(LeaseHolder)
        /// Whatever there is to hear of may have been missed.
        case anything
    }

    private struct State {
        var owners: Set<UserID> = []
        var holders: Set<LeaseHolder> = []
        var isStopping = false
    }

    private static let channel = "daleks_files_changes"
    /// Owners and holders in one notification, whose payload holds less than 8,000 bytes.
    private static let ownerCountMax = 120
    private static let holderCountMax = 50

    private let pool: PostgresPool
    private let logger: Logger
    private let state = Condition(State())
    /// Nil until it listens.
    private let subscription = Lock<PostgresSubscription?>(nil)
    private let finished = Gate()
    /// So that a process does not wake its own readers twice.
    private let sender = Hex.encode(Random.bytes(count: 8))

    init(_ pool: PostgresPool, logger: Logger) {
        self.pool = pool
        self.logger = logger
    }

    /// `wake` hears of each.
    func start(_ wake: @escaping @Sendable (News) -> Void) throws(PostgresError) {
        let sender = sender
        let subscription = try pool.listen(Self.channel) { notification in
            switch notification {
            case .mayHaveMissed: wake(.anything)
            case .payload(let text):
                let words = text.split(separator: " ")
                guard let first = words.first, first != sender else { return }
                for word in words.dropFirst() {
                    if let owner = UserID(word) {
                        wake(.tree(owner))
                    } else if let holder = LeaseHolder(String(word)) {
                        wake(.leases(holder))
                    }
                }
            }
        }
        self.subscription.withLock { $0 = subscription }
        // The thread holds the relay until `stop`, which every service calls.
        _ = Thread(name: "feed-relay") { [self] in
            work(wake)
            finished.open()
        }
    }

    func tell(_ owner: UserID) {
        state.withLock { _ = $0.owners.insert(owner) }
        state.signal()
    }

    func tell(_ holders: Set<LeaseHolder>) {
        state.withLock { $0.holders.formUnion(holders) }
        state.signal()
    }

    func stop() {
        state.withLock { $0.isStopping = true }
        state.signal()
        finished.wait()
        subscription.withLock { $0?.cancel() }
    }

    private func work(_ wake: (News) -> Void) {
        var next = TimeSource.system.now + Limits.Files.feedLookInterval
        while true {
            let words = state.wait(timeout: max(.zero, next - TimeSource.system.now)) { state -> [String]? in
                if state.isStopping { return [] }
                guard !state.owners.isEmpty || !state.holders.isEmpty else { return nil }
                let owners = Array(state.owners.prefix(Self.ownerCountMax))
                let holders = Array(state.holders.prefix(Self.holderCountMax))
                state.owners.subtract(owners)
                state.holders.subtract(holders)
                return owners.map(\.description) + holders.map(\.description)
            }
            guard let words else {
                next = TimeSource.system.now + Limits.Files.feedLookInterval
                wake(.anything)
                continue
            }
            if words.isEmpty { return }
            send(words)
        }
    }

    private func send(_ words: [String]) {
        do {
            try pool.transaction { db in
                _ = try db.query("SELECT set_config('synchronous_commit', 'off', true)")
                try db.notify(Self.channel, ([sender] + words).joined(separator: " "))
            }
        } catch {
            // They look by themselves before long.
            logger.info("other processes were not told of changes", ["reason": "\(error)"])
        }
    }
}
