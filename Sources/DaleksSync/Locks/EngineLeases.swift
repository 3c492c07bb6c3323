import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem

/// Leases of an engine's files: asked of its region, given to programs once this machine has what the former holder
/// published, and given back once the region has what was done here.
///
/// ## Concurrency
/// Questions run on a pool of their own, since each may wait a while for the region; nothing else is kept.
final class EngineLeases: LeaseGround {
    /// Who will not wait for others waits so long for a lease that nobody uses to come over.
    private static let handoverSeconds = 3
    /// What the region knew when it gave the lease is here by then, or the lease goes back.
    private static let catchUpLimit: Duration = .seconds(10)
    /// A file of many gigabytes takes a while to be published; others wait so long, unless the region refuses it.
    private static let publishLimit: Duration = .seconds(3_600)
    /// A file made a moment ago in another's tree is known there by then.
    private static let creationLimit: Duration = .seconds(10)
    /// A region that knows no leases: locks hold on this machine, for as long as it is mounted.
    private static let unboundedTerm: Duration = .seconds(365 * 86_400)
    static let unboundedNumber: Int64 = 0

    private let tree: LocalTree
    private let remote: any Remote
    private let waits: RegionWaits
    private let pusher: Pusher
    private let news: RemoteNews
    /// Where the files are others', who follow feeds of their own.
    private let shares: Shares?
    private let time: TimeSource
    private let logger: Logger
    private let pool = WorkerPool(name: "lease", threadCountMax: 16, waitingCountMax: 4_096)

    init(
        tree: LocalTree,
        remote: any Remote,
        waits: RegionWaits,
        pusher: Pusher,
        news: RemoteNews,
        shares: Shares?,
        time: TimeSource,
        logger: Logger
    ) {
        self.tree = tree
        self.remote = remote
        self.waits = waits
        self.pusher = pusher
        self.news = news
        self.shares = shares
        self.time = time
        self.logger = logger
    }

    func close() { pool.close() }

    // MARK: Taking

    func take(
        _ mode: LeaseMode,
        on inode: Inode,
        unlessUsed: Bool,
        _ completion: @escaping @Sendable (Result<LockedFile.Lease, LeaseRefusal>) -> Void
    ) {
        let refused: @Sendable (Errno) -> Void = { completion(.failure(LeaseRefusal(errno: $0, isTaken: false))) }
        let accepted = pool.submit { [self] in
            do throws(Errno) {
                let (node, device) = try subject(inode)
                guard shares != nil, node.revision == 0 else {
                    return ask(mode, node.id, device, unlessUsed: unlessUsed, completion)
                }
            } catch {
                return refused(error == .noEntry ? .stale : error)
            }
            // In another's tree the region must know where it is.
            pusher.hurry()
            waits.add(.node(inode), within: Self.creationLimit) { [self] errno in
                guard errno == nil else { return refused(.noLocks) }
                let accepted = pool.submit { [self] in
                    do throws(Errno) {
                        let (node, device) = try subject(inode)
                        ask(mode, node.id, device, unlessUsed: unlessUsed, completion)
                    } catch {
                        refused(error)
                    }
                }
                if !accepted { refused(.noLocks) }
            }
        }
        if !accepted { refused(.noLocks) }
    }

    private func subject(_ inode: Inode) throws(Errno) -> (LocalNode, DeviceID) {
        let found = try tree.database.reading { db throws -> (LocalNode?, DeviceID?) in
            (try NodeTable.find(inode, in: db), try MetaTable.text(.device, in: db).flatMap { DeviceID($0) })
        }
        guard let node = found.0, let device = found.1 else { throw .noEntry }
        return (node, device)
    }

