import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksSQLite
import DaleksSystem

/// The feed by which regions hear what to believe no more.
///
/// Any process may write revocations, so that those who wait are served by looking: twice a second, while anybody
/// waits, one question to the database.
///
/// ## Concurrency
/// `state` is guarded by itself. One thread looks and answers, with no lock held.
final class RevocationFeed: Sendable {
    private struct Waiter: Sendable {
        let after: Int64
        let deadline: Instant
        let answer: @Sendable (Result<RevocationPage, APIError>) -> Void
    }

    private struct State {
        var waiters: [Waiter] = []
        var isStopping = false
    }

    private let store: UsersStore
    private let time: TimeSource
    private let state = Condition(State())
    private let finished = Gate()
    private static let interval = Duration.milliseconds(500)

    init(store: UsersStore, time: TimeSource) {
        self.store = store
        self.time = time
    }

    /// The thread holds this until `stop`.
    func start() {
        _ = Thread(name: "revocations") { [self] in
            while let waiters = next() { serve(waiters) }
            finished.open()
        }
    }

    /// Answers those who wait with what there is.
    func stop() {
        state.withLock { $0.isStopping = true }
        state.broadcast()
        finished.wait()
    }

    /// What is there after the cursor; `wait` is how long an empty answer may be held back. `answer` comes on this or
    /// another thread.
    func page(
        after cursor: String?,
        wait: Duration,
        then answer: @escaping @Sendable (Result<RevocationPage, APIError>) -> Void
    ) throws(APIError) {
        let (page, number) = try page(after: cursor)
        guard page.events.isEmpty, wait > .zero else { return answer(.success(page)) }
        let waiter = Waiter(after: number, deadline: time.now + wait, answer: answer)
        let isTaken = state.withLock { state in
            guard !state.isStopping, state.waiters.count < Limits.Users.feedWaiterCountMax else { return false }
            state.waiters.append(waiter)
            return true
        }
        guard isTaken else { return answer(.success(page)) }
        state.broadcast()
    }

    private func page(after cursor: String?) throws(APIError) -> (RevocationPage, after: Int64) {
        let asked = try cursor.map { text throws(APIError) in
            guard let cursor = RevocationCursor(text) else { throw .malformed("the cursor is none of this service") }
            return cursor
        }
        return try store.read { db in
            let (epoch, head) = (try RevocationTable.epoch(db), try RevocationTable.head(db))
            var after: Int64 = 0
            var isRestart = false
            if let asked {
                // A cursor ahead of us is of a database that was lost.
                isRestart = asked.epoch != epoch || asked.number > head
                if !isRestart { after = asked.number }
            }
            let events = try RevocationTable.page(after: after, limit: Limits.Wire.revocationPageCountMax, db)
            let last = events.count == Limits.Wire.revocationPageCountMax ? events[events.count - 1].number : head
            let next = RevocationCursor(epoch: epoch, number: last)
            return (RevocationPage(events: events, cursor: next.text, isRestart: isRestart), after: last)
        }
    }

    // MARK: Waiting

    /// Nil at the end.
    private func next() -> [Waiter]? {
        // Sleeps while nobody waits.
        let isStopping = state.wait { state in
            state.isStopping ? true : state.waiters.isEmpty ? nil : false
        }
        if isStopping == true {
            let rest = state.withLock { state in
                defer { state.waiters = [] }
                return state.waiters
            }
            for waiter in rest { answer(waiter) }
            return nil
        }
        _ = state.wait(timeout: Self.interval) { $0.isStopping ? true : nil }
        return state.withLock { $0.waiters }
    }

    private func serve(_ waiters: [Waiter]) {
        let head = try? store.read { db in try RevocationTable.head(db) }
        let now = time.now
        let due = waiters.filter { waiter in now >= waiter.deadline || (head.map { $0 > waiter.after } ?? false) }
        guard !due.isEmpty else { return }
        // Only this thread takes any out, and new ones are appended.
        state.withLock { state in
            state.waiters.removeAll { waiter in
                now >= waiter.deadline || (head.map { $0 > waiter.after } ?? false)
            }
        }
        for waiter in due { answer(waiter) }
    }

    private func answer(_ waiter: Waiter) {
        do throws(APIError) {
            let page = try store.read { db in
                let epoch = try RevocationTable.epoch(db)
                let events = try RevocationTable.page(
                    after: waiter.after,
                    limit: Limits.Wire.revocationPageCountMax,
                    db
                )
                let next = RevocationCursor(epoch: epoch, number: events.last?.number ?? waiter.after)
                return RevocationPage(events: events, cursor: next.text, isRestart: false)
            }
            waiter.answer(.success(page))
        } catch {
            waiter.answer(.failure(error))
        }
    }
}

/// A place in the feed, of one life of the database.
struct RevocationCursor: Hashable, Sendable {
    let epoch: Int64
    let number: Int64

    init(epoch: Int64, number: Int64) {
        self.epoch = epoch
        self.number = number
    }

    init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let epoch = Int64(parts[0]), let number = Int64(parts[1]), number >= 0 else {
            return nil
        }
        self.init(epoch: epoch, number: number)
    }

    var text: String { "\(epoch).\(number)" }
}
