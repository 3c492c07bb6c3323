import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksSystem

/// Requests that wait for a lease or for news of one, with no thread held for any of them.
///
/// As with the change feed, a request first takes a mark, then looks into the database, and parks with the mark: what
/// happened in between moved it, so the request looks again. Whoever changes something says which devices it concerns.
///
/// ## Concurrency
/// `state` is guarded by itself and held for arithmetic. Looks and answers happen on `pool` with no lock held. One
/// thread watches the times. A request is answered by whoever took it out of `state`, so once.
final class LeaseBoard: Sendable {
    struct Mark: Hashable, Sendable {
        fileprivate let count: UInt64
    }

    private struct State {
        var nextID = 0
        var waiters: [Int: LeaseWaiter] = [:]
        var byHolder: [LeaseHolder: Set<Int>] = [:]
        /// A bound on memory, not on devices: two that share a count only look once too often.
        var announceCounts = [UInt64](repeating: 0, count: 256)
        var times = DeadlineHeap()
        var isStopping = false

        mutating func take(_ id: Int) -> LeaseWaiter? {
            guard let waiter = waiters.removeValue(forKey: id) else { return nil }
            byHolder[waiter.holder]?.remove(id)
            if byHolder[waiter.holder]?.isEmpty == true { byHolder.removeValue(forKey: waiter.holder) }
            return waiter
        }
    }

    let leases: Leases
    private let state = Condition(State())
    private let time: TimeSource
    private let pool: WorkerPool
    /// Where other processes serve the same trees.
    private let relay: FeedRelay?

    init(store: TreeStore, relay: FeedRelay? = nil, time: TimeSource = .system) {
        leases = Leases(store: store, time: time)
        self.relay = relay
        self.time = time
        pool = WorkerPool(
            name: "lease",
            threadCountMax: Limits.Files.leaseThreadCountMax,
            waitingCountMax: Limits.Files.leaseWaiterCountMax
        )
        // The thread holds the board until `stop`, which every service calls.
        _ = Thread(name: "lease-clock") { [self] in watchTimes() }
    }

    var waiterCount: Int { state.withLock { $0.waiters.count } }

    // MARK: Asking

    /// The answer, at once or parked.
    func ask(
        _ question: LeaseWaiter.Question,
        of caller: Caller,
        device: DeviceID,
        waiting seconds: Int
    ) throws(APIError) -> HTTPResponse {
        let holder = LeaseHolder(user: caller.user, device: device)
        let wait = min(.seconds(Int64(min(seconds, Limits.Wire.leaseWaitSecondsMax))), caller.expires - time.wall)
        let deadline = time.now + max(.zero, wait)
        let mark = mark(of: holder)
        let (verdict, told) = try leases.look(question, by: holder, until: deadline)
        announce(told)
        switch verdict {
        case .answer(let response): return response
        case .waits(let until):
            return .parked { [self] parked in
                let waiter = LeaseWaiter(
                    caller: caller,
                    holder: holder,
                    question: question,
                    deadline: deadline,
                    parked: parked
                )
                park(waiter, until: until, since: mark)
            }
        }
    }

    /// What these devices have, or wait for, may be otherwise now.
    func announce(_ holders: Set<LeaseHolder>) {
        guard !holders.isEmpty else { return }
        for holder in holders { wake(holder) }
        relay?.tell(holders)
    }

    // MARK: Waiting

    private func mark(of holder: LeaseHolder) -> Mark {
        state.withLock { Mark(count: $0.announceCounts[Self.place(of: holder)]) }
    }

    private static func place(of holder: LeaseHolder) -> Int { Int(truncatingIfNeeded: holder.device.low & 255) }

    private func park(_ waiter: LeaseWaiter, until: Instant, since mark: Mark) {
        enum Entry {
            case waits(Int, isFirst: Bool)
            case looksAgain
            case isRefused
            case isStopping
        }
        let entry = state.withLock { state -> Entry in
            guard !state.isStopping else { return .isStopping }
            guard state.waiters.count < Limits.Files.leaseWaiterCountMax else { return .isRefused }
            guard state.announceCounts[Self.place(of: waiter.holder)] == mark.count else { return .looksAgain }
            state.nextID += 1
            let id = state.nextID
            state.waiters[id] = waiter
            state.byHolder[waiter.holder, default: []].insert(id)
            return .waits(id, isFirst: state.times.insert(min(until, waiter.deadline), id))
        }
        switch entry {
        case .waits(let id, let isFirst):
            if isFirst { state.signal() }
            waiter.parked.onClientGone { [weak self] in self?.forget(id) }
        case .looksAgain: submit([waiter])
        case .isRefused:
            waiter.parked.fail(.unavailable("too many requests wait for leases", retryAfterSeconds: 5))
        case .isStopping: end(waiter)
        }
    }

