import DaleksAPI
import DaleksCore
import DaleksSystem

/// One file's locks on this machine, who waits for some, and the lease under which they are given. No I/O: fed with
/// what happens, it says what is to be done.
struct LockedFile: Sendable {
    enum Family: Sendable {
        /// Of `fcntl`, by processes and by open files: they exclude each other.
        case ranges
        /// Of `flock`.
        case whole
    }

    struct Lease: Sendable {
        var node: NodeID
        var number: Int64
        var mode: LeaseMode
        /// By a clock that goes on while the machine sleeps.
        var until: Instant
        var isRecalled = false
    }

    struct Waiter: Sendable {
        var ticket: UInt64
        var family: Family
        var lock: FileLock
        var waits: Bool
        /// Only wants to know what is in the way.
        var isQuestion: Bool
        var completion: @Sendable (Outcome) -> Void

        /// Who asks which lock it is that another machine has hears of one on the whole file.
        var outcomeWhereTaken: Outcome {
            isQuestion ? .conflict(FileLock(owner: 0, kind: .write)) : .failed(.tryAgain)
        }
    }

    enum Outcome: Sendable {
        case done
        case failed(Errno)
        /// What is in the way; nil: nothing.
        case conflict(FileLock?)
    }

    enum Action: Sendable {
        case answer(@Sendable (Outcome) -> Void, Outcome)
        /// `isPatient`: somebody waits as long as it takes.
        case ask(LeaseMode, isPatient: Bool)
        /// Publish what was done under it, then give it back.
        case giveBack(Lease)
        /// Say after `leavingLimit` that those who were leaving have had their time.
        case remind
    }

    private(set) var ranges = RangeLocks()
    private(set) var whole = RangeLocks()
    private(set) var waiters: [Waiter] = []
    private(set) var lease: Lease?
    /// Open files of which a descriptor was closed just now, and when. The kernel says that an open file is gone only
    /// after `close` has returned: who tries for its lock then, and will not wait, waits for that.
    private var leaving: [UInt64: Instant] = [:]
    private var isToBeReminded = false
    /// So long, at the most: what was written is saved before.
    static let leavingLimit: Duration = .milliseconds(300)
    /// The mode that the region is being asked for.
    private(set) var asked: LeaseMode?
    /// For as long as it takes.
    private var isAskedPatiently = false
    /// The lease that is being given back.
    private(set) var returning: Int64?
    /// Since when there are no locks.
    private(set) var idleSince: Instant

    init(now: Instant) { idleSince = now }

    var isLocked: Bool { !ranges.isEmpty || !whole.isEmpty }

    /// Nothing is to be remembered of it.
    var isOver: Bool { !isLocked && waiters.isEmpty && lease == nil && asked == nil && returning == nil }

    var isReturning: Bool { returning != nil && returning == lease?.number }

    // MARK: What programs do

    /// Gives the lock at once where that can be decided here; nil where it cannot.
    mutating func tryLock(_ family: Family, _ lock: FileLock, at now: Instant) -> Errno?? {
        guard mayDecide(lock, at: now) else { return nil }
        if locks(family).conflict(with: lock) != nil {
            return isHeldByLeaving(family, lock, at: now) ? nil : .some(.tryAgain)
        }
        set(family, lock)
        return .some(nil)
    }

    /// A process closed a descriptor of an open file: its locks by ranges end, and the open file may be gone.
    mutating func closed(by owner: UInt64, handle: UInt64, at now: Instant) -> [Action] {
        leaving[handle] = holds(handle) ? now : nil
        return ranges.isHeld(by: owner) ? unlock(.ranges, owner: owner, at: now) : []
    }

    /// Those who were leaving before that moment have stayed.
    mutating func reminded(of moment: Instant, at now: Instant) -> [Action] {
        isToBeReminded = false
        leaving = leaving.filter { $0.value > moment }
        return settle(at: now)
    }

    private func holds(_ handle: UInt64) -> Bool {
        ranges.held.contains { $0.handle == handle } || whole.held.contains { $0.handle == handle }
    }

    /// Whether all that is in the way belongs to open files that may be gone already.
    private func isHeldByLeaving(_ family: Family, _ lock: FileLock, at now: Instant) -> Bool {
        guard !leaving.isEmpty else { return false }
        return locks(family).held.allSatisfy { held in
            guard held.excludes(lock) else { return true }
            return leaving[held.handle].map { now - $0 < Self.leavingLimit } ?? false
        }
    }

    mutating func unlock(
        _ family: Family,
        owner: UInt64,
        from start: Int64 = 0,
        to end: Int64 = .max,
        at now: Instant
    ) -> [Action] {
        if isLocked { idleSince = now }
        switch family {
        case .ranges: ranges.clear(owner: owner, from: start, to: end)
        case .whole: whole.clear(owner: owner, from: start, to: end)
        }
        return settle(at: now)
    }

    /// An open file is gone. Processes that locked by it have closed it before; what is left was its own.
    mutating func released(handle: UInt64, owner: UInt64?, at now: Instant) -> [Action] {
        if isLocked { idleSince = now }
        leaving[handle] = nil
        ranges.clear(handle: handle)
        if let owner { whole.clear(owner: owner, from: 0, to: .max) }
        return settle(at: now)
    }

    mutating func wait(_ waiter: Waiter, at now: Instant) -> [Action] {
        waiters.append(waiter)
        return settle(at: now)
    }

