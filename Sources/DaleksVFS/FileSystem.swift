import DaleksAPI
public import DaleksCache
public import DaleksCore
public import DaleksSync
import DaleksSystem
import Glibc

/// POSIX on top of the local tree: open files, permissions of the mount, and what each call means. It knows neither the
/// kernel's protocol nor the network; what needs the network it names by throwing an `Obstacle`.
///
/// ## Concurrency
/// Everything may be called from any thread. Open files have a lock of their own, held for arithmetic.
public final class FileSystem: Sendable {
    /// How nodes look to this machine's users.
    public struct Presentation: Sendable {
        /// Everything belongs to this user, whatever the region says.
        public var uid: UInt32
        public var gid: UInt32

        public init(uid: UInt32, gid: UInt32) {
            self.uid = uid
            self.gid = gid
        }
    }

    let engine: SyncEngine
    let presentation: Presentation
    let openFiles = OpenFiles()

    public init(engine: SyncEngine, presentation: Presentation) {
        self.engine = engine
        self.presentation = presentation
    }

    private var tree: LocalTree { engine.tree }

    // MARK: Names

    public func lookup(_ name: Name, in parent: Inode) throws(Obstacle) -> LocalNode {
        present(try tree.lookup(name, in: parent))
    }

    public func node(_ inode: Inode) throws(Obstacle) -> LocalNode { present(try tree.node(inode)) }

    public func parent(of folder: Inode) throws(Obstacle) -> Inode { try tree.parent(of: folder) }

    public func entries(of folder: Inode, after position: Int64, limit: Int) throws(Obstacle) -> [LocalEntry] {
        var entries = try tree.entries(of: folder, after: position, limit: limit)
        for index in entries.indices { entries[index].node = present(entries[index].node) }
        return entries
    }

    public func make(
        _ kind: NodeKind,
        _ name: Name,
        in parent: Inode,
        mode: UInt32,
        target: [UInt8]? = nil
    ) throws(Obstacle) -> LocalNode {
        if let target, target.isEmpty || target.count > Limits.pathBytesMax {
            throw .errno(target.isEmpty ? .noEntry : .nameTooLong)
        }
        let creation = LocalTree.Creation(
            kind: kind,
            mode: kind == .symlink ? 0o777 : mode & 0o7777,
            uid: presentation.uid,
            gid: presentation.gid,
            target: target
        )
        return present(try tree.create(name, in: parent, creation))
    }

    public func link(_ inode: Inode, as name: Name, in parent: Inode) throws(Obstacle) -> LocalNode {
        present(try tree.link(inode, as: name, in: parent))
    }

    public func remove(_ name: Name, in parent: Inode, isFolder: Bool) throws(Obstacle) {
        let node = try tree.remove(name, in: parent, isFolder: isFolder)
        tree.letGo(of: node.inode)
    }

    public func rename(
        _ name: Name,
        in parent: Inode,
        to newName: Name,
        in newParent: Inode,
        _ rule: LocalTree.RenameRule
    ) throws(Obstacle) {
        let renamed = try tree.rename(name, in: parent, to: newName, in: newParent, rule)
        if let replaced = renamed.replaced, rule == .replace { tree.letGo(of: replaced.inode) }
    }

    /// Where a symlink points.
    public func target(of inode: Inode) throws(Obstacle) -> [UInt8] {
        guard let target = try tree.node(inode).target else { throw .errno(.invalid) }
        return target
    }

    // MARK: Attributes

    /// What a setattr asks for.
    public struct AttributeRequest: Sendable {
        public var mode: UInt32?
        public var uid: UInt32?
        public var gid: UInt32?
        public var size: Int64?
        public var accessed: Timestamp?
        public var modified: Timestamp?
        /// setuid, and setgid where the group may execute, must not survive this.
        public var clearsSetID = false

        public init() {}
    }

    public func setAttributes(of inode: Inode, _ request: AttributeRequest) throws(Obstacle) -> LocalNode {
        // Everything here belongs to one user, so giving a thing to another cannot be done and is not pretended.
        if let uid = request.uid, uid != presentation.uid { throw .errno(.notPermitted) }
        if let gid = request.gid, gid != presentation.gid { throw .errno(.notPermitted) }
        if let size = request.size {
            let node = try tree.node(inode)
            guard node.attributes.kind != .folder else { throw .errno(.isDirectory) }
            guard node.attributes.kind == .file else { throw .errno(.invalid) }
            _ = try tree.truncate(inode, to: size)
        }
        var mode = request.mode
        if mode == nil, request.clearsSetID || request.uid != nil || request.gid != nil {
            mode = try modeWithoutSetID(inode)
        }
        guard mode != nil || request.accessed != nil || request.modified != nil else { return try node(inode) }
        return present(
            try tree.setAttributes(of: inode, mode: mode, accessed: request.accessed, modified: request.modified)
        )
    }

    /// The mode that a change by somebody without privileges leaves, or nil where it stays.
    func modeWithoutSetID(_ inode: Inode) throws(Obstacle) -> UInt32? {
        let attributes = try tree.node(inode).attributes
        guard attributes.kind == .file else { return nil }
        var mode = attributes.mode & ~UInt32(S_ISUID)
        if mode & UInt32(S_IXGRP) != 0 { mode &= ~UInt32(S_ISGID) }
        return mode == attributes.mode ? nil : mode
    }

    /// How much the account holds and may hold: what `df` shows. Before the region has said it, nothing is known.
    public var capacity: (bytesUsed: Int64, bytesQuota: Int64, filesUsed: Int64)? {
        engine.usage.map { ($0.bytesUsed, $0.bytesQuota, $0.filesUsed) }
    }

    // MARK: What the kernel names

    public func retain(_ inode: Inode) { tree.retain(inode) }
    public func forget(_ inode: Inode, count: UInt64) { tree.forget(inode, count: count) }

    /// Makes everything that was done so far safe against a power cut.
    public func synchronizeFolder() throws(Obstacle) { try tree.synchronizeJournal() }

    private func present(_ node: LocalNode) -> LocalNode {
        var node = node
        node.attributes.uid = presentation.uid
        node.attributes.gid = presentation.gid
        return node
    }
}
