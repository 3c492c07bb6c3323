import DaleksAPI
public import DaleksCache
import DaleksCore
public import DaleksSystem

/// Locks of programs on this machine's files, which hold among all machines: given in memory where the machine has a
/// lease on the file, and asked of the region where it has not.
///
/// ## Concurrency
/// `state` guards all files and is held for arithmetic. What follows from a step (answers, questions to the region) is
/// done after it, with nothing held. One thread renews leases and hears what others want.
public final class FileLocks: Sendable {
    /// A request that waits.
    public struct Ticket: Sendable {
        let inode: Inode
        let number: UInt64
    }

    private struct State {
        var files: [Inode: LockedFile] = [:]
        var ticketLast: UInt64 = 0
        var isStopping = false
        /// The thread has something to look after.
        var hasLeases: Bool {
            files.values.contains { $0.lease.map { $0.number != EngineLeases.unboundedNumber } ?? false }
        }
    }

    private let ground: any LeaseGround
    private let time: TimeSource
    private let logger: Logger
    private let state = Condition(State())
    private let finished = Gate()
    private let isStarted = Lock(false)

    init(ground: any LeaseGround, time: TimeSource, logger: Logger) {
        self.ground = ground
        self.time = time
        self.logger = logger
    }

    // MARK: Programs

    /// Gives a lock at once, or says why not; `nil` where it may have to wait, for the region or for somebody here.
    public func tryLock(_ inode: Inode, _ lock: FileLock, isWhole: Bool, waits: Bool) -> Errno?? {
        let now = time.now
        let outcome: Errno?? = state.withLock { state in
            guard let index = state.files.index(forKey: inode) else { return nil }
            // In place: no copy of the file's locks for each of a database's six requests a commit.
            return state.files.values[index].tryLock(isWhole ? .whole : .ranges, lock, at: now)
        }
        // Whoever waits has to be entered.
        if waits, case .some(.some(.tryAgain)) = outcome { return nil }
        return outcome
    }

    /// Calls back when it is decided: nil is success. The ticket cancels it.
    public func lock(
        _ inode: Inode,
        _ lock: FileLock,
        isWhole: Bool,
        waits: Bool,
        _ completion: @escaping @Sendable (Errno?) -> Void
    ) -> Ticket {
        enter(inode, lock, isWhole: isWhole, waits: waits, isQuestion: false) { outcome in
            switch outcome {
            case .done, .conflict: completion(nil)
            case .failed(let errno): completion(errno)
            }
        }
    }

    /// What is in the way of such a lock; nil where nothing is.
    public func conflict(
        _ inode: Inode,
        with lock: FileLock,
        _ completion: @escaping @Sendable (Result<FileLock?, Errno>) -> Void
    ) -> Ticket {
        enter(inode, lock, isWhole: false, waits: false, isQuestion: true) { outcome in
            switch outcome {
            case .done: completion(.success(nil))
            case .conflict(let lock): completion(.success(lock))
            case .failed(let errno): completion(.failure(errno))
            }
        }
    }

    private func enter(
        _ inode: Inode,
        _ lock: FileLock,
        isWhole: Bool,
        waits: Bool,
        isQuestion: Bool,
        _ completion: @escaping @Sendable (LockedFile.Outcome) -> Void
    ) -> Ticket {
        let now = time.now
        let (number, actions) = state.withLock { state -> (UInt64, [LockedFile.Action]) in
            state.ticketLast += 1
            guard !state.isStopping else { return (0, [.answer(completion, .failed(.noLocks))]) }
            let waiter = LockedFile.Waiter(
                ticket: state.ticketLast,
                family: isWhole ? .whole : .ranges,
                lock: lock,
                waits: waits,
                isQuestion: isQuestion,
                completion: completion
            )
            if waits, !isWhole, Self.closesRing(waiter, on: inode, state.files) {
                return (0, [.answer(completion, .failed(.deadlock))])
            }
            return (
                state.ticketLast,
                Self.step(&state, inode, now) { $0.wait(waiter, at: now) }
            )
        }
        perform(actions, on: inode)
        return Ticket(inode: inode, number: number)
    }

    /// The request is not waited for any more, and is not answered.
    public func cancel(_ ticket: Ticket) -> Bool {
        state.withLock { $0.files[ticket.inode]?.cancel(ticket.number) } != nil
    }