    /// Also called for what another process told.
    func wake(_ holder: LeaseHolder) {
        let waiters = state.withLock { state -> [LeaseWaiter] in
            state.announceCounts[Self.place(of: holder)] += 1
            return (state.byHolder[holder] ?? []).compactMap { state.take($0) }
        }
        submit(waiters)
    }

    /// Anything may have happened.
    func wakeAll() {
        let waiters = state.withLock { state -> [LeaseWaiter] in
            for place in state.announceCounts.indices { state.announceCounts[place] += 1 }
            return Array(state.waiters.keys).compactMap { state.take($0) }
        }
        submit(waiters)
    }

    /// Ends those whose tokens hold no longer.
    func end(where isRevoked: (Caller) -> Bool) {
        let waiters = state.withLock { state -> [LeaseWaiter] in
            let ids = state.waiters.filter { isRevoked($0.value.caller) }.map(\.key)
            return ids.compactMap { state.take($0) }
        }
        for waiter in waiters { waiter.parked.fail(.unauthorized("the token was revoked")) }
    }

    /// Answers everybody who waits, and whoever comes later at once.
    func stop() {
        let waiters = state.withLock { state -> [LeaseWaiter] in
            state.isStopping = true
            defer { (state.waiters, state.byHolder) = ([:], [:]) }
            return Array(state.waiters.values)
        }
        state.signal()
        for waiter in waiters { end(waiter) }
        pool.close()
    }

    private func end(_ waiter: LeaseWaiter) {
        waiter.parked.fail(.unavailable("the service is stopping", retryAfterSeconds: 1))
    }

    /// The client went away: nobody is to give anything back for it, or wait behind it.
    private func forget(_ id: Int) {
        guard let waiter = state.withLock({ $0.take(id) }), case .take(_, let node, _) = waiter.question else { return }
        _ = pool.submit { [self] in
            guard let told = try? leases.store.dropWish(for: node, by: waiter.holder) else { return }
            announce(told)
        }
    }

    private func submit(_ waiters: [LeaseWaiter]) {
        guard !waiters.isEmpty else { return }
        let isAccepted = pool.submit { [self] in for waiter in waiters { look(waiter) } }
        // The queue holds a job for each there may be, so this is the moment of stopping.
        if !isAccepted { for waiter in waiters { end(waiter) } }
    }

    private func look(_ waiter: LeaseWaiter) {
        let mark = mark(of: waiter.holder)
        do throws(APIError) {
            let (verdict, told) = try leases.look(waiter.question, by: waiter.holder, until: waiter.deadline)
            announce(told)
            switch verdict {
            case .answer(let response):
                guard !waiter.parked.complete(response), case .take(_, let node, _) = waiter.question else { return }
                giveBack(node, waiter.holder)
            case .waits(let until): park(waiter, until: until, since: mark)
            }
        } catch {
            waiter.parked.fail(error)
        }
    }

    /// Its machine went away while it was given: others need not wait for its end.
    private func giveBack(_ node: NodeID, _ holder: LeaseHolder) {
        guard let told = try? leases.store.dropLease(on: node, by: holder) else { return }
        announce(told)
    }

    private func watchTimes() {
        while true {
            let next = state.withLock { $0.isStopping ? nil : $0.times.first ?? .some(time.now + .seconds(60)) }
            guard let next else { return }
            let due = state.wait(timeout: max(.zero, next - time.now)) { state -> [LeaseWaiter]? in
                if state.isStopping { return [] }
                var due: [LeaseWaiter] = []
                while let id = state.times.popDue(time.now) {
                    // Absent where it was answered before.
                    if let waiter = state.take(id) { due.append(waiter) }
                }
                // Someone may have come with an earlier time than the one we sleep for.
                let isEarlier = (state.times.first ?? next) < next
                return due.isEmpty && !isEarlier ? nil : due
            }
            submit(due ?? [])
        }
    }
}
