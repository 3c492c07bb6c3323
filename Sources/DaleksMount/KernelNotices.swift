import DaleksCache
import DaleksCore
import DaleksFUSE
import DaleksSync
import DaleksSystem

/// Tells the kernel what changed from outside, so that it may believe everything else for long.
///
/// ## Concurrency
/// Notices are queued per folder or file onto threads of their own: the kernel makes one wait while a request in the
/// same folder is parked, and that must hold up neither the change feed nor other folders. Nothing is held during a
/// notice.
final class KernelNotices: TreeObserver {
    private static let threadCount = 4

    /// A flood past this is one the kernel would be slower to work through than to ask again.
    private static let waitingCountMax = 100_000

    private let session: FUSESession
    private let logger: Logger
    private let volume: VolumeNumber
    private let pools: [WorkerPool]
    private let moved: MovedNames

    init(session: FUSESession, volume: VolumeNumber = .own, moved: MovedNames, logger: Logger) {
        self.moved = moved
        self.volume = volume
        self.session = session
        self.logger = logger
        pools = (0..<Self.threadCount).map { index in
            WorkerPool(name: "notice-\(index)", threadCountMax: 1, waitingCountMax: Self.waitingCountMax)
        }
    }

    func stop() { for pool in pools { pool.close() } }

    func attributesChanged(_ inode: Inode) {
        queue(inode) { [session, volume] () throws(Errno) in try session.invalidateAttributes(volume.global(inode)) }
    }

    func contentChanged(_ inode: Inode) {
        queue(inode) { [session, volume] () throws(Errno) in try session.invalidateInode(volume.place(of: inode)) }
    }

    func entryChanged(_ name: Name, in parent: Inode) {
        queue(parent) { [session, volume] () throws(Errno) in
            try session.invalidateEntry(parent: volume.place(of: parent), name: volume.shown(name, in: parent))
        }
        listingChanged(parent)
    }

    func entryRemoved(_ name: Name, in parent: Inode, node: Inode) {
        moved.note(node)
        queue(parent) { [session, volume] () throws(Errno) in
            // `delete` also tells inotify; where the kernel will not (a folder in use), forgetting the name is enough.
            do throws(Errno) {
                try session.deleteEntry(
                    parent: volume.place(of: parent),
                    child: volume.global(node),
                    name: volume.shown(name, in: parent)
                )
            } catch {
                guard error != .noEntry else { return }
                try session.invalidateEntry(parent: volume.place(of: parent), name: volume.shown(name, in: parent))
            }
        }
        listingChanged(parent)
    }

    /// Once the kernel has taken what is queued by now.
    func whenHeard(_ completion: @escaping @Sendable () -> Void) {
        let left = Lock(pools.count)
        let taken: @Sendable () -> Void = {
            let isLast = left.withLock { left in
                left -= 1
                return left == 0
            }
            if isLast { completion() }
        }
        for pool in pools where !pool.submit(taken) { taken() }
    }

    /// Something stands in the root that is not of the tree, or no more.
    func guestChanged() {
        queue(.root) { [session] () throws(Errno) in
            try session.invalidateEntry(parent: Inode.root.rawValue, name: Guests.name)
        }
        listingChanged(.root)
    }

    /// The kernel may keep a folder's listing in its pages, as the bytes of a file.
    private func listingChanged(_ folder: Inode) { contentChanged(folder) }

    private func queue(_ subject: Inode, _ notice: @escaping @Sendable () throws(Errno) -> Void) {
        let pool = pools[Int(subject.rawValue % UInt64(Self.threadCount))]
        let accepted = pool.submit { [logger] in
            do throws(Errno) { try notice() } catch {
                // The kernel did not know it: then there is nothing to take back.
                if error != .noEntry {
                    logger.debug("the kernel refused a notice", ["inode": subject, "errno": error])
                }
            }
        }
        if !accepted { logger.warning("too many notices for the kernel; one was dropped", ["inode": subject]) }
    }
}