    public func unlock(_ inode: Inode, owner: UInt64, from start: Int64, to end: Int64, isWhole: Bool) {
        change(inode) { file, now in
            file.unlock(isWhole ? .whole : .ranges, owner: owner, from: start, to: end, at: now)
        }
    }

    /// A process closed a descriptor of the file, which ends all its locks there, by whichever it took them.
    public func closed(_ inode: Inode, by owner: UInt64, handle: UInt64) {
        change(inode) { $0.closed(by: owner, handle: handle, at: $1) }
    }

    /// An open file is gone, and with it what was locked for itself: by `flock`, whose owner is told, or as ranges.
    public func released(_ inode: Inode, handle: UInt64, owner: UInt64?) {
        change(inode) { $0.released(handle: handle, owner: owner, at: $1) }
    }

    /// Whether the file is or was just locked, or is about to be.
    public func concerns(_ inode: Inode) -> Bool { state.withLock { $0.files[inode] != nil } }

    /// How many files this machine decides about.
    public var leaseCount: Int { state.withLock { $0.files.values.count { $0.lease != nil } } }

    // MARK: Steps

    private func change(_ inode: Inode, _ body: (inout LockedFile, Instant) -> [LockedFile.Action]) {
        let now = time.now
        let actions = state.withLock { state -> [LockedFile.Action] in
            guard state.files[inode] != nil else { return [] }
            return Self.step(&state, inode, now) { body(&$0, now) }
        }
        perform(actions, on: inode)
    }

    private static func step(
        _ state: inout State,
        _ inode: Inode,
        _ now: Instant,
        _ body: (inout LockedFile) -> [LockedFile.Action]
    ) -> [LockedFile.Action] {
        let actions = body(&state.files[inode, default: LockedFile(now: now)])
        if state.files[inode]?.isOver == true { state.files[inode] = nil }
        return actions
    }

    private func perform(_ actions: [LockedFile.Action], on inode: Inode) {
        for action in actions {
            switch action {
            case .answer(let completion, let outcome): completion(outcome)
            case .ask(let mode, let isPatient):
                ground.take(mode, on: inode, unlessUsed: !isPatient) { [self] result in
                    startOnce()
                    change(inode) { file, now in
                        switch result {
                        case .success(let lease): file.given(lease, at: now)
                        case .failure(let refusal): file.refused(refusal.errno, isTaken: refusal.isTaken, at: now)
                        }
                    }
                    state.broadcast()
                }
            case .remind:
                let began = time.now
                let remind: @Sendable () -> Void = { [self] in change(inode) { $0.reminded(of: began, at: $1) } }
                if !ground.later(LockedFile.leavingLimit, remind) { remind() }
            case .giveBack(let lease):
                ground.publish(inode) { [self] in
                    ground.giveBack(lease) { [self] in change(inode) { $0.lost(lease.number, at: $1) } }
                }
            }
        }
    }

    /// Whether who is in the way waits, over however many others, for this very owner.
    private static func closesRing(
        _ waiter: LockedFile.Waiter,
        on inode: Inode,
        _ files: [Inode: LockedFile]
    ) -> Bool {
        guard let file = files[inode] else { return false }
        var blockers = file.ranges.owners(excluding: waiter.lock)
        guard !blockers.isEmpty else { return false }
        var waiting: [UInt64: Set<UInt64>] = [:]
        for file in files.values {
            for other in file.waiters where other.family == .ranges && other.waits {
                waiting[other.lock.owner, default: []].formUnion(file.ranges.owners(excluding: other.lock))
            }
        }
        var seen: Set<UInt64> = []
        while let blocker = blockers.popFirst() {
            if blocker == waiter.lock.owner { return true }
            if seen.insert(blocker).inserted { blockers.formUnion(waiting[blocker] ?? []) }
        }
        return false
    }

    // MARK: Leases

    /// Where nobody locks anything there is no thread for it.
    private func startOnce() {
        let isFirst = isStarted.withLock { isStarted in
            defer { isStarted = true }
            return !isStarted
        }
        guard isFirst else { return }
        // The thread holds this until `stop`, which every engine calls.
        _ = Thread(name: "leases") { [self] in
            run()
            finished.open()
        }
    }

