import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksSystem

/// Readers of trees' feeds who wait for the next change, with no thread held for any of them.
///
/// A reader first takes a `Mark`, then looks into the database, and parks with the mark where nothing was there. A
/// commit in between moved the mark, so the reader looks again instead of sleeping through it.
///
/// ## Concurrency
/// `state` is guarded by itself and held for arithmetic. Pages are read, and answers given, on `pool` with no lock
/// held. One thread watches the deadlines. A reader is answered by whoever took it out of `state`, so once.
final class ChangeFeed: Sendable {
    /// How often trees that share a place in the table had been announced.
    struct Mark: Sendable {
        fileprivate let counts: [UInt64]
    }

    private struct State {
        var nextID = 0
        var readers: [Int: FeedReader] = [:]
        var byOwner: [UserID: Set<Int>] = [:]
        /// A bound on memory, not on owners: two that share a count only look once too often.
        var announceCounts = [UInt64](repeating: 0, count: 256)
        var deadlines = DeadlineHeap()
        var isStopping = false

        mutating func take(_ id: Int) -> FeedReader? {
            guard let reader = readers.removeValue(forKey: id) else { return nil }
            for place in reader.places {
                byOwner[place.owner]?.remove(id)
                if byOwner[place.owner]?.isEmpty == true { byOwner.removeValue(forKey: place.owner) }
            }
            return reader
        }
    }

    private let state = Condition(State())
    private let store: TreeStore
    private let time: TimeSource
    private let pool: WorkerPool
    /// Where other processes serve the same trees.
    private let relay: FeedRelay?

    init(store: TreeStore, relay: FeedRelay? = nil, time: TimeSource = .system) {
        self.store = store
        self.relay = relay
        self.time = time
        pool = WorkerPool(
            name: "feed",
            threadCountMax: Limits.Files.feedThreadCountMax,
            waitingCountMax: Limits.Files.feedWaiterCountMax
        )
        // The thread holds the feed until `stop`, which every service calls.
        _ = Thread(name: "feed-clock") { [self] in watchDeadlines() }
    }

    var readerCount: Int { state.withLock { $0.readers.count } }

    func mark(_ owner: UserID) -> Mark { mark([owner]) }

    func mark(_ owners: [UserID]) -> Mark {
        state.withLock { state in Mark(counts: owners.map { state.announceCounts[Self.place(of: $0)] }) }
    }

    private static func place(of owner: UserID) -> Int { Int(truncatingIfNeeded: owner.low & 255) }

    /// Keeps the reader until something happens after its cursors, or its deadline. Does not block.
    func park(_ reader: FeedReader, since mark: Mark) {
        enum Entry {
            case waits(Int, isFirstDeadline: Bool)
            case looksAgain
            case isRefused
            case isStopping
        }
        let entry = state.withLock { state -> Entry in
            guard !state.isStopping else { return .isStopping }
            guard state.readers.count < Limits.Files.feedWaiterCountMax else { return .isRefused }
            let counts = reader.places.map { state.announceCounts[Self.place(of: $0.owner)] }
            guard counts == mark.counts else { return .looksAgain }
            state.nextID += 1
            let id = state.nextID
            state.readers[id] = reader
            for place in reader.places { state.byOwner[place.owner, default: []].insert(id) }
            return .waits(id, isFirstDeadline: state.deadlines.insert(reader.deadline, id))
        }
        switch entry {
        case .waits(let id, let isFirstDeadline):
            if isFirstDeadline { state.signal() }
            reader.onGone { [weak self] in self?.forget(id) }
        case .looksAgain: submit([reader])
        case .isRefused: reader.fail(.unavailable("too many readers wait for changes", retryAfterSeconds: 5))
        case .isStopping: reader.end()
        }
    }

    /// Looks at once, on a worker, and then waits. Does not block.
    func follow(_ reader: FeedReader) { submit([reader]) }

    /// Something of this owner's tree was committed here.
    func announce(_ owner: UserID) {
        wake(owner)
        relay?.tell(owner)
    }

    /// Every tree may have changed.
    func wakeAll() {
        let owners = state.withLock { state in
            for place in state.announceCounts.indices { state.announceCounts[place] += 1 }
            return Array(state.byOwner.keys)
        }
        for owner in owners { wake(owner) }
    }

    /// Something of this owner's tree was committed, here or by another process.
    func wake(_ owner: UserID) {
        let readers = state.withLock { state -> [FeedReader] in
            state.announceCounts[Self.place(of: owner)] += 1
            return (state.byOwner[owner] ?? []).compactMap { state.take($0) }
        }
        if !readers.isEmpty { submit(readers) }
    }

    /// Ends the readers whose tokens hold no longer.
    func endReaders(where isRevoked: (Caller) -> Bool) {
        let readers = state.withLock { state -> [FeedReader] in
            let ids = state.readers.filter { isRevoked($0.value.caller) }.map(\.key)
            return ids.compactMap { state.take($0) }
        }
        for reader in readers { reader.fail(.unauthorized("the token was revoked")) }
    }

    /// Answers everybody who waits, and whoever comes later at once.
    func stop() {
        let readers = state.withLock { state -> [FeedReader] in
            state.isStopping = true
            defer {
                state.readers = [:]
                state.byOwner = [:]
            }
            return Array(state.readers.values)
        }
        state.signal()
        for reader in readers { reader.end() }
        pool.close()
    }

    private func submit(_ readers: [FeedReader]) {
        let isAccepted = pool.submit { [self] in deliver(readers) }
        // The queue holds a job for each reader there may be, so this is the moment of stopping.
        if !isAccepted { for reader in readers { reader.end() } }
    }

    /// Those who stand at one place and see the same get one page, read and written once.
    private func deliver(_ readers: [FeedReader]) {
        var pages = FeedPages(store)
        for reader in readers {
            let mark = mark(reader.places.map(\.owner))
            if let again = reader.deliver(&pages) { park(again, since: mark) }
        }
    }

    private func forget(_ id: Int) { state.withLock { _ = $0.take(id) } }

    private func watchDeadlines() {
        while true {
            let next = state.withLock { $0.isStopping ? nil : $0.deadlines.first ?? .some(time.now + .seconds(60)) }
            guard let next else { return }
            let due = state.wait(timeout: max(.zero, next - time.now)) { state -> [FeedReader]? in
                if state.isStopping { return [] }
                let due = Self.takeDue(&state, time.now)
                // Someone may have come with an earlier deadline than the one we sleep for.
                let isEarlier = (state.deadlines.first ?? next) < next
                return due.isEmpty && !isEarlier ? nil : due
            }
            for reader in due ?? [] { reader.end() }
        }
    }

    private static func takeDue(_ state: inout State, _ now: Instant) -> [FeedReader] {
        var due: [FeedReader] = []
        while let id = state.deadlines.popDue(now) {
            // Absent where the reader was answered before.
            if let reader = state.take(id) { due.append(reader) }
        }
        return due
    }
}
