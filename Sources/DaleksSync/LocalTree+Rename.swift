import DaleksAPI
public import DaleksCache
public import DaleksCore
import DaleksSQLite
import DaleksSystem

/// Renaming: the one change with two folders, and perhaps two nodes.
extension LocalTree {
    public enum RenameRule: Sendable {
        case replace
        /// RENAME_NOREPLACE
        case keep
        /// RENAME_EXCHANGE
        case exchange
    }

    /// What a rename did, for those who must tell the kernel.
    public struct Renamed: Sendable {
        public var node: LocalNode
        public var replaced: LocalNode?
    }

    public func rename(
        _ name: Name,
        in parent: Inode,
        to newName: Name,
        in newParent: Inode,
        _ rule: RenameRule,
        asking question: RegionQuestion? = nil
    ) throws(Obstacle) -> Renamed {
        // A rename must not reach the region before the content that it is about to publish under the new name.
        try saveWritten(name, in: parent)
        let now = wallNow
        let renamed: Renamed? = try database.changing { db in
            let node = try Self.entry(name, in: parent, db)
            let target = try Self.completeFolder(newParent, db)
            let source = parent == newParent ? target : try Self.folder(parent, db)
            let standing = try EntryTable.find(newName, in: newParent, db)
            if standing?.inode == node.inode {
                // Two names of one file, or the same name twice: POSIX says to do nothing.
                question?.noteIdle()
                return rule == .keep ? try Self.refuse(.exists) : nil
            }
            try Self.requireRenamable(node, in: parent, over: standing, into: newParent, rule, db)
            var step = Step(
                node: node,
                standing: standing,
                from: (source, name),
                to: (target, newName),
                rule: rule,
                now: now
            )
            let renamed = try perform(&step, question, db)
            if source.inode != target.inode { stage(step.from.folder) }
            stage(step.to.folder, renamed.node)
            return renamed
        }
        if let renamed {
            noteChange(of: renamed.node.inode, isFolder: renamed.node.attributes.kind == .folder)
            if let replaced = renamed.replaced {
                noteChange(of: replaced.inode, isFolder: replaced.attributes.kind == .folder)
            }
        }
        grew()
        return if let renamed { renamed } else { Renamed(node: try lookup(newName, in: newParent), replaced: nil) }
    }

    /// What was written to a file that is still open goes into the journal.
    private func saveWritten(_ name: Name, in parent: Inode) throws(Obstacle) {
        guard contents.hasLoaded, let node = try? lookup(name, in: parent), let content = contents.loaded(node.inode)
        else { return }
        try saveContent(content)
    }

    private struct Step {
        var node: LocalNode
        var standing: LocalNode?
        var from: (folder: LocalNode, name: Name)
        var to: (folder: LocalNode, name: Name)
        var rule: RenameRule
        var now: Timestamp
    }

    private static func refuse<Result>(_ error: Errno) throws -> Result { throw Obstacle.errno(error) }

    private static func requireRenamable(
        _ node: LocalNode,
        in parent: Inode,
        over standing: LocalNode?,
        into newParent: Inode,
        _ rule: RenameRule,
        _ db: borrowing Connection
    ) throws {
        let isFolder = node.attributes.kind == .folder
        if isFolder, try isInside(newParent, node.inode, db) { throw Obstacle.errno(.invalid) }
        switch (rule, standing) {
        case (.keep, _?): throw Obstacle.errno(.exists)
        case (.exchange, nil): throw Obstacle.errno(.noEntry)
        case (.exchange, let standing?):
            // The other node must not come to lie in itself either; its new place is where `node` is now.
            guard standing.attributes.kind == .folder else { return }
            if try isInside(parent, standing.inode, db) { throw Obstacle.errno(.invalid) }
        case (.replace, let standing?):
            if isFolder, standing.attributes.kind != .folder { throw Obstacle.errno(.notDirectory) }
            if !isFolder, standing.attributes.kind == .folder { throw Obstacle.errno(.isDirectory) }
            try requireRemovable(standing, isFolder: isFolder, db)
        case (_, nil): break
        }
    }

    /// Whether `inode` is `folder` or lies in it.
    private static func isInside(_ inode: Inode, _ folder: Inode, _ db: borrowing Connection) throws -> Bool {
        var current = inode
        while current != .root {
            if current == folder { return true }
            guard let place = try EntryTable.places(of: current, db).first else { return false }
            current = place.parent
        }
        return folder == .root
    }

    private func perform(
        _ step: inout Step,
        _ question: RegionQuestion?,
        _ db: borrowing Connection
    ) throws -> Renamed {
        let isExchange = step.rule == .exchange
        let (from, to) = (step.from.folder.inode, step.to.folder.inode)
        try EntryTable.delete(step.from.name, in: from, db)
        if step.standing != nil { try EntryTable.delete(step.to.name, in: to, db) }
        try EntryTable.insert(step.to.name, in: to, node: step.node.inode, db)
        var node = step.node
        node.attributes.changed = step.now
        try NodeTable.update(node, in: db)
        var replaced = step.standing
        // What stands there as far as the region knows, or will know.
        var known = replaced.map { (inode: $0.inode, id: $0.id) }
        if var standing = replaced {
            if isExchange {
                standing.attributes.changed = step.now
                try NodeTable.update(standing, in: db)
                try EntryTable.insert(step.from.name, in: from, node: standing.inode, db)
            } else {
                let touched: Set = [from, to]
                try Self.unlinkNode(&standing, step.now, standing: &known, isReplaced: true, besides: touched, db)
            }
            replaced = standing
        }
        try Self.touchFolders(&step, db)
        if let known, known.inode == node.inode, !isExchange {
            // What stood there never was at the region, where this file has the name still: it loses the other one.
            let removal = Mutation.remove(
                parent: step.from.folder.id,
                name: step.from.name,
                node: node.id,
                time: step.now
            )
            try journal(removal, JournalTable.Subjects(node: node.inode, parent: from), nil, db)
            if to != from { try Journaling.tellTimes(of: to, db) }
            return Renamed(node: node, replaced: replaced)
        }
        let mutation = Mutation.Rename(
            parent: step.from.folder.id,
            name: step.from.name,
            node: node.id,
            toParent: step.to.folder.id,
            toName: step.to.name,
            replaces: known?.id,
            isExchange: isExchange,
            time: step.now
        )
        let subjects = JournalTable.Subjects(
            node: node.inode,
            parent: from,
            otherParent: to,
            replaced: known?.inode
        )
        try journal(.rename(mutation), subjects, question, db)
        return Renamed(node: node, replaced: replaced)
    }

    private static func folder(_ inode: Inode, _ db: borrowing Connection) throws -> LocalNode {
        guard let folder = try NodeTable.find(inode, in: db) else { throw Obstacle.errno(.stale) }
        return folder
    }

    /// Times of both folders, and their link counts: a folder that moves takes its `..` along.
    private static func touchFolders(_ step: inout Step, _ db: borrowing Connection) throws {
        let isFolder = step.node.attributes.kind == .folder
        let standingIsFolder = step.standing?.attributes.kind == .folder
        var (leaving, arriving) = (isFolder ? -1 : 0, isFolder ? 1 : 0)
        if standingIsFolder {
            arriving -= 1
            if step.rule == .exchange { leaving += 1 }
        }
        if step.from.folder.inode == step.to.folder.inode {
            try touch(&step.to.folder, step.now, linkChange: leaving + arriving, db)
        } else {
            try touch(&step.from.folder, step.now, linkChange: leaving, db)
            try touch(&step.to.folder, step.now, linkChange: arriving, db)
        }
    }
}
