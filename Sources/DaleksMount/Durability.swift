import DaleksCache
import DaleksFUSE
import DaleksSync
import DaleksSystem
import DaleksVFS

/// What a call that returned stands for. Each also promises what those before it do.
public enum Durability: Int, Comparable, Sendable, CaseIterable {
    /// This machine has it: a killed daemon loses nothing, a power cut nothing that was synchronized.
    case local
    /// What was synchronized is at the region.
    case fsyncRegion
    /// What was closed, made, renamed or removed is at the region, and what is opened is what the region has.
    case closeRegion
    /// What was written is at the region, and names are what the region decided: of several machines that make one, one
    /// has made it.
    case writeRegion

    /// As mount options have it.
    public var word: String {
        switch self {
        case .local: "local"
        case .fsyncRegion: "fsync-region"
        case .closeRegion: "close-region"
        case .writeRegion: "write-region"
        }
    }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// What a write through a handle that was opened with O_SYNC or O_DSYNC promises.
public enum SynchronousWrites: Sendable {
    /// It is at the region, in every tier.
    case region
    /// What fsync does in the mount's tier.
    case asFsync
}

extension KernelBridge {
    /// Answers once the region has it, where the mount promises that of calls of this kind; else at once.
    func whenAtRegion<Reply: FUSEReply & ~Copyable>(
        _ kind: Durability,
        _ awaited: SyncEngine.Awaited,
        _ reply: consuming Reply,
        _ then: @escaping @Sendable (consuming Reply) -> Void
    ) {
        guard durability >= kind else { return then(reply) }
        waitForRegion(awaited, reply, then)
    }

    /// Whoever is interrupted hears EINTR where the region does not answer soon, and what was done stays done.
    private func waitForRegion<Reply: FUSEReply & ~Copyable>(
        _ awaited: SyncEngine.Awaited,
        _ reply: consuming Reply,
        _ then: @escaping @Sendable (consuming Reply) -> Void
    ) {
        let impatience = Impatience()
        let parked = reply.park { [engine] _ in engine.interrupt(impatience) }
        engine.whenAtRegion(awaited, within: regionDeadline, impatience) { errno in
            guard let reply = parked.take() else { return }
            if let errno { reply.error(errno) } else { then(reply) }
        }
    }

    /// Answers what a handle wrote once the region has it, where that was promised of it; else at once.
    func whenWritten<Reply: FUSEReply & ~Copyable>(
        _ handle: UInt64,
        of inode: Inode,
        _ reply: consuming Reply,
        _ then: @escaping @Sendable (consuming Reply) -> Void
    ) {
        guard mustWait(handle) else { return then(reply) }
        do throws(Obstacle) {
            try files.flush(handle)
            waitForRegion(.node(inode), reply, then)
        } catch {
            overcome(error, reply) { [self] reply in whenWritten(handle, of: inode, reply, then) }
        }
    }

    private func mustWait(_ handle: UInt64) -> Bool {
        switch durability {
        case .writeRegion: true
        case .fsyncRegion, .closeRegion: files.isSynchronous(handle)
        case .local: synchronousWrites == .region && files.isSynchronous(handle)
        }
    }

    /// Goes on once this machine has what the region has, where the mount promises that of opening; else at once.
    func whenCaughtUp<Reply: FUSEReply & ~Copyable>(
        _ reply: consuming Reply,
        _ then: @escaping @Sendable (consuming Reply) -> Void
    ) {
        guard durability >= .closeRegion else { return then(reply) }
        catchUp(reply, then)
    }

    /// The kernel is told too, where `isHeard`: not for a request during which it holds a folder's lock, for which what
    /// it is told may be waiting.
    func catchUp<Reply: FUSEReply & ~Copyable>(
        with folders: [Inode] = [],
        andAround node: Inode? = nil,
        isHeard: Bool = false,
        _ reply: consuming Reply,
        _ then: @escaping @Sendable (consuming Reply) -> Void
    ) {
        let parked = reply.park()
        engine.whenCaughtUp(with: folders, andAround: node, isHeard: isHeard, within: regionDeadline) { errno in
            guard let reply = parked.take() else { return }
            if let errno { reply.error(errno) } else { then(reply) }
        }
    }
}