    /// True where it was waiting still: then it is the caller's to answer.
    mutating func cancel(_ ticket: UInt64) -> Waiter? {
        guard let index = waiters.firstIndex(where: { $0.ticket == ticket }) else { return nil }
        return waiters.remove(at: index)
    }

    // MARK: What the region says

    mutating func given(_ lease: Lease, at now: Instant) -> [Action] {
        asked = nil
        self.lease = lease
        if !isLocked { idleSince = now }
        return settle(at: now)
    }

    /// `isTaken`: others have it. Who will not wait hears that, and of everything else everybody does.
    mutating func refused(_ errno: Errno, isTaken: Bool, at now: Instant) -> [Action] {
        asked = nil
        var answers: [Action] = []
        var left: [Waiter] = []
        for waiter in waiters {
            guard needsLease(waiter.lock, at: now), !isTaken || !waiter.waits else {
                left.append(waiter)
                continue
            }
            answers.append(.answer(waiter.completion, isTaken ? waiter.outcomeWhereTaken : .failed(errno)))
        }
        waiters = left
        return answers + settle(at: now)
    }

    mutating func renewed(_ number: Int64, until: Instant, isRecalled: Bool, at now: Instant) -> [Action] {
        guard lease?.number == number else { return [] }
        lease?.until = until
        return recalled(isRecalled, at: now)
    }

    mutating func recalled(_ isRecalled: Bool, at now: Instant) -> [Action] {
        lease?.isRecalled = isRecalled
        return settle(at: now)
    }

    /// It is not ours any more, whatever programs still hold.
    mutating func lost(_ number: Int64, at now: Instant) -> [Action] {
        if returning == number { returning = nil }
        if lease?.number == number { lease = nil }
        return settle(at: now)
    }

    /// The machine has had it without need for so long.
    mutating func giveBackIfIdle(since limit: Instant, at now: Instant) -> [Action] {
        guard let lease, !isLocked, waiters.isEmpty, asked == nil, returning == nil, idleSince <= limit else {
            return []
        }
        returning = lease.number
        return [.giveBack(lease)]
    }

    // MARK: Deciding

    private func mayDecide(_ lock: FileLock, at now: Instant) -> Bool {
        guard let lease, returning != lease.number, lease.until > now, lease.mode >= Self.mode(lock) else {
            return false
        }
        // Whoever has a lock may take more, or would wait for itself; everybody else lets the others have their turn.
        return !lease.isRecalled || ranges.isHeld(by: lock.owner) || whole.isHeld(by: lock.owner)
    }

    /// Where a better lease would help; false where this one must be given back first.
    private func needsLease(_ lock: FileLock, at now: Instant) -> Bool {
        guard let lease, lease.until > now else { return true }
        guard lease.mode < Self.mode(lock) else { return false }
        return !lease.isRecalled || ranges.isHeld(by: lock.owner) || whole.isHeld(by: lock.owner)
    }

    /// Who will not wait need not hear from the region that it would have to: programs of this machine hold up the
    /// lease on its way to others, or wait for it themselves.
    private func isHopeless(_ lock: FileLock, at now: Instant) -> Bool {
        needsLease(lock, at: now) ? asked != nil && isAskedPatiently : isLocked && lease?.isRecalled == true
    }

    private static func mode(_ lock: FileLock) -> LeaseMode { lock.kind == .write ? .exclusive : .shared }

    func locks(_ family: Family) -> RangeLocks { family == .ranges ? ranges : whole }

    private mutating func set(_ family: Family, _ lock: FileLock) {
        switch family {
        case .ranges: ranges.set(lock)
        case .whole: whole.set(lock)
        }
    }

    /// Gives what can be given, and says what must be asked for or given back.
    private mutating func settle(at now: Instant) -> [Action] {
        var actions: [Action] = []
        var wanted: LeaseMode?
        var isPatient = false
        var left: [Waiter] = []
        for waiter in waiters {
            guard mayDecide(waiter.lock, at: now) else {
                if !waiter.waits, isHopeless(waiter.lock, at: now) {
                    actions.append(.answer(waiter.completion, waiter.outcomeWhereTaken))
                    continue
                }
                if needsLease(waiter.lock, at: now) {
                    wanted = max(wanted ?? .shared, Self.mode(waiter.lock))
                    isPatient = isPatient || waiter.waits
                }
                left.append(waiter)
                continue
            }
            let conflict = locks(waiter.family).conflict(with: waiter.lock)
            if waiter.isQuestion {
                actions.append(.answer(waiter.completion, .conflict(conflict)))
            } else if conflict == nil {
                set(waiter.family, waiter.lock)
                actions.append(.answer(waiter.completion, .done))
            } else if waiter.waits {
                left.append(waiter)
            } else if isHeldByLeaving(waiter.family, waiter.lock, at: now) {
                left.append(waiter)
                if !isToBeReminded { actions.append(.remind) }
                isToBeReminded = true
            } else {
                actions.append(.answer(waiter.completion, .failed(.tryAgain)))
            }
        }
        waiters = left
        if let lease, lease.isRecalled, !isLocked, returning == nil {
            returning = lease.number
            actions.append(.giveBack(lease))
        }
        // What is on its way back is asked for again once it is there.
        if let wanted, asked == nil, !isReturning {
            (asked, isAskedPatiently) = (wanted, isPatient)
            actions.append(.ask(wanted, isPatient: isPatient))
        }
        return actions
    }
}
