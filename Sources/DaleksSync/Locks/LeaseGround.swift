import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSystem

/// What locks stand on: how leases are had and given back. Completions come on any thread.
protocol LeaseGround: Sendable {
    /// Asks for one, and calls back once this machine has what the former holder published. `unlessUsed`: not where
    /// programs elsewhere hold locks.
    func take(
        _ mode: LeaseMode,
        on inode: Inode,
        unlessUsed: Bool,
        _ completion: @escaping @Sendable (Result<LockedFile.Lease, LeaseRefusal>) -> Void
    )
    /// Calls back once the region has what was done under the lease, or will not take it.
    func publish(_ inode: Inode, _ completion: @escaping @Sendable () -> Void)
    func giveBack(_ lease: LockedFile.Lease, _ completion: @escaping @Sendable () -> Void)
    /// Calls back after a while; false where it will not.
    func later(_ delay: Duration, _ body: @escaping @Sendable () -> Void) -> Bool
    /// Blocks until there is news, or `seconds` passed.
    func watch(_ held: [LeaseWatch.Held], seconds: Int) throws(RemoteError) -> LeaseNews
}

struct LeaseRefusal: Error, Hashable, Sendable {
    let errno: Errno
    /// Others have it, so it may be had later.
    let isTaken: Bool

    static let taken = LeaseRefusal(errno: .tryAgain, isTaken: true)

    init(errno: Errno, isTaken: Bool) {
        self.errno = errno
        self.isTaken = isTaken
    }

    init(_ error: RemoteError) {
        switch error {
        case .refused(code: "locked", _): self = .taken
        case .refused(code: "forbidden", _): self.init(errno: .accessDenied, isTaken: false)
        case .unreachable, .loggedOut, .notFound, .cursorExpired, .deviceForked, .refused, .canceled:
            self.init(errno: .noLocks, isTaken: false)
        }
    }
}
