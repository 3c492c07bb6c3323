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
    private let pools: [WorkerPool]

    init(session: FUSESession, logger: Logger) {
        self.session = session
        self.logger = logger
        pools = (0..<Self.threadCount).map { index in
            WorkerPool(name: "notice-\(index)", threadCountMax: 1, waitingCountMax: Self.waitingCountMax)
        }
    }

    func stop() { for pool in pools { pool.close() } }

    func attributesChanged(_ inode: Inode) {
        queue(inode) { [session] () throws(Errno) in try session.invalidateAttributes(inode.rawValue) }
    }

    func contentChanged(_ inode: Inode) {
        queue(inode) { [session] () throws(Errno) in try session.invalidateInode(inode.rawValue) }
    }

    func entryChanged(_ name: Name, in parent: Inode) {
        queue(parent) { [session] () throws(Errno) in
            try session.invalidateEntry(parent: parent.rawValue, name: name.bytes)
        }
        listingChanged(parent)
    }

    func entryRemoved(_ name: Name, in parent: Inode, node: Inode) {
        queue(parent) { [session] () throws(Errno) in
            // `delete` also tells inotify; where the kernel will not (a folder in use), forgetting the name is enough.
            do throws(Errno) {
                try session.deleteEntry(parent: parent.rawValue, child: node.rawValue, name: name.bytes)
            } catch {
                if error != .noEntry { try session.invalidateEntry(parent: parent.rawValue, name: name.bytes) }
            }
        }
        listingChanged(parent)
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
