import DaleksCache
import DaleksCore
import DaleksFUSE
import DaleksSystem
import DaleksVFS

/// All volumes of a mount, as the one file system that the kernel sees: each request goes to the volume whose inode it
/// names. What would join two of them is EXDEV.
///
/// ## Concurrency
/// Holds no state but constants; `guests` guards itself.
final class Volumes: FUSEFileSystem {
    let own: KernelBridge
    let guests: Guests

    init(own: KernelBridge, guests: Guests) {
        self.own = own
        self.guests = guests
    }

    /// The volume of an inode; nil for one that never was.
    @inline(__always)
    func volume(of inode: UInt64) -> KernelBridge? {
        let index = VolumeNumber.index(of: inode)
        return index == 0 ? own : guests.volume(index)
    }

    /// A name as the tree has it; nil for that of the guests.
    @inline(__always)
    func own(_ name: FUSEName, in parent: UInt64) -> FUSEName? {
        guard parent == Inode.root.rawValue else { return name }
        switch Guests.meaning(of: name) {
        case .guest: return nil
        case .own(let name): return name
        }
    }

    func initialize(_ connection: FUSEConnection) { own.initialize(connection) }

    func forget(_ forgotten: UnsafeBufferPointer<FUSEForget>) {
        for item in forgotten {
            volume(of: item.inode)?.files.forget(VolumeNumber.local(item.inode), count: item.count)
        }
    }

    // MARK: Names

    func lookup(_ request: FUSERequest, parent: UInt64, name: FUSEName, reply: consuming EntryReply) {
        guard let volume = volume(of: parent) else { return reply.refuse(.stale) }
        guard let name = own(name, in: parent) else { return guests.lookup(reply) }
        if guests.isJoined(parent), let (volume, name) = guests.elsewhere(name) {
            return volume.lookup(request, parent: volume.global(.root), name: name, reply: reply)
        }
        volume.lookup(request, parent: parent, name: name, reply: reply)
    }

    func mknod(
        _ request: FUSERequest,
        parent: UInt64,
        name: FUSEName,
        mode: UInt32,
        device: UInt64,
        reply: consuming EntryReply
    ) {
        guard let volume = volume(of: parent) else { return reply.refuse(.stale) }
        guard let name = own(name, in: parent) else { return reply.refuse(.notPermitted) }
        volume.mknod(request, parent: parent, name: name, mode: mode, device: device, reply: reply)
    }

    func mkdir(_ request: FUSERequest, parent: UInt64, name: FUSEName, mode: UInt32, reply: consuming EntryReply) {
        guard let volume = volume(of: parent) else { return reply.refuse(.stale) }
        guard let name = own(name, in: parent) else { return reply.refuse(.notPermitted) }
        volume.mkdir(request, parent: parent, name: name, mode: mode, reply: reply)
    }

    func unlink(_ request: FUSERequest, parent: UInt64, name: FUSEName, reply: consuming EmptyReply) {
        guard let volume = volume(of: parent) else { return reply.refuse(.stale) }
        guard let name = own(name, in: parent) else { return reply.refuse(.isDirectory) }
        volume.unlink(request, parent: parent, name: name, reply: reply)
    }

    func rmdir(_ request: FUSERequest, parent: UInt64, name: FUSEName, reply: consuming EmptyReply) {
        guard let volume = volume(of: parent) else { return reply.refuse(.stale) }
        guard let name = own(name, in: parent) else { return reply.refuse(.busy) }
        volume.rmdir(request, parent: parent, name: name, reply: reply)
    }

    func symlink(
        _ request: FUSERequest,
        target: FUSEName,
        parent: UInt64,
        name: FUSEName,
        reply: consuming EntryReply
    ) {
        guard let volume = volume(of: parent) else { return reply.refuse(.stale) }
        guard let name = own(name, in: parent) else { return reply.refuse(.notPermitted) }
        volume.symlink(request, target: target, parent: parent, name: name, reply: reply)
    }

