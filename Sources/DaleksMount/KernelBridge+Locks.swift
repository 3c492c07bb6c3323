import DaleksCache
import DaleksFUSE
import DaleksSync
import DaleksSystem

/// Locks of programs, where the mount keeps them.
extension KernelBridge {
    func getlk(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        owner: UInt64,
        lock: FUSELock,
        reply: consuming LockReply
    ) {
        guard let wanted = Self.lock(lock, owner: owner, handle: handle) else { return reply.refuse(.invalid) }
        let waiting = WaitingLock(engine.locks)
        let parked = reply.park { waiting.interrupted($0) }
        waiting.entered(
            engine.locks.conflict(local(inode), with: wanted) { outcome in
                guard let reply = parked.take() else { return }
                switch outcome {
                case .success(let conflict): reply.conflict(conflict.map { FUSELock($0) })
                case .failure(let errno): reply.error(errno)
                }
            },
            parked
        )
    }

    func setlk(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        owner: UInt64,
        lock: FUSELock,
        waits: Bool,
        reply: consuming EmptyReply
    ) {
        guard let wanted = Self.lock(lock, owner: owner, handle: handle) else {
            engine.locks.unlock(local(inode), owner: owner, from: lock.start, to: lock.end, isWhole: false)
            reply.success()
            return
        }
        set(local(inode), wanted, isWhole: false, waits: waits, reply)
    }

    func flock(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        owner: UInt64,
        kind: FUSELock.Kind,
        waits: Bool,
        reply: consuming EmptyReply
    ) {
        guard let wanted = Self.lock(FUSELock(kind: kind), owner: owner, handle: handle) else {
            engine.locks.unlock(local(inode), owner: owner, from: 0, to: .max, isWhole: true)
            reply.success()
            return
        }
        set(local(inode), wanted, isWhole: true, waits: waits, reply)
    }

    private func set(
        _ inode: Inode,
        _ wanted: FileLock,
        isWhole: Bool,
        waits: Bool,
        _ reply: consuming EmptyReply
    ) {
        if let outcome = engine.locks.tryLock(inode, wanted, isWhole: isWhole, waits: waits) {
            if let errno = outcome { reply.error(errno) } else { reply.success() }
            return
        }
        let waiting = WaitingLock(engine.locks)
        let parked = reply.park { waiting.interrupted($0) }
        waiting.entered(
            engine.locks.lock(inode, wanted, isWhole: isWhole, waits: waits) { errno in
                guard let reply = parked.take() else { return }
                if let errno { reply.error(errno) } else { reply.success() }
            },
            parked
        )
    }

    /// Nil for what unlocks.
    private static func lock(_ lock: FUSELock, owner: UInt64, handle: UInt64) -> FileLock? {
        let kind: FileLock.Kind
        switch lock.kind {
        case .read: kind = .read
        case .write: kind = .write
        case .unlock: return nil
        }
        return FileLock(
            owner: owner,
            kind: kind,
            start: lock.start,
            end: lock.end,
            process: lock.processID,
            handle: handle
        )
    }
}

extension FUSELock {
    init(_ lock: FileLock) {
        self.init(
            kind: lock.kind == .write ? .write : .read,
            start: lock.start,
            end: lock.end,
            processID: lock.process
        )
    }
}

/// A request for a lock that may be interrupted: answered with EINTR only where it was taken out before it was decided,
/// so that nobody is given a lock of which he never hears.
///
/// ## Concurrency
/// `state` is held for arithmetic. The interruption may come before the request was entered.
private final class WaitingLock: Sendable {
    private struct State {
        var ticket: FileLocks.Ticket?
        var isInterrupted = false
    }

    private let locks: FileLocks
    private let state = Lock(State())

    init(_ locks: FileLocks) { self.locks = locks }

    func entered<Reply: FUSEReply & ~Copyable>(_ ticket: FileLocks.Ticket, _ parked: ParkedReply<Reply>) {
        let isInterrupted = state.withLock { state in
            state.ticket = ticket
            return state.isInterrupted
        }
        if isInterrupted { cancel(ticket, parked) }
    }

    func interrupted<Reply: FUSEReply & ~Copyable>(_ parked: ParkedReply<Reply>) {
        let ticket = state.withLock { state in
            state.isInterrupted = true
            return state.ticket
        }
        if let ticket { cancel(ticket, parked) }
    }

    private func cancel<Reply: FUSEReply & ~Copyable>(_ ticket: FileLocks.Ticket, _ parked: ParkedReply<Reply>) {
        if locks.cancel(ticket) { parked.take()?.refuse(.interrupted) }
    }
}
