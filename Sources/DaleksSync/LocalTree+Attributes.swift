import DaleksAPI
public import DaleksCache
public import DaleksCore
import DaleksSQLite
import DaleksSystem

/// Attributes, ordinary and extended.
extension LocalTree {
    /// What a setattr changes; nil leaves a field as it is.
    public struct AttributeEdit: Sendable {
        public var mode: UInt32?
        public var uid: UInt32?
        public var gid: UInt32?
        public var accessed: Timestamp?
        public var modified: Timestamp?
        /// setuid, and setgid where the group may execute, must not survive this, except where `mode` says so.
        public var dropsSetID = false

        public init() {}
    }

    public func setAttributes(of inode: Inode, _ wanted: AttributeEdit) throws(Obstacle) -> LocalNode {
        let node: LocalNode
        let departures = contents.departures
        if let modified = wanted.modified {
            // Held, so that nobody begins to work with the file on the strength of the time before.
            node = try contents.holding([inode]) { held throws(Obstacle) in
                // In this order: what is saved later must not bring back the time of the last write.
                let before = held[inode]?.state.withLock { state in
                    defer { state.modified = modified }
                    return state.modified
                }
                do throws(Obstacle) {
                    return try change(inode, wanted)
                } catch {
                    if let before {
                        held[inode]?.state.withLock { if $0.modified == modified { $0.modified = before } }
                    }
                    throw error
                }
            }
        } else {
            node = try change(inode, wanted)
        }
        noteChange(of: inode, isFolder: node.attributes.kind == .folder)
        grew()
        return try current(node, readAfter: departures) ?? node
    }

    private func change(_ inode: Inode, _ wanted: AttributeEdit) throws(Obstacle) -> LocalNode {
        let now = wallNow
        return try database.changing { db in
            guard var node = try NodeTable.find(inode, in: db) else { throw Obstacle.errno(.stale) }
            var edit = wanted
            if edit.mode == nil, edit.dropsSetID { edit.mode = Self.modeWithoutSetID(node.attributes) }
            if let mode = edit.mode { node.attributes.mode = mode & 0o7777 }
            if let uid = edit.uid { node.attributes.uid = uid }
            if let gid = edit.gid { node.attributes.gid = gid }
            if let accessed = edit.accessed { node.attributes.accessed = accessed }
            if let modified = edit.modified { node.attributes.modified = modified }
            node.attributes.changed = now
            try NodeTable.update(node, in: db)
            // A node without a name is nobody's at the region any more.
            guard node.attributes.links > 0 else { return node }
            // Also where nothing but the time of the change is told: the region's answer to what was done before would
            // bring back the time of that.
            let change = Mutation.AttributeChange(
                node: node.id,
                mode: edit.mode.map { $0 & 0o7777 },
                uid: edit.uid,
                gid: edit.gid,
                accessed: edit.accessed,
                modified: edit.modified,
                time: now
            )
            try journal(.attributes(change), JournalTable.Subjects(node: inode), nil, db)
            stage(node)
            return node
        }
    }

    /// The mode that a change by somebody without privileges leaves, or nil where it stays.
    public static func modeWithoutSetID(_ attributes: Attributes) -> UInt32? {
        let (setuid, setgid, groupExecutes): (UInt32, UInt32, UInt32) = (0o4000, 0o2000, 0o010)
        guard attributes.kind != .folder else { return nil }
        var mode = attributes.mode & ~setuid
        if mode & groupExecutes != 0 { mode &= ~setgid }
        return mode == attributes.mode ? nil : mode
    }

    /// How an extended attribute may be set, as setxattr(2) has it.
    public enum ExtendedRule: Sendable {
        case createOrReplace
        /// XATTR_CREATE
        case create
        /// XATTR_REPLACE
        case replace
    }

    /// Nil takes the attribute away.
    public func setExtended(
        _ name: [UInt8],
        of inode: Inode,
        to value: [UInt8]?,
        _ rule: ExtendedRule = .createOrReplace
    ) throws(Obstacle) {
        let now = wallNow
        try database.changing { db in
            guard var node = try NodeTable.find(inode, in: db) else { throw Obstacle.errno(.stale) }
            let isThere = node.extended[name] != nil
            if isThere, rule == .create { throw Obstacle.errno(.exists) }
            if !isThere, rule == .replace || value == nil { throw Obstacle.errno(.noData) }
            guard node.extended.set(name, to: value) else { throw Obstacle.errno(.noSpace) }
            node.attributes.changed = now
            try NodeTable.update(node, in: db)
            guard node.attributes.links > 0 else { return }
            let change = Mutation.ExtendedChange(node: node.id, name: name, value: value, time: now)
            try journal(.extended(change), JournalTable.Subjects(node: inode), nil, db)
            stage(node)
        }
        noteChange(of: inode)
        grew()
    }
}