    private func ask(
        _ mode: LeaseMode,
        _ id: NodeID,
        _ device: DeviceID,
        unlessUsed: Bool,
        _ completion: @escaping @Sendable (Result<LockedFile.Lease, LeaseRefusal>) -> Void
    ) {
        let began = time.now
        let request = LeaseRequest(
            device: device,
            mode: mode,
            waitSeconds: unlessUsed ? Self.handoverSeconds : Limits.Wire.leaseWaitSecondsMax,
            unlessUsed: unlessUsed
        )
        let record: LeaseRecord
        do throws(RemoteError) {
            record = try remote.takeLease(request, on: id)
        } catch {
            guard error == .notFound else { return completion(.failure(LeaseRefusal(error))) }
            logger.warning("the region keeps no leases: locks hold on this machine only")
            let lease = LockedFile.Lease(
                node: id,
                number: Self.unboundedNumber,
                mode: .exclusive,
                until: began + Self.unboundedTerm
            )
            return completion(.success(lease))
        }
        let lease = LockedFile.Lease(
            node: id,
            number: record.number,
            mode: record.mode,
            until: began + .seconds(Int64(record.seconds))
        )
        whenHere(record.cursor) { [self] isHere in
            if isHere { return completion(.success(lease)) }
            giveBack(lease) { completion(.failure(LeaseRefusal(errno: .noLocks, isTaken: false))) }
        }
    }

    /// Once the replica and the kernel's caches are where the region was.
    private func whenHere(_ cursor: String, _ completion: @escaping @Sendable (Bool) -> Void) {
        let told: @Sendable () -> Void = { [news] in
            news.announcements.whenOver { news.whenHeard { completion(true) } }
        }
        if let shares {
            return shares.catchUp { error in if error == nil { told() } else { completion(false) } }
        }
        guard let cursor = Cursor(cursor) else { return completion(false) }
        waits.add(.feed(cursor), within: Self.catchUpLimit) { errno in
            if errno == nil { told() } else { completion(false) }
        }
    }

    // MARK: Giving back

    func publish(_ inode: Inode, _ completion: @escaping @Sendable () -> Void) {
        let accepted = pool.submit { [self] in
            let parents = try? tree.database.reading { db throws in
                try EntryTable.places(of: inode, db).map(\.parent)
            }
            let folders = Array(Set(parents ?? []))
            // What lies beside it may belong to it, as a database's journal does, and be open still.
            for content in tree.contents.allLoaded where isBeside(content.inode, inode, folders) {
                try? tree.saveContent(content)
            }
            pusher.hurry()
            waits.add(.around(inode, folders), within: Self.publishLimit) { [logger] errno in
                if let errno { logger.warning("what was done under a lock is not at the region", ["errno": errno]) }
                completion()
            }
        }
        if !accepted { completion() }
    }

    private func isBeside(_ other: Inode, _ inode: Inode, _ folders: [Inode]) -> Bool {
        if other == inode { return true }
        let places = try? tree.database.reading { db throws in try EntryTable.places(of: other, db).map(\.parent) }
        return places?.contains { folders.contains($0) } ?? false
    }

    func giveBack(_ lease: LockedFile.Lease, _ completion: @escaping @Sendable () -> Void) {
        guard lease.number != Self.unboundedNumber else { return completion() }
        let accepted = pool.submit { [self] in
            let device = try? tree.database.reading { db throws in
                try MetaTable.text(.device, in: db).flatMap { DeviceID($0) }
            }
            do throws(RemoteError) {
                if let device = device ?? nil { try remote.returnLease(lease.number, of: device, on: lease.node) }
            } catch {
                // It ends by itself.
                logger.debug("a lease could not be given back", ["reason": "\(error)"])
            }
            completion()
        }
        if !accepted { completion() }
    }

    func later(_ delay: Duration, _ body: @escaping @Sendable () -> Void) -> Bool {
        pool.submit {
            _ = Gate().wait(timeout: delay)
            body()
        }
    }

    // MARK: Watching

    func watch(_ held: [LeaseWatch.Held], seconds: Int) throws(RemoteError) -> LeaseNews {
        let device = try? tree.database.reading { db throws in
            try MetaTable.text(.device, in: db).flatMap { DeviceID($0) }
        }
        guard let device = device ?? nil else { throw .unreachable("the replica cannot be read") }
        return try remote.watchLeases(LeaseWatch(device: device, held: held, waitSeconds: seconds))
    }
}
