import DaleksAPI
public import DaleksCache
public import DaleksCore
import DaleksJSON
import DaleksSQLite
import DaleksSystem

/// The tree as this machine shows it, and the one place where it is changed from here: each change is one transaction
/// of replica and journal, and is answered when that is committed. Nothing here waits for the network.
///
/// Who may do what is decided above; what a POSIX tree is, is decided here.
///
/// ## Concurrency
/// The database serialises writers and gives readers snapshots; what it said of single nodes is kept in `memory`, which
/// every commit corrects. `kernelNodes` counts what the kernel still names and
/// has its own lock, held for arithmetic.
public final class LocalTree: Sendable {
    let database: Database
    let contents: ContentCache
    let store: BackingStore
    private let time: TimeSource
    private let journalGrew: @Sendable () -> Void
    /// Commits in the journal whose instant is fixed already: what is written now needs another one.
    let takenCommits = Lock<Set<Int64>>([])
    private let kernelNodes = Lock<[Inode: UInt64]>([:])
    private let memory = NodeMemory()
    let departures = Lock(Departures())
    let remains = Lock<[Remains]>([])
    /// What somebody waits for the region to decide.
    let questions = RegionQuestions()
    /// Where departures are seen to.
    private let farewells: any WorkQueue
    /// What an fsync of each node has to wait for.
    let positions = ChangePositions()

    init(
        database: Database,
        contents: ContentCache,
        store: BackingStore,
        time: TimeSource,
        farewells: any WorkQueue,
        journalGrew: @escaping @Sendable () -> Void
    ) {
        self.database = database
        self.contents = contents
        self.store = store
        self.time = time
        self.farewells = farewells
        self.journalGrew = journalGrew
        // A database that refuses this is closed, and nothing will be read from it either.
        try? database.watch(table: "nodes") { [memory] rows in
            memory.committed(rows)
        } undone: { [memory] in
            memory.undone()
        }
        // Whoever looks after a file for a moment may be all that keeps it here.
        contents.whenUnused { [weak self] inode in self?.collectIfDeparting(inode) }
    }

    // MARK: Looking

    public func node(_ inode: Inode) throws(Obstacle) -> LocalNode {
        // In this order: whoever works with the file may leave it meanwhile, and what he knew be in the tables then,
        // and not in what was read of them before.
        let content = contents.loaded(inode)
        let node = try stored(inode)
        return if let content { Self.live(node, content) } else { live(node) }
    }

    /// In which it has a name, as the replica has it.
    func folders(of inode: Inode) -> [Inode] {
        let parents = try? database.looking { db in try EntryTable.places(of: inode, db).map(\.parent) }
        return Array(Set(parents ?? []))
    }

    /// As the replica has it, without what is written to it just now.
    public func stored(_ inode: Inode) throws(Obstacle) -> LocalNode {
        if let node = memory.find(inode) { return node }
        let generation = memory.generation(of: inode)
        let node = try database.looking { db in
            guard let node = try NodeTable.find(inode, in: db) else { throw Obstacle.errno(.stale) }
            return node
        }
        memory.keep(node, readAfter: generation)
        return node
    }

    /// The extended attribute of that name.
    public func extendedValue(_ name: [UInt8], of inode: Inode) throws(Obstacle) -> [UInt8]? {
        try stored(inode).extended[name]
    }

    public func lookup(_ name: Name, in parent: Inode) throws(Obstacle) -> LocalNode {
        while true {
            let departures = contents.departures
            let node = try database.looking { db in try Self.entry(name, in: parent, db) }
            // Where the name goes away just then, the next round says what is there instead.
            if let node = try current(node, readAfter: departures) { return node }
        }
    }

    /// The node with what is known of it besides, where somebody may have left it since it was read; nil where it is
    /// not there any more.
    func current(_ read: LocalNode, readAfter departures: UInt64) throws(Obstacle) -> LocalNode? {
        guard read.attributes.kind == .file else { return read }
        if let content = contents.loaded(read.inode) { return Self.live(read, content) }
        if contents.departures == departures { return read }
        do throws(Obstacle) { return try node(read.inode) } catch {
            guard error == .errno(.stale) else { throw error }
            return nil
        }
    }

