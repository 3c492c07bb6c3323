public import DaleksCache
public import DaleksCore
public import DaleksSync
import DaleksSystem
import Glibc

/// Attributes, ordinary and extended. Who may change them the kernel has asked already (`default_permissions`).
extension FileSystem {
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
        guard presentation.allows(uid: request.uid, gid: request.gid) else { throw .errno(.notPermitted) }
        try require(.change, on: inode)
        var edit = LocalTree.AttributeEdit()
        if let size = request.size {
            let isSame = try node(inode).attributes.size == size
            try truncate(inode, to: size)
            // Nothing changed, and POSIX wants it dated all the same.
            if isSame { edit.modified = TimeSource.system.wall }
        }
        edit.mode = request.mode
        if presentation.storesOwners { (edit.uid, edit.gid) = (request.uid, request.gid) }
        edit.accessed = request.accessed
        edit.modified = request.modified ?? edit.modified
        // Linux lets nobody keep them over a change of owner, not even root. A setattr that asks for nothing is a
        // chown that names nobody, to which the same applies.
        let isChangeOfOwner = request.mode == nil && request.size == nil && request.modified == nil
        edit.dropsSetID = request.clearsSetID || (isChangeOfOwner && request.accessed == nil)
        if request.size != nil, edit.mode == nil, edit.modified == nil, edit.accessed == nil, edit.uid == nil,
            edit.gid == nil
        {
            // A truncation alone has set its times; what may be left to do is to drop setuid.
            let attributes = try tree.node(inode).attributes
            guard edit.dropsSetID, LocalTree.modeWithoutSetID(attributes) != nil else { return try node(inode) }
        }
        return present(try tree.setAttributes(of: inode, edit))
    }

    private func truncate(_ inode: Inode, to size: Int64) throws(Obstacle) {
        switch try tree.node(inode).attributes.kind {
        case .file: _ = try tree.truncate(inode, to: size)
        case .folder: throw .errno(.isDirectory)
        case .symlink, .fifo, .socket, .characterDevice, .blockDevice: throw .errno(.invalid)
        }
    }

    /// Before a write by somebody who may not keep them.
    func dropSetID(of inode: Inode) throws(Obstacle) {
        guard LocalTree.modeWithoutSetID(try tree.node(inode).attributes) != nil else { return }
        var edit = LocalTree.AttributeEdit()
        edit.dropsSetID = true
        _ = try tree.setAttributes(of: inode, edit)
    }

    // MARK: Extended attributes

    /// What becomes of the name of an extended attribute.
    private enum NameSpace {
        /// `user.daleks.…`: facts about the node, answered by name and never listed.
        case fact
        case kept
        /// The kernel's ACLs and whatever else nobody keeps here, and a name space without a name.
        case refused(Errno)
    }

    private static func nameSpace(of name: String) -> NameSpace {
        if name.hasPrefix(factPrefix) { return .fact }
        for prefix in ["user.", "trusted.", "security."] where name.hasPrefix(prefix) {
            return name.utf8.count > prefix.utf8.count ? .kept : .refused(.invalid)
        }
        return .refused(.notSupported)
    }

    /// ENODATA where there is none of that name.
    public func extendedValue(_ name: [UInt8], of inode: Inode) throws(Obstacle) -> [UInt8] {
        let text = String(decoding: name, as: UTF8.self)
        switch Self.nameSpace(of: text) {
        case .refused(let errno): throw .errno(errno)
        case .fact:
            guard let fact = try fact(text, of: inode) else { throw .errno(.noData) }
            return Array(fact.utf8)
        case .kept:
            try require(.see, on: inode)
            guard let value = try tree.extendedValue(name, of: inode) else { throw .errno(.noData) }
            return value
        }
    }

    /// Each ended by a NUL. `trusted.` names show to root only; the kernel leaves that to us.
    public func extendedNames(of inode: Inode, for caller: Caller) throws(Obstacle) -> [UInt8] {
        var names: [UInt8] = []
        for item in try tree.node(inode).extended.items {
            if caller.uid != 0, item.name.starts(with: "trusted.".utf8) { continue }
            names += item.name
            names.append(0)
        }
        return names
    }

    /// Nil takes it away.
    public func setExtended(
        _ name: [UInt8],
        of inode: Inode,
        to value: [UInt8]?,
        _ rule: LocalTree.ExtendedRule = .createOrReplace
    ) throws(Obstacle) {
        let text = String(decoding: name, as: UTF8.self)
        switch Self.nameSpace(of: text) {
        case .refused(let errno): throw .errno(errno)
        case .fact: return try setFact(text, of: inode, to: value)
        case .kept: break
        }
        try require(.change, on: inode)
        guard name.count <= Limits.extendedNameBytesMax else { throw .errno(.outOfRange) }
        guard value?.count ?? 0 <= Limits.extendedValueBytesMax else { throw .errno(.argumentListTooLong) }
        try tree.setExtended(name, of: inode, to: value, rule)
    }
}
