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
/// held. One thread watches the deadlines.
final class ChangeFeed: Sendable {
    /// How often trees that share a place in the table had been announced.
    struct Mark: Sendable {
        fileprivate let count: UInt64
    }

    private struct Reader: Sendable {
        let id: Int
        let owner: UserID
        let cursor: Cursor
        let deadline: Instant
        let parked: Parked
    }

    private struct State {
        var nextID = 0
        /// By owner, then by id.
        var readers: [UserID: [Int: Reader]] = [:]
        var readerCount = 0
        /// A bound on memory, not on owners: two that share a count only look once too often.
        var announceCounts = [UInt64](repeating: 0, count: 256)
        var deadlines = DeadlineHeap()
        var isStopping = false
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

    var readerCount: Int { state.withLock { $0.readerCount } }

    func mark(_ owner: UserID) -> Mark { state.withLock { Mark(count: $0.announceCounts[Self.place(of: owner)]) } }

    private static func place(of owner: UserID) -> Int { Int(truncatingIfNeeded: owner.low & 255) }

    /// Keeps the request until something happens after the cursor, or the deadline. Does not block.
    func park(_ parked: Parked, _ owner: UserID, after cursor: Cursor, since mark: Mark, until deadline: Instant) {
        enum Entry {
            case waits(Int, isFirstDeadline: Bool)
            case looksAgain(Reader)
            case isRefused
            case isStopping
        }
        let entry = state.withLock { state -> Entry in
            guard !state.isStopping else { return .isStopping }
            guard state.readerCount < Limits.Files.feedWaiterCountMax else { return .isRefused }
            state.nextID += 1
            let reader = Reader(id: state.nextID, owner: owner, cursor: cursor, deadline: deadline, parked: parked)
            guard state.announceCounts[Self.place(of: owner)] == mark.count else { return .looksAgain(reader) }
            state.readers[owner, default: [:]][reader.id] = reader
            state.readerCount += 1
            return .waits(reader.id, isFirstDeadline: state.deadlines.insert(deadline, owner, reader.id))
        }
        switch entry {
        case .waits(let id, let isFirstDeadline):
            if isFirstDeadline { state.signal() }
            parked.onClientGone { [weak self] in self?.forget(id, of: owner) }
        case .looksAgain(let reader): submit([reader])
        case .isRefused: parked.fail(.unavailable("too many readers wait for changes", retryAfterSeconds: 5))
        case .isStopping: parked.complete(Self.emptyPage(cursor))
        }
    }

    /// Something of this owner's tree was committed here.
    func announce(_ owner: UserID) {
        wake(owner)
        relay?.tell(owner)
    }

    /// Every tree may have changed.
    func wakeAll() {
        let owners = state.withLock { state in
            for place in state.announceCounts.indices { state.announceCounts[place] += 1 }
            return Array(state.readers.keys)
        }
        for owner in owners { wake(owner) }
    }

    /// Something of this owner's tree was committed, here or by another process.
    func wake(_ owner: UserID) {
        let readers = state.withLock { state -> [Reader] in
            state.announceCounts[Self.place(of: owner)] += 1
            guard let readers = state.readers.removeValue(forKey: owner) else { return [] }
            state.readerCount -= readers.count
            return Array(readers.values)
        }
        if !readers.isEmpty { submit(readers) }
    }

    /// Answers everybody who waits, and whoever comes later at once.
    func stop() {
        let readers = state.withLock { state -> [Reader] in
            state.isStopping = true
            defer {
                state.readers = [:]
                state.readerCount = 0
            }
            return state.readers.values.flatMap(\.values)
        }
        state.signal()
        for reader in readers { reader.parked.complete(Self.emptyPage(reader.cursor)) }
        pool.close()
    }

    private func submit(_ readers: [Reader]) {
        let isAccepted = pool.submit { [self] in deliver(readers) }
        // The queue holds a job for each reader there may be, so this is the moment of stopping.
        if !isAccepted { for reader in readers { reader.parked.complete(Self.emptyPage(reader.cursor)) } }
    }

    /// Those who stand at one place get the same page, read and written once.
    private func deliver(_ readers: [Reader]) {
        for (cursor, group) in Dictionary(grouping: readers, by: \.cursor) {
            guard let owner = group.first?.owner else { continue }
            let mark = mark(owner)
            do throws(APIError) {
                let page = try store.changes(of: owner, after: cursor)
                if page.changes.isEmpty {
                    // Announced for another owner in the same place of the table.
                    for reader in group {
                        park(reader.parked, owner, after: cursor, since: mark, until: reader.deadline)
                    }
                } else {
                    let response = Self.response(page)
                    for reader in group { reader.parked.complete(response) }
                }
            } catch {
                for reader in group { reader.parked.fail(error) }
            }
        }
    }

    private func forget(_ id: Int, of owner: UserID) {
        state.withLock { state in
            guard state.readers[owner]?.removeValue(forKey: id) != nil else { return }
            state.readerCount -= 1
            if state.readers[owner]?.isEmpty == true { state.readers.removeValue(forKey: owner) }
        }
    }

    private func watchDeadlines() {
        while true {
            let next = state.withLock { $0.isStopping ? nil : $0.deadlines.first ?? .some(time.now + .seconds(60)) }
            guard let next else { return }
            let due = state.wait(timeout: max(.zero, next - time.now)) { state -> [Reader]? in
                if state.isStopping { return [] }
                let due = Self.takeDue(&state, time.now)
                // Someone may have come with an earlier deadline than the one we sleep for.
                let isEarlier = (state.deadlines.first ?? next) < next
                return due.isEmpty && !isEarlier ? nil : due
            }
            for reader in due ?? [] { reader.parked.complete(Self.emptyPage(reader.cursor)) }
        }
    }

    private static func takeDue(_ state: inout State, _ now: Instant) -> [Reader] {
        var due: [Reader] = []
        while let (owner, id) = state.deadlines.popDue(now) {
            // Absent where the reader was answered before.
            guard let reader = state.readers[owner]?.removeValue(forKey: id) else { continue }
            state.readerCount -= 1
            if state.readers[owner]?.isEmpty == true { state.readers.removeValue(forKey: owner) }
            due.append(reader)
        }
        return due
    }

    static func emptyPage(_ cursor: Cursor) -> HTTPResponse {
        .json(of: ChangesPage(changes: [], cursor: cursor.description))
    }

    static func response(_ page: TreeStore.FeedPage) -> HTTPResponse {
        .json(of: ChangesPage(changes: page.changes, cursor: page.cursor.description))
    }
}