    /// Entries after a position, in the order in which readdir gives them.
    public func entries(of folder: Inode, after position: Int64, limit: Int) throws(Obstacle) -> [LocalEntry] {
        let departures = contents.departures
        let page = try database.looking { db in
            _ = try Self.completeFolder(folder, db)
            return try EntryTable.page(of: folder, after: position, limit: limit, db)
        }
        return try page.map { entry throws(Obstacle) in
            // What went away meanwhile was there when the listing began.
            let node = try current(entry.node, readAfter: departures) ?? entry.node
            return LocalEntry(position: entry.position, name: entry.name, node: node)
        }
    }

    /// The folder that a folder lies in; the root lies in itself.
    public func parent(of folder: Inode) throws(Obstacle) -> Inode {
        if folder == .root { return .root }
        return try database.looking { db in try EntryTable.places(of: folder, db).first?.parent ?? .root }
    }

    // MARK: Changing

    /// What a new node is made with.
    public struct Creation: Sendable {
        public var kind: NodeKind
        public var mode: UInt32
        public var uid: UInt32
        public var gid: UInt32
        public var target: [UInt8]?
        public var device: UInt32

        public init(
            kind: NodeKind,
            mode: UInt32,
            uid: UInt32,
            gid: UInt32,
            target: [UInt8]? = nil,
            device: UInt32 = 0
        ) {
            self.kind = kind
            self.mode = mode
            self.uid = uid
            self.gid = gid
            self.target = target
            self.device = device
        }

        /// What a folder with setgid hands down: its group, and to folders the bit itself.
        mutating func inherit(from folder: Attributes) {
            guard folder.mode & Self.setgid != 0 else { return }
            gid = folder.gid
            if kind == .folder { mode |= Self.setgid }
        }

        private static let setgid: UInt32 = 0o2000
    }

    /// With a question, here and below, the region has the last word: ask the engine for it.
    public func create(
        _ name: Name,
        in parent: Inode,
        _ wanted: Creation,
        asking question: RegionQuestion? = nil
    ) throws(Obstacle) -> LocalNode {
        try create(name, in: parent, wanted, asking: question) { _, _ in }
    }

    /// A new file, and its bytes in use until `closeContent`. As `create` and `openContent`, without asking the index
    /// what it was told a moment ago.
    public func createOpen(
        _ name: Name,
        in parent: Inode,
        _ wanted: Creation
    ) throws(Obstacle) -> (node: LocalNode, content: FileContent) {
        precondition(wanted.kind == .file, "only a file has bytes")
        var reserved: Inode?
        let generation = contents.barrier.open
        let node: LocalNode
        do throws(Obstacle) {
            node = try create(name, in: parent, wanted, asking: nil) { node, db in
                // Who makes a file writes to it next: then that needs no transaction.
                try ContentTable.mark(spans: CollectionOfOne(0), of: node.inode, generation: generation, in: db)
                contents.reserve(node.inode)
                reserved = node.inode
            }
        } catch {
            if let reserved { contents.cancelReservation(of: reserved) }
            throw error
        }
        do throws(Errno) {
            return (node, try contents.useNew(node, markedIn: generation))
        } catch {
            // It is there, empty, and nobody has it open.
            try? contents.barrier.unmark(node.inode, [0])
            throw .errno(error)
        }
    }

    /// `made` runs in the transaction, which may fail after it.
    private func create(
        _ name: Name,
        in parent: Inode,
        _ wanted: Creation,
        asking question: RegionQuestion?,
        made: (LocalNode, borrowing Connection) throws -> Void
    ) throws(Obstacle) -> LocalNode {
        let now = time.wall
        let node = try database.changing { db in
            var folder = try Self.completeFolder(parent, db)
            guard try !EntryTable.isTaken(name, in: parent, db) else { throw Obstacle.errno(.exists) }
            var creation = wanted
            creation.inherit(from: folder.attributes)
            var node = LocalNode(
                inode: Inode(rawValue: 0),
                id: .random(at: now),
                attributes: Attributes(
                    kind: creation.kind,
                    mode: creation.mode,
                    uid: creation.uid,
                    gid: creation.gid,
                    accessed: now,
                    modified: now,
                    changed: now,
                    size: Int64(creation.target?.count ?? 0),
                    links: creation.kind == .folder ? 2 : 1,
                    device: creation.device
                ),
                target: creation.target,
                isComplete: creation.kind == .folder,
                standing: folder.standing.ofNewChild
            )
            node.inode = try NodeTable.insert(node, in: db)
            try EntryTable.insert(name, in: parent, node: node.inode, db)
            try Self.touch(&folder, now, linkChange: creation.kind == .folder ? 1 : 0, db)
            let mutation = Mutation.create(
                Mutation.Creation(
                    parent: folder.id,
                    name: name,
                    node: node.id,
                    kind: creation.kind,
                    mode: node.attributes.mode,
                    uid: creation.uid,
                    gid: creation.gid,
                    time: now,
                    target: creation.target,
                    device: creation.device
                )
            )
            try journal(mutation, JournalTable.Subjects(node: node.inode, parent: parent), question, db)
            try made(node, db)
            stage(node, folder)
            return node
        }
        noteChange(of: node.inode, isFolder: wanted.kind == .folder)
        journalGrew()
        return node
    }

