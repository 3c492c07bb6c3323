import DaleksAPI
public import DaleksCache
public import DaleksCore
public import DaleksSync
public import DaleksSystem
import Glibc

/// POSIX on top of the local tree: open files, permissions of the mount, and what each call means. It knows neither the
/// kernel's protocol nor the network; what needs the network it names by throwing an `Obstacle`.
///
/// ## Concurrency
/// Everything may be called from any thread. Open files have a lock of their own, held for arithmetic.
public final class FileSystem: Sendable {
    let engine: SyncEngine
    let presentation: Presentation
    /// What facts say of the mount as a whole.
    let description: Description
    let logger: Logger
    /// Whether it shows what others share, and not a tree of the account's own.
    public let isShared: Bool
    let openFiles = OpenFiles()

    /// Facts that are the same for every node.
    public struct Description: Sendable {
        public var owner: String
        public var region: String
        /// The daemon's control socket; nil where there is none.
        public var control: String?

        public init(owner: String, region: String, control: String? = nil) {
            self.owner = owner
            self.region = region
            self.control = control
        }
    }

    public init(
        engine: SyncEngine,
        presentation: Presentation,
        description: Description,
        logger: Logger = .silent
    ) {
        self.logger = logger
        isShared = engine.isOfShares
        self.engine = engine
        self.presentation = presentation
        self.description = description
    }

    var tree: LocalTree { engine.tree }

    // MARK: Names

    public func lookup(_ name: Name, in parent: Inode) throws(Obstacle) -> LocalNode {
        let node = try tree.lookup(name, in: parent)
        if isHidden(node) { throw .errno(.noEntry) }
        return present(node)
    }

    public func node(_ inode: Inode) throws(Obstacle) -> LocalNode { present(try tree.node(inode)) }

    public func parent(of folder: Inode) throws(Obstacle) -> Inode { try tree.parent(of: folder) }

    public func entries(of folder: Inode, after position: Int64, limit: Int) throws(Obstacle) -> [LocalEntry] {
        try require(.see, on: folder)
        var entries = try tree.entries(of: folder, after: position, limit: limit)
        if position == 0 { engine.noteListed(folder) }
        if isShared { try dropHidden(&entries, of: folder, limit) }
        for index in entries.indices { entries[index].node = present(entries[index].node) }
        return entries
    }

    /// A page without anything to show would be taken for the end.
    private func dropHidden(_ entries: inout [LocalEntry], of folder: Inode, _ limit: Int) throws(Obstacle) {
        while let last = entries.last {
            entries.removeAll { isHidden($0.node) }
            guard entries.isEmpty else { return }
            entries = try tree.entries(of: folder, after: last.position, limit: limit)
        }
    }

    /// What is made, and by whom.
    public struct Making: Sendable {
        public var kind: NodeKind
        public var mode: UInt32
        public var caller: Caller
        public var target: [UInt8]?
        public var device: UInt32

        public init(
            _ kind: NodeKind,
            mode: UInt32,
            caller: Caller,
            target: [UInt8]? = nil,
            device: UInt32 = 0
        ) {
            self.kind = kind
            self.mode = mode
            self.caller = caller
            self.target = target
            self.device = device
        }
    }

    /// With a question, here and below, the region has the last word: ask the engine for it.
    public func make(
        _ making: Making,
        _ name: Name,
        in parent: Inode,
        asking question: RegionQuestion? = nil
    ) throws(Obstacle) -> LocalNode {
        try requireMaking(making.kind, in: parent)
        return present(try tree.create(name, in: parent, try creation(making), asking: question))
    }

    func creation(_ making: Making) throws(Obstacle) -> LocalTree.Creation {
        if let target = making.target, target.isEmpty || target.count > Limits.pathBytesMax {
            throw .errno(target.isEmpty ? .noEntry : .nameTooLong)
        }
        switch making.kind {
        case .characterDevice, .blockDevice:
            // They mean something only where owners do: elsewhere every user's mount could bring one along.
            guard presentation.storesOwners else { throw .errno(.notPermitted) }
        case .file, .folder, .symlink, .fifo, .socket: break
        }
        let owner = presentation.owner(for: making.caller)
        return LocalTree.Creation(
            kind: making.kind,
            mode: making.kind == .symlink ? 0o777 : making.mode & 0o7777,
            uid: owner.uid,
            gid: owner.gid,
            target: making.target,
            device: making.device
        )
    }

    public func link(
        _ inode: Inode,
        as name: Name,
        in parent: Inode,
        asking question: RegionQuestion? = nil
    ) throws(Obstacle) -> LocalNode {
        try requireLink(to: inode, in: parent)
        return present(try tree.link(inode, as: name, in: parent, asking: question))
    }

    public func remove(
        _ name: Name,
        in parent: Inode,
        isFolder: Bool,
        asking question: RegionQuestion? = nil
    ) throws(Obstacle) {
        try requireRemoval(of: name, in: parent)
        let node = try tree.remove(name, in: parent, isFolder: isFolder, asking: question)
        tree.letGo(of: node.inode)
    }

    public func rename(
        _ name: Name,
        in parent: Inode,
        to newName: Name,
        in newParent: Inode,
        _ rule: LocalTree.RenameRule,
        asking question: RegionQuestion? = nil
    ) throws(Obstacle) {
        try requireRename(name, in: parent, to: newName, in: newParent, rule)
        let renamed = try tree.rename(name, in: parent, to: newName, in: newParent, rule, asking: question)
        if let replaced = renamed.replaced, rule == .replace { tree.letGo(of: replaced.inode) }
    }

    /// Where a symlink points.
    public func target(of inode: Inode) throws(Obstacle) -> [UInt8] {
        try require(.see, on: inode)
        guard let target = try tree.node(inode).target else { throw .errno(.invalid) }
        return target
    }

    // MARK: The whole

    /// How much the account holds and may hold: what `df` shows. Before the region has said it, nothing is known.
    public var capacity: (bytesUsed: Int64, bytesQuota: Int64, filesUsed: Int64)? {
        engine.usage.map { ($0.bytesUsed, $0.bytesQuota, $0.filesUsed) }
    }

    /// Nil where the name is not that of an item that somebody shares, which is given up and not removed.
    public func itemToLeave(_ name: Name, in parent: Inode) throws(Obstacle) -> Inode? {
        guard isShared, parent != .root, try isOwnersFolder(parent) else { return nil }
        return try lookup(name, in: parent).inode
    }

    public func retain(_ inode: Inode) { tree.retain(inode) }
    public func forget(_ inode: Inode, count: UInt64) { tree.forget(inode, count: count) }

    /// Makes everything that was done so far safe against a power cut.
    public func synchronizeFolder() throws(Obstacle) { try tree.synchronizeJournal() }

    func present(_ node: LocalNode) -> LocalNode {
        var node = isShared ? picture(node) : node
        node.attributes = presentation.present(node.attributes, isRoot: node.inode == .root)
        return node
    }
}
