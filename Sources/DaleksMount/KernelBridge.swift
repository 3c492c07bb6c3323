import DaleksCache
import DaleksCore
import DaleksFUSE
import DaleksSync
import DaleksSystem
import DaleksVFS
import Glibc

/// Translates between the kernel's requests and the file system, and waits for neither: what the network must bring
/// first is asked for, the reply parked, and the request begun again when it has come.
///
/// ## Concurrency
/// Called on the session's threads, several at once, and on the fetcher's for what was parked. Holds no state but
/// constants.
final class KernelBridge: FUSEFileSystem {
    /// How long the kernel believes an answer while the change feed is healthy: a change elsewhere takes it back. What
    /// it does not believe any more it asks again name by name, which in a large tree takes far longer than listing it.
    private static let longValidity: Duration = .seconds(600)

    /// And while it is not.
    private static let shortValidity: Duration = .seconds(1)

    let files: FileSystem
    let engine: SyncEngine
    /// When calls return.
    let durability: Durability
    let synchronousWrites: SynchronousWrites
    /// How long a call waits for the region before it fails.
    let regionDeadline: Duration
    /// Whether locks of programs come here and hold on all machines; else the kernel keeps them to itself.
    let keepsLocks: Bool
    /// Where its inodes begin, of all those that the kernel knows.
    let volume: VolumeNumber
    /// What stands in its root besides; only the account's own tree has such.
    let guests: Guests?
    let measures: WaitMeasures?
    /// What lost a name lately by somebody else's doing.
    let moved: MovedNames

    init(
        files: FileSystem,
        engine: SyncEngine,
        durability: Durability,
        synchronousWrites: SynchronousWrites,
        regionDeadline: Duration,
        keepsLocks: Bool = false,
        volume: VolumeNumber = .own,
        guests: Guests? = nil,
        measures: WaitMeasures? = nil,
        moved: MovedNames = MovedNames()
    ) {
        self.moved = moved
        self.keepsLocks = keepsLocks
        self.volume = volume
        self.guests = guests
        self.measures = measures
        self.files = files
        self.engine = engine
        self.durability = durability
        self.synchronousWrites = synchronousWrites
        self.regionDeadline = regionDeadline
    }

    // MARK: Obstacles

    /// Answers an obstacle: with its errno, or by getting what is lacking and beginning again.
    func overcome<Reply: FUSEReply & ~Copyable>(
        _ obstacle: Obstacle,
        _ reply: consuming Reply,
        again: @escaping @Sendable (consuming Reply) -> Void
    ) {
        switch obstacle {
        case .errno(let errno): reply.error(errno)
        case .needs(let need):
            let parked = reply.park()
            let began = TimeSource.system.now
            engine.fetch(need) { [measures] errno in
                measures?.note(need, since: began, isFailed: errno != nil)
                guard let reply = parked.take() else { return }
                if let errno { reply.error(errno) } else { again(reply) }
            }
        }
    }

    /// How long an answer that began in `epoch` may be believed: not at all where something changed meanwhile.
    func validity(since epoch: UInt64) -> Duration {
        guard engine.epoch == epoch else { return .zero }
        return engine.isConnected ? Self.longValidity : Self.shortValidity
    }

    func entry(_ node: LocalNode, since epoch: UInt64) -> FUSEEntry {
        let validity = validity(since: epoch)
        return FUSEEntry(attributes(node), entryValidFor: validity, attributesValidFor: validity)
    }

    /// Sends an entry and counts the kernel's reference to it, which must be there before the kernel can forget it.
    func send(_ node: LocalNode, _ reply: consuming EntryReply, since epoch: UInt64) {
        files.retain(node.inode)
        if !reply.entry(entry(node, since: epoch)) { files.forget(node.inode, count: 1) }
    }

    /// As the kernel knows the inode, and as this volume does.
    func global(_ inode: Inode) -> UInt64 { inode.rawValue | volume.base }
    func local(_ inode: UInt64) -> Inode { VolumeNumber.local(inode) }

    func attributes(_ node: LocalNode) -> FUSEAttributes {
        let attributes = node.attributes
        // A folder counts the folders in it.
        let guestCount: UInt32 = node.inode == .root && guests?.isShown == true ? 1 : 0
        return FUSEAttributes(
            inode: global(node.inode),
            mode: Self.kindBits(attributes.kind) | attributes.mode,
            linkCount: attributes.links + guestCount,
            userID: attributes.uid,
            groupID: attributes.gid,
            device: UInt64(attributes.device),
            size: attributes.size,
            blockCount: (attributes.size + 511) / 512,
            accessed: attributes.accessed,
            modified: attributes.modified,
            changed: attributes.changed
        )
    }

    static func kindBits(_ kind: NodeKind) -> UInt32 {
        switch kind {
        case .file: S_IFREG
        case .folder: S_IFDIR
        case .symlink: S_IFLNK
        case .fifo: S_IFIFO
        case .socket: S_IFSOCK
        case .characterDevice: S_IFCHR
        case .blockDevice: S_IFBLK
        }
    }

