import CFuse
import DaleksCore
import DaleksFUSE
import DaleksSystem
import Glibc

/// A file system in memory that can do all that the adapter carries, and some tricks for tests:
///
/// - looking up `dropped` drops the reply; `later` parks it until the test takes it from `parkedLookups`;
///   `block…` keeps its thread until `gate` opens;
/// - reading a file whose name begins with `parts`, `descriptor`, `memory` or `slow` answers in that way.
///
/// ## Concurrency
/// `state` guards everything; replies are sent after it is released.
final class MemoryTree: FUSEFileSystem {
    struct Inode {
        var attributes: FUSEAttributes
        var data: [UInt8] = []
        var target: [UInt8] = []
        var xattrs: [[UInt8]: [UInt8]] = [:]
        var children: [[UInt8]: (inode: UInt64, cookie: Int64)] = [:]
        /// Children in the order of their cookies, which are never used twice.
        var order: [(cookie: Int64, name: [UInt8])] = []
        var lookupCount: UInt64 = 0
        var locks: [(owner: UInt64, lock: FUSELock)] = []
        var waiting: [(owner: UInt64, lock: FUSELock, reply: ParkedReply<EmptyReply>)] = []
        var name: [UInt8] = []

        /// Of the first child with a larger cookie.
        func index(after cookie: Int64) -> Int {
            var (low, high) = (0, order.count)
            while low < high {
                let middle = (low + high) / 2
                if order[middle].cookie > cookie { high = middle } else { low = middle + 1 }
            }
            return low
        }
    }

    struct State {
        var inodes: [UInt64: Inode] = [:]
        var inodeLast: UInt64 = 1
        var cookieLast: Int64 = 2
        var counts: [String: Int] = [:]
        var connection: FUSEConnection?
        var clearedSetID = 0
        var openHandles = 0
    }

    let state = Lock(State())
    let parkedLookups = Condition<[ParkedReply<EntryReply>]>([])
    let gate = Gate()
    let parkedReads = Condition<[ParkedReply<ReadReply>]>([])
    /// How long the kernel may believe names and attributes.
    let validFor: Duration
    /// What `descriptor…` files answer from.
    let backing: FileDescriptor

    init(validFor: Duration = .zero, backing: consuming FileDescriptor = FileDescriptor(owning: -1)) {
        self.validFor = validFor
        self.backing = backing
        state.withLock { state in
            state.inodes[1] = Inode(
                attributes: FUSEAttributes(
                    inode: 1,
                    mode: S_IFDIR | 0o777,
                    linkCount: 2,
                    userID: getuid(),
                    groupID: getgid()
                )
            )
        }
    }

    // MARK: for tests

    func count(_ what: String) -> Int { state.withLock { $0.counts[what, default: 0] } }
    func note(_ what: String) { state.withLock { $0.counts[what, default: 0] += 1 } }

    func inode(named name: String) -> UInt64? {
        state.withLock { $0.inodes[1]?.children[Array(name.utf8)]?.inode }
    }

    func change(_ inode: UInt64, _ body: @Sendable (inout Inode) -> Void) {
        state.withLock { state in
            guard var node = state.inodes[inode] else { return }
            body(&node)
            state.inodes[inode] = node
        }
    }

    // MARK: shared by the operations

    func initialize(_ connection: FUSEConnection) {
        state.withLock { $0.connection = connection }
    }

    static func now() -> Timestamp { TimeSource.system.wall }

    func entry(_ node: Inode) -> FUSEEntry {
        FUSEEntry(node.attributes, entryValidFor: validFor, attributesValidFor: validFor)
    }

    func answer(_ result: Result<FUSEEntry, Errno>, _ reply: consuming EntryReply) {
        switch result {
        case .success(let entry): reply.entry(entry)
        case .failure(let error): reply.error(error)
        }
    }

    func answer(_ result: Result<Void, Errno>, _ reply: consuming EmptyReply) {
        switch result {
        case .success: reply.success()
        case .failure(let error): reply.error(error)
        }
    }

    /// Makes an inode and gives it a name, as create, mknod, mkdir and symlink do.
    func make(
        _ request: FUSERequest,
        parent: UInt64,
        name: [UInt8],
        mode: UInt32,
        device: UInt64 = 0,
        target: [UInt8] = []
    ) -> Result<FUSEEntry, Errno> {
        state.withLock { state in
            // A copy of the folder held here would make each addition copy all its children.
            guard state.inodes[parent] != nil else { return .failure(.stale) }
            if state.inodes[parent]?.children[name] != nil { return .failure(.exists) }
            state.inodeLast += 1
            let inode = state.inodeLast
            let now = Self.now()
            var node = Inode(
                attributes: FUSEAttributes(
                    inode: inode,
                    mode: mode,
                    linkCount: mode & S_IFMT == S_IFDIR ? 2 : 1,
                    userID: request.userID,
                    groupID: request.groupID,
                    device: device,
                    size: Int64(target.count),
                    accessed: now,
                    modified: now,
                    changed: now
                )
            )
            node.target = target
            node.name = name
            node.lookupCount = 1
            state.inodes[inode] = node
            if mode & S_IFMT == S_IFDIR { state.inodes[parent]?.attributes.linkCount += 1 }
            Self.attach(name, to: inode, in: parent, &state)
            return .success(entry(node))
        }
    }

    static func attach(_ name: [UInt8], to inode: UInt64, in parent: UInt64, _ state: inout State) {
        state.cookieLast += 1
        let cookie = state.cookieLast
        state.inodes[parent]?.children[name] = (inode, cookie)
        state.inodes[parent]?.order.append((cookie, name))
    }

    static func detach(_ name: [UInt8], in parent: UInt64, _ state: inout State) {
        guard let child = state.inodes[parent]?.children.removeValue(forKey: name) else { return }
        guard let index = state.inodes[parent]?.index(after: child.cookie - 1) else { return }
        state.inodes[parent]?.order.remove(at: index)
    }

    static func dropLink(_ inode: UInt64, _ state: inout State) {
        guard var node = state.inodes[inode] else { return }
        node.attributes.linkCount -= node.attributes.linkCount > 0 ? 1 : 0
        state.inodes[inode] = node
        freeWhereUnused(inode, &state)
    }

    static func freeWhereUnused(_ inode: UInt64, _ state: inout State) {
        guard let node = state.inodes[inode], inode != 1, node.lookupCount == 0 else { return }
        let isFolder = node.attributes.mode & S_IFMT == S_IFDIR
        if node.attributes.linkCount == (isFolder ? 1 : 0) { state.inodes[inode] = nil }
    }
}