    public func link(
        _ inode: Inode,
        as name: Name,
        in parent: Inode,
        asking question: RegionQuestion? = nil
    ) throws(Obstacle) -> LocalNode {
        let now = time.wall
        let departures = contents.departures
        let node = try database.changing { db in
            var folder = try Self.completeFolder(parent, db)
            guard var node = try NodeTable.find(inode, in: db) else { throw Obstacle.errno(.noEntry) }
            guard node.attributes.kind != .folder else { throw Obstacle.errno(.notPermitted) }
            guard node.attributes.links > 0 else { throw Obstacle.errno(.noEntry) }
            guard node.attributes.links < Limits.linksMax else { throw Obstacle.errno(.tooManyLinks) }
            guard try !EntryTable.isTaken(name, in: parent, db) else { throw Obstacle.errno(.exists) }
            node.attributes.links += 1
            node.attributes.changed = now
            try NodeTable.update(node, in: db)
            try EntryTable.insert(name, in: parent, node: inode, db)
            try Self.touch(&folder, now, db)
            try journal(
                .link(parent: folder.id, name: name, node: node.id, time: now),
                JournalTable.Subjects(node: inode, parent: parent),
                question,
                db
            )
            stage(node, folder)
            return node
        }
        noteChange(of: inode)
        journalGrew()
        return try current(node, readAfter: departures) ?? node
    }

    /// Takes a name away. `isFolder` is what the caller asked for: rmdir or unlink.
    public func remove(
        _ name: Name,
        in parent: Inode,
        isFolder: Bool,
        asking question: RegionQuestion? = nil
    ) throws(Obstacle) -> LocalNode {
        let now = time.wall
        let node = try database.changing { db in
            var node = try Self.entry(name, in: parent, db)
            guard var folder = try NodeTable.find(parent, in: db) else { throw Obstacle.errno(.stale) }
            try Self.requireRemovable(node, isFolder: isFolder, db)
            try EntryTable.delete(name, in: parent, db)
            try Self.touch(&folder, now, linkChange: isFolder ? -1 : 0, db)
            var gone: (inode: Inode, id: NodeID)? = (node.inode, node.id)
            try Self.unlinkNode(&node, now, standing: &gone, db)
            if let gone {
                try journal(
                    .remove(parent: folder.id, name: name, node: gone.id, time: now),
                    JournalTable.Subjects(node: gone.inode, parent: parent),
                    question,
                    db
                )
            }
            stage(folder)
            return node
        }
        noteChange(of: node.inode, isFolder: isFolder)
        journalGrew()
        return node
    }

    // MARK: What the kernel names

    /// The kernel got this inode in an answer and will forget it as often as it got it.
    public func retain(_ inode: Inode) { kernelNodes.withLock { $0[inode, default: 0] += 1 } }

    public func forget(_ inode: Inode, count: UInt64) {
        let isGone = kernelNodes.withLock { nodes in
            guard let held = nodes[inode] else { return false }
            if held > count {
                nodes[inode] = held - count
                return false
            }
            nodes[inode] = nil
            return true
        }
        if isGone { collectIfDeparting(inode) }
    }

    func isNamedByKernel(_ inode: Inode) -> Bool { kernelNodes.withLock { $0[inode] != nil } }

    func submitFarewells(_ job: @escaping @Sendable () -> Void) -> Bool { farewells.submit(job) }

    /// Last of all in a transaction: what it leaves of these.
    func stage(_ nodes: LocalNode...) { for node in nodes { memory.stage(node) } }
    func stage(revision: Revision, of inode: Inode) { memory.stage(revision: revision, of: inode) }
    func stage(answered: Revision, of inode: Inode) { memory.stage(answered: answered, of: inode) }