    func link(
        _ request: FUSERequest,
        inode: UInt64,
        newParent: UInt64,
        newName: FUSEName,
        reply: consuming EntryReply
    ) {
        guard let volume = volume(of: inode) else { return reply.refuse(.stale) }
        guard volume.volume.base == VolumeNumber.base(of: newParent) else { return reply.refuse(.crossDevice) }
        guard let newName = own(newName, in: newParent) else { return reply.refuse(.notPermitted) }
        volume.link(request, inode: inode, newParent: newParent, newName: newName, reply: reply)
    }

    func rename(
        _ request: FUSERequest,
        parent: UInt64,
        name: FUSEName,
        newParent: UInt64,
        newName: FUSEName,
        flags: FUSERenameFlags,
        reply: consuming EmptyReply
    ) {
        guard let volume = volume(of: parent) else { return reply.refuse(.stale) }
        guard let name = own(name, in: parent), let newName = own(newName, in: newParent) else {
            return reply.refuse(.busy)
        }
        guard volume.volume.base == VolumeNumber.base(of: newParent) else { return reply.refuse(.crossDevice) }
        volume.rename(
            request,
            parent: parent,
            name: name,
            newParent: newParent,
            newName: newName,
            flags: flags,
            reply: reply
        )
    }

    func readlink(_ request: FUSERequest, inode: UInt64, reply: consuming ReadlinkReply) {
        guard let volume = volume(of: inode) else { return reply.refuse(.stale) }
        volume.readlink(request, inode: inode, reply: reply)
    }

    // MARK: Attributes

    func getattr(_ request: FUSERequest, inode: UInt64, handle: UInt64?, reply: consuming AttributesReply) {
        guard let volume = volume(of: inode) else { return reply.refuse(.stale) }
        volume.getattr(request, inode: inode, handle: handle, reply: reply)
    }

    func setattr(
        _ request: FUSERequest,
        inode: UInt64,
        changes: FUSEAttributeChanges,
        handle: UInt64?,
        reply: consuming AttributesReply
    ) {
        guard let volume = volume(of: inode) else { return reply.refuse(.stale) }
        volume.setattr(request, inode: inode, changes: changes, handle: handle, reply: reply)
    }

    func setxattr(
        _ request: FUSERequest,
        inode: UInt64,
        name: FUSEName,
        value: UnsafeRawBufferPointer,
        flags: Int32,
        reply: consuming EmptyReply
    ) {
        guard let volume = volume(of: inode) else { return reply.refuse(.stale) }
        volume.setxattr(request, inode: inode, name: name, value: value, flags: flags, reply: reply)
    }

    func getxattr(_ request: FUSERequest, inode: UInt64, name: FUSEName, reply: consuming XattrReply) {
        guard let volume = volume(of: inode) else { return reply.refuse(.stale) }
        volume.getxattr(request, inode: inode, name: name, reply: reply)
    }

    func listxattr(_ request: FUSERequest, inode: UInt64, reply: consuming XattrReply) {
        guard let volume = volume(of: inode) else { return reply.refuse(.stale) }
        volume.listxattr(request, inode: inode, reply: reply)
    }

    func removexattr(_ request: FUSERequest, inode: UInt64, name: FUSEName, reply: consuming EmptyReply) {
        guard let volume = volume(of: inode) else { return reply.refuse(.stale) }
        volume.removexattr(request, inode: inode, name: name, reply: reply)
    }

    func statfs(_ request: FUSERequest, inode: UInt64, reply: consuming StatisticsReply) {
        guard let volume = volume(of: inode) else { return reply.refuse(.stale) }
        volume.statfs(request, inode: inode, reply: reply)
    }
}

extension FUSEReply where Self: ~Copyable {
    /// Where it does not matter whether the kernel took the answer.
    consuming func refuse(_ errno: Errno) { error(errno) }
}
