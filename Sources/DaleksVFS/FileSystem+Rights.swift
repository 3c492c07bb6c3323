import DaleksCache
import DaleksCore
import DaleksSync
import DaleksSystem

/// What may be done with what others share. The region decides the same by the same function; here it is decided at
/// once, so that nobody is promised what will be refused. In the account's own tree the kernel decides by the modes.
extension FileSystem {
    /// Throws where the account may not do that to the node, or may not know of it. `isCreator`: that the account made
    /// what is to be changed or removed in a folder.
    func require(_ act: Act, on inode: Inode, isCreator: Bool? = nil) throws(Obstacle) {
        guard isShared else { return }
        try require(act, on: try tree.stored(inode), isCreator: isCreator)
    }

    private func require(_ act: Act, on node: LocalNode, isCreator: Bool? = nil) throws(Obstacle) {
        switch decide(act, on: node, isCreator: isCreator) {
        case .allowed: return
        case .hidden: throw .errno(.noEntry)
        case .refused:
            logger.notice(
                "what somebody shares does not let us do this",
                ["inode": node.inode, "act": "\(act)", "rights": "\(node.standing.granted ?? [])"]
            )
            throw .errno(.accessDenied)
        }
    }

    private func decide(_ act: Act, on node: LocalNode, isCreator: Bool? = nil) -> AccessDecision {
        // The folders that items lie in are nobody's: they are looked at, and nothing else.
        guard let granted = node.standing.granted else { return act == .see ? .allowed : .refused }
        return AccessDecision.decide(
            act,
            isOwner: false,
            granted: granted,
            isPublic: false,
            isCreator: isCreator ?? node.standing.isCreator
        )
    }

    /// Nothing of what was withdrawn is seen any more, though it may be here until everything done in it is put aside.
    func isHidden(_ node: LocalNode) -> Bool { isShared && node.standing.granted == [] }

    /// The folders of owners, and the one that these lie in.
    func isOwnersFolder(_ inode: Inode) throws(Obstacle) -> Bool {
        guard isShared else { return false }
        return try tree.stored(inode).standing.granted == nil
    }

    /// What is made: files, folders and links. Devices, fifos and sockets are of one machine.
    func requireMaking(_ kind: NodeKind, in parent: Inode) throws(Obstacle) {
        guard isShared else { return }
        try require(.add, on: parent)
        switch kind {
        case .file, .folder, .symlink: return
        case .fifo, .socket, .characterDevice, .blockDevice: throw .errno(.notPermitted)
        }
    }

    func requireRemoval(of name: Name, in parent: Inode) throws(Obstacle) {
        guard isShared else { return }
        let node = try tree.lookup(name, in: parent)
        try require(.remove, on: parent, isCreator: node.standing.isCreator)
    }

    func requireLink(to inode: Inode, in parent: Inode) throws(Obstacle) {
        guard isShared else { return }
        guard try item(of: inode) == item(of: parent) else { throw .errno(.crossDevice) }
        try require(.share, on: inode)
        try require(.add, on: parent)
    }

    /// Within a folder a rename is a change of it. Out of one it is a removal there, and at the target an addition, or
    /// a change where something is replaced.
    func requireRename(
        _ name: Name,
        in parent: Inode,
        to newName: Name,
        in newParent: Inode,
        _ rule: LocalTree.RenameRule
    ) throws(Obstacle) {
        guard isShared else { return }
        let (isFromAbove, isToAbove) = (try isOwnersFolder(parent), try isOwnersFolder(newParent))
        if isFromAbove || isToAbove {
            throw .errno(parent == newParent ? .accessDenied : .crossDevice)
        }
        let isOurs = try tree.lookup(name, in: parent).standing.isCreator
        var isReplacedOurs: Bool?
        do throws(Obstacle) { isReplacedOurs = try tree.lookup(newName, in: newParent).standing.isCreator } catch {
            guard error == .errno(.noEntry) else { throw error }
        }
        guard parent != newParent else {
            return try require(.change, on: parent, isCreator: isOurs && isReplacedOurs ?? true)
        }
        guard try item(of: parent) == item(of: newParent) else { throw .errno(.crossDevice) }
        try require(.remove, on: parent, isCreator: isOurs)
        if let isReplacedOurs {
            try require(.change, on: newParent, isCreator: isReplacedOurs)
        } else {
            try require(.add, on: newParent)
        }
        guard rule == .exchange else { return }
        try require(.add, on: parent)
        try require(.remove, on: newParent, isCreator: isReplacedOurs ?? false)
    }

    /// The shared item that a node lies in.
    private func item(of inode: Inode) throws(Obstacle) -> Inode? { try engine.sharedItem(of: inode) }

    // MARK: How it looks

    /// Modes are a picture of the rights. What runs with others' privileges, or is a machine's own, means nothing here.
    func picture(_ node: LocalNode) -> LocalNode {
        var node = node
        let readable: UInt32 = decide(.see, on: node) == .allowed ? 0o400 : 0
        switch node.attributes.kind {
        case .folder:
            let isWritable =
                node.standing.granted == nil
                // An item is given up by removing it from its owner's folder.
                ? node.inode != .root : node.standing.granted?.isDisjoint(with: [.write, .update, .delete]) == false
            node.attributes.mode = (readable == 0 ? 0o100 : readable | 0o100) | (isWritable ? 0o200 : 0)
        case .file:
            let executable = readable == 0 ? 0 : node.attributes.mode & 0o100
            node.attributes.mode = readable | executable | (decide(.change, on: node) == .allowed ? 0o200 : 0)
        case .symlink: break
        case .fifo, .socket, .characterDevice, .blockDevice:
            (node.attributes.kind, node.attributes.mode, node.attributes.size) = (.file, 0, 0)
            node.attributes.device = 0
        }
        return node
    }
}