    var wallNow: Timestamp { time.wall }
    func grew() { journalGrew() }

    func backingStatus(of inode: Inode) throws(Errno) -> (size: Int64, modified: Timestamp)? {
        guard let status = try store.status(of: inode) else { return nil }
        let modified = Timestamp(seconds: Int64(status.modifiedSeconds), nanoseconds: Int64(status.modifiedNanoseconds))
        return (status.size, modified)
    }

    /// The node with size and times of what was written to it and is not in the replica yet. What was read before
    /// whoever works with it left is too old for this: see `node`.
    func live(_ node: LocalNode) -> LocalNode {
        guard node.attributes.kind == .file, let content = contents.loaded(node.inode) else { return node }
        return Self.live(node, content)
    }

    static func live(_ node: LocalNode, _ content: FileContent) -> LocalNode {
        guard node.attributes.kind == .file else { return node }
        var node = node
        let (size, modified, written) = content.state.withLock { ($0.size, $0.modified, $0.written) }
        node.attributes.size = size
        node.attributes.changed = max(node.attributes.changed, written)
        node.attributes.modified = modified
        return node
    }
}

/// Steps that several changes share. They run inside the caller's transaction.
extension LocalTree {
    static func completeFolder(_ inode: Inode, _ db: borrowing Connection) throws -> LocalNode {
        guard let folder = try NodeTable.find(inode, in: db) else { throw Obstacle.errno(.stale) }
        guard folder.attributes.kind == .folder else { throw Obstacle.errno(.notDirectory) }
        guard folder.attributes.links > 0 else { throw Obstacle.errno(.noEntry) }
        guard folder.isComplete else { throw Obstacle.needs(.folder(inode)) }
        return folder
    }

    static func entry(_ name: Name, in parent: Inode, _ db: borrowing Connection) throws -> LocalNode {
        if let node = try EntryTable.find(name, in: parent, db) { return node }
        _ = try completeFolder(parent, db)
        throw Obstacle.errno(.noEntry)
    }

    static func requireRemovable(_ node: LocalNode, isFolder: Bool, _ db: borrowing Connection) throws {
        if isFolder {
            guard node.attributes.kind == .folder else { throw Obstacle.errno(.notDirectory) }
            _ = try completeFolder(node.inode, db)
            guard try EntryTable.isEmpty(node.inode, db) else { throw Obstacle.errno(.notEmpty) }
        } else if node.attributes.kind == .folder {
            throw Obstacle.errno(.isDirectory)
        }
    }

    /// Takes one link off a node. Where the region has not heard of it and needs not, `standing` becomes what it had
    /// taken the place of, if anything; that is what goes there. The times of `touched` are told by the caller. The
    /// name is gone already.
    static func unlinkNode(
        _ node: inout LocalNode,
        _ now: Timestamp,
        standing: inout (inode: Inode, id: NodeID)?,
        isReplaced: Bool = false,
        besides touched: Set<Inode> = [],
        _ db: borrowing Connection
    ) throws {
        node.attributes.links =
            node.attributes.kind == .folder ? 0 : try EntryTable.linksLeft(of: node, db)
        node.attributes.changed = now
        try NodeTable.update(node, in: db)
        guard node.attributes.links == 0 else { return }
        var replaced: (inode: Inode, id: NodeID)?
        let isGone = try Journaling.withdraw(
            node.inode,
            replaced: &replaced,
            isReplaced: isReplaced,
            besides: touched,
            db
        )
        if isGone { standing = replaced }
    }

    static func touch(
        _ folder: inout LocalNode,
        _ now: Timestamp,
        linkChange: Int = 0,
        _ db: borrowing Connection
    ) throws {
        folder.attributes.modified = now
        folder.attributes.changed = now
        folder.attributes.links = UInt32(clamping: Int(folder.attributes.links) + linkChange)
        try NodeTable.updateTimes(folder, in: db)
    }

    func journal(
        _ mutation: Mutation,
        _ subjects: JournalTable.Subjects,
        _ question: RegionQuestion? = nil,
        _ db: borrowing Connection
    ) throws {
        let place = try Journaling.append(mutation, subjects, db)
        guard let question else { return }
        try JournalTable.ask(at: place, in: db)
        questions.enter(question, at: place)
    }
}