    /// Whoever waits hears that there are no locks any more. Leases whose files the region has are given back.
    func stop() {
        let (waiters, leases) = state.withLock { state in
            state.isStopping = true
            defer { state.files = [:] }
            return (
                state.files.values.flatMap(\.waiters),
                state.files.compactMap { inode, file in
                    file.lease.map { (inode, $0) }
                }
            )
        }
        state.broadcast()
        for waiter in waiters { waiter.completion(.failed(.noLocks)) }
        let deadline = time.now + Self.farewell
        for (inode, lease) in leases where time.now < deadline {
            let isDone = Gate()
            ground.publish(inode) { [ground] in ground.giveBack(lease) { isDone.open() } }
            _ = isDone.wait(timeout: max(.zero, deadline - time.now))
        }
    }

    /// After what `stop` may wait for is over: a watch that is under way is ended from outside.
    func join() { if isStarted.withLock({ $0 }) { finished.wait() } }

    /// So long the end waits for leases to be given back; what is not ends by itself.
    private static let farewell: Duration = .seconds(2)
    /// A watch is renewed by then: leases are told to hold for 28 seconds, from a question that may have waited for 15.
    private static let watchSeconds = 8
    /// While others want what programs hold: whether they still do.
    private static let recalledWatchSeconds = 1
    /// A lease that nobody needs is kept so long, for whoever comes again.
    static let idle: Duration = .seconds(20)
    private static let retry: Duration = .seconds(1)

    private func run() {
        while true {
            let isStopping = state.waitThrowing(until: { $0.isStopping || $0.hasLeases }) { $0.isStopping }
            if isStopping { return }
            let held = state.withLock { state in
                state.files.values.compactMap { file -> LeaseWatch.Held? in
                    file.lease.flatMap { lease in
                        guard lease.number != EngineLeases.unboundedNumber else { return nil }
                        return LeaseWatch.Held(
                            node: lease.node,
                            number: lease.number,
                            isRecalled: lease.isRecalled || file.isReturning,
                            isUsed: lease.isRecalled && file.isLocked
                        )
                    }
                }
            }
            let began = time.now
            let isRecalled = held.contains { $0.isRecalled }
            do throws(RemoteError) {
                let news = try ground.watch(
                    Array(held.prefix(Limits.Wire.leaseCountMax)),
                    seconds: isRecalled ? Self.recalledWatchSeconds : Self.watchSeconds
                )
                take(news, held, until: began + .seconds(Int64(news.seconds)))
            } catch {
                logger.debug("leases could not be renewed", ["reason": "\(error)"])
                _ = state.wait(timeout: Self.retry) { $0.isStopping ? true : nil }
            }
            tidy()
        }
    }

    private func take(_ news: LeaseNews, _ held: [LeaseWatch.Held], until: Instant) {
        let numbers = Dictionary(held.map { ($0.node, $0.number) }, uniquingKeysWith: { first, _ in first })
        let (recalled, lost) = (Set(news.recalled), Set(news.lost))
        let inodes = state.withLock { state in
            state.files.compactMap { inode, file in file.lease.map { (inode, $0, file.isLocked) } }
        }
        for (inode, lease, isLocked) in inodes {
            let (node, isRecalled) = (lease.node, recalled.contains(lease.node))
            guard let number = numbers[node], number == lease.number else {
                // Given while the question was under way.
                if isRecalled { change(inode) { $0.recalled(true, at: $1) } }
                continue
            }
            if lost.contains(node) {
                if isLocked {
                    logger.warning("a lease ended while programs held locks under it", ["inode": inode])
                }
                change(inode) { $0.lost(number, at: $1) }
            } else {
                change(inode) { $0.renewed(number, until: until, isRecalled: isRecalled, at: $1) }
            }
        }
    }

    /// What nobody needs goes back; what ended without our hearing of it is forgotten.
    private func tidy() {
        let limit = time.now - Self.idle
        let inodes = state.withLock { Array($0.files.keys) }
        for inode in inodes {
            change(inode) { file, now in
                if let lease = file.lease, lease.until + Self.idle <= now { return file.lost(lease.number, at: now) }
                return file.giveBackIfIdle(since: limit, at: now)
            }
        }
    }
}