    /// The kernel keeps what POSIX calls names; what is none of ours either is told as it would be by a local disk.
    static func name(_ raw: FUSEName) throws(Obstacle) -> Name {
        do throws(Name.Refusal) { return try Name(raw) } catch {
            switch error {
            case .tooLong: throw .errno(.nameTooLong)
            case .empty, .reserved: throw .errno(.invalid)
            }
        }
    }

    // MARK: Names and attributes

    func lookup(_ request: FUSERequest, parent: UInt64, name: FUSEName, reply: consuming EntryReply) {
        do throws(Obstacle) {
            let (parent, name) = (local(parent), try Self.name(name))
            // The kernel asks before it makes a name, and takes what it hears for the last word. While the region is
            // away what is here is all there is.
            guard durability == .writeRegion, !engine.isAway else { return lookup(parent, name, request, reply) }
            let parked = reply.park()
            engine.whenCaughtUp(with: [parent], isPatient: false, within: regionDeadline) { [self] _ in
                if let reply = parked.take() { lookup(parent, name, request, reply) }
            }
        } catch {
            overcome(error, reply) { _ in }
        }
    }

    private func lookup(_ parent: Inode, _ name: Name, _ request: FUSERequest, _ reply: consuming EntryReply) {
        let epoch = engine.epoch
        do throws(Obstacle) {
            let node = try files.lookup(name, in: parent)
            if durability >= .closeRegion { moved.found(node.inode, by: request.processID) }
            send(node, reply, since: epoch)
        } catch {
            if error == .errno(.noEntry) {
                // What is opened by a name is asked for again, where that must be what the region has.
                reply.entry(.absent(validFor: durability >= .closeRegion ? .zero : validity(since: epoch)))
                return
            }
            overcome(error, reply) { [self] reply in lookup(parent, name, request, reply) }
        }
    }

    func forget(_ forgotten: UnsafeBufferPointer<FUSEForget>) {
        for item in forgotten { files.forget(local(item.inode), count: item.count) }
    }

    func getattr(_ request: FUSERequest, inode: UInt64, handle: UInt64?, reply: consuming AttributesReply) {
        let epoch = engine.epoch
        do throws(Obstacle) {
            let node = try files.node(local(inode))
            reply.attributes(attributes(node), validFor: validity(since: epoch))
        } catch {
            overcome(error, reply) { [self] reply in getattr(request, inode: inode, handle: handle, reply: reply) }
        }
    }

    func setattr(
        _ request: FUSERequest,
        inode: UInt64,
        changes: FUSEAttributeChanges,
        handle: UInt64?,
        reply: consuming AttributesReply
    ) {
        let epoch = engine.epoch
        var wanted = FileSystem.AttributeRequest()
        wanted.mode = changes.mode
        wanted.uid = changes.userID
        wanted.gid = changes.groupID
        wanted.size = changes.size
        // One moment for both: who sets them to now expects them to be the same.
        let now = TimeSource.system.wall
        wanted.accessed = Self.time(changes.accessed, now)
        wanted.modified = Self.time(changes.modified, now)
        wanted.clearsSetID = changes.clearsSetID
        do throws(Obstacle) {
            let node = try files.setAttributes(of: local(inode), wanted)
            whenAtRegion(.closeRegion, .node(node.inode), reply) { [self] reply in
                reply.attributes(attributes(node), validFor: validity(since: epoch))
            }
        } catch {
            overcome(error, reply) { [self] reply in
                setattr(request, inode: inode, changes: changes, handle: handle, reply: reply)
            }
        }
    }

    private static func time(_ time: FUSEAttributeChanges.Time?, _ now: Timestamp) -> Timestamp? {
        switch time {
        case .now: now
        case .at(let time): time
        case nil: nil
        }
    }

    func readlink(_ request: FUSERequest, inode: UInt64, reply: consuming ReadlinkReply) {
        do throws(Obstacle) {
            reply.target(try files.target(of: local(inode)))
        } catch {
            overcome(error, reply) { [self] reply in readlink(request, inode: inode, reply: reply) }
        }
    }

    func statfs(_ request: FUSERequest, inode: UInt64, reply: consuming StatisticsReply) {
        let block: Int64 = 4_096
        // Until the region has said how much there is, a terabyte: programs that look before they write must not
        // refuse.
        let capacity = files.capacity ?? (0, 1 << 40, 0)
        let free = max(0, capacity.bytesQuota - capacity.bytesUsed)
        reply.statistics(
            FUSEStatistics(
                blockBytes: UInt64(block),
                blockCount: UInt64(capacity.bytesQuota / block),
                freeBlockCount: UInt64(free / block),
                fileCount: UInt64(capacity.filesUsed) + 1 << 30,
                freeFileCount: 1 << 30
            )
        )
    }
}
