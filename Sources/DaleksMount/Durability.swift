import DaleksCache
import DaleksFUSE
import DaleksSync
import DaleksSystem

/// What a call that returned stands for. Each also promises what those before it do.
public enum Durability: Int, Comparable, Sendable, CaseIterable {
    /// This machine has it: a killed daemon loses nothing, a power cut nothing that was synchronized.
    case local
    /// What was synchronized, or written through O_SYNC, is at the region.
    case fsyncRegion
    /// What was closed, made, renamed or removed is at the region, and what is opened is what the region has.
    case closeRegion

    /// As mount options have it.
    public var word: String {
        switch self {
        case .local: "local"
        case .fsyncRegion: "fsync-region"
        case .closeRegion: "close-region"
        }
    }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

extension KernelBridge {
    /// Answers once the region has it, where the mount promises that of calls of this kind; else at once. Whoever is
    /// interrupted hears EINTR, and what was done stays done.
    func whenAtRegion<Reply: FUSEReply & ~Copyable>(
        _ kind: Durability,
        _ awaited: SyncEngine.Awaited,
        _ reply: consuming Reply,
        _ then: @escaping @Sendable (consuming Reply) -> Void
    ) {
        guard durability >= kind else { return then(reply) }
        let parked = reply.park()
        engine.whenAtRegion(awaited, within: regionDeadline) { errno in
            guard let reply = parked.take() else { return }
            if let errno { reply.error(errno) } else { then(reply) }
        }
    }

    /// Goes on once this machine has what the region has, where the mount promises that of opening; else at once.
    func whenCaughtUp<Reply: FUSEReply & ~Copyable>(
        _ reply: consuming Reply,
        _ then: @escaping @Sendable (consuming Reply) -> Void
    ) {
        guard durability >= .closeRegion else { return then(reply) }
        let parked = reply.park()
        engine.whenCaughtUp(within: regionDeadline) { errno in
            guard let reply = parked.take() else { return }
            if let errno { reply.error(errno) } else { then(reply) }
        }
    }
}
