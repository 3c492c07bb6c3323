import CFuse
import DaleksSystem
import Glibc

/// Names, attributes and folders.
extension Callbacks {
    static func addNames(_ operations: inout fuse_lowlevel_ops) {
        operations.lookup = { Callbacks.lookup($0, $1, $2) }
        operations.forget = { Callbacks.forget($0, $1, $2) }
        operations.forget_multi = { Callbacks.forgetMany($0, $1, $2) }
        operations.getattr = { Callbacks.getattr($0, $1, $2) }
        operations.setattr = { Callbacks.setattr($0, $1, $2, $3, $4) }
        operations.access = { Callbacks.access($0, $1, $2) }
        operations.readlink = { Callbacks.readlink($0, $1) }
        operations.mknod = { Callbacks.mknod($0, $1, $2, $3, $4) }
        operations.mkdir = { Callbacks.mkdir($0, $1, $2, $3) }
        operations.unlink = { Callbacks.unlink($0, $1, $2) }
        operations.rmdir = { Callbacks.rmdir($0, $1, $2) }
        operations.symlink = { Callbacks.symlink($0, $1, $2, $3) }
        operations.rename = { Callbacks.rename($0, $1, $2, $3, $4, $5) }
        operations.link = { Callbacks.link($0, $1, $2, $3) }
        operations.opendir = { Callbacks.opendir($0, $1, $2) }
        operations.readdir = { Callbacks.readdir($0, $1, $2, $3, $4) }
        operations.readdirplus = { Callbacks.readdirplus($0, $1, $2, $3, $4) }
        operations.releasedir = { Callbacks.releasedir($0, $1, $2) }
        operations.fsyncdir = { Callbacks.fsyncdir($0, $1, $2, $3) }
        operations.statfs = { Callbacks.statfs($0, $1) }
        operations.setxattr = { Callbacks.setxattr($0, $1, $2, $3, $4, $5) }
        operations.getxattr = { Callbacks.getxattr($0, $1, $2, $3) }
        operations.listxattr = { Callbacks.listxattr($0, $1, $2) }
        operations.removexattr = { Callbacks.removexattr($0, $1, $2) }
    }

    typealias Raw = OpaquePointer?
    typealias Text = UnsafePointer<CChar>?
    typealias Info = UnsafeMutablePointer<fuse_file_info>?

    private static func lookup(_ raw: Raw, _ parent: UInt64, _ name: Text) {
        guard let call = Call(raw), let name = call.name(name) else { return }
        call.fileSystem.lookup(call.request, parent: parent, name: name, reply: EntryReply(call.pending()))
    }

    private static func forget(_ raw: Raw, _ inode: UInt64, _ count: UInt64) {
        guard let call = Call(raw) else { return }
        withUnsafePointer(to: FUSEForget(inode: inode, count: count)) {
            call.fileSystem.forget(UnsafeBufferPointer(start: $0, count: 1))
        }
        call.none()
    }

    private static func forgetMany(_ raw: Raw, _ count: Int, _ list: UnsafeMutablePointer<fuse_forget_data>?) {
        guard let call = Call(raw) else { return }
        // `FUSEForget` has the two 64-bit fields of `fuse_forget_data`, in its order.
        UnsafeRawBufferPointer(start: list, count: count * MemoryLayout<fuse_forget_data>.stride)
            .withMemoryRebound(to: FUSEForget.self) { call.fileSystem.forget($0) }
        call.none()
    }

    private static func getattr(_ raw: Raw, _ inode: UInt64, _ info: Info) {
        guard let call = Call(raw) else { return }
        call.fileSystem.getattr(
            call.request,
            inode: inode,
            handle: info?.pointee.fh,
            reply: AttributesReply(call.pending())
        )
    }

    private static func setattr(
        _ raw: Raw,
        _ inode: UInt64,
        _ status: UnsafeMutablePointer<stat>?,
        _ valid: Int32,
        _ info: Info
    ) {
        guard let call = Call(raw), let status else { return }
        call.fileSystem.setattr(
            call.request,
            inode: inode,
            changes: FUSEAttributeChanges(status.pointee, valid: valid),
            handle: info?.pointee.fh,
            reply: AttributesReply(call.pending())
        )
    }

    private static func access(_ raw: Raw, _ inode: UInt64, _ mask: Int32) {
        guard let call = Call(raw) else { return }
        call.fileSystem.access(call.request, inode: inode, mask: mask, reply: EmptyReply(call.pending()))
    }

    private static func readlink(_ raw: Raw, _ inode: UInt64) {
        guard let call = Call(raw) else { return }
        call.fileSystem.readlink(call.request, inode: inode, reply: ReadlinkReply(call.pending()))
    }

    private static func mknod(_ raw: Raw, _ parent: UInt64, _ name: Text, _ mode: mode_t, _ device: dev_t) {
        guard let call = Call(raw), let name = call.name(name) else { return }
        call.fileSystem.mknod(
            call.request,
            parent: parent,
            name: name,
            mode: mode,
            device: UInt64(device),
            reply: EntryReply(call.pending())
        )
    }

    private static func mkdir(_ raw: Raw, _ parent: UInt64, _ name: Text, _ mode: mode_t) {
        guard let call = Call(raw), let name = call.name(name) else { return }
        call.fileSystem.mkdir(
            call.request,
            parent: parent,
            name: name,
            mode: mode,
            reply: EntryReply(call.pending())
        )
    }

    private static func unlink(_ raw: Raw, _ parent: UInt64, _ name: Text) {
        guard let call = Call(raw), let name = call.name(name) else { return }
        call.fileSystem.unlink(call.request, parent: parent, name: name, reply: EmptyReply(call.pending()))
    }

    private static func rmdir(_ raw: Raw, _ parent: UInt64, _ name: Text) {
        guard let call = Call(raw), let name = call.name(name) else { return }
        call.fileSystem.rmdir(call.request, parent: parent, name: name, reply: EmptyReply(call.pending()))
    }

    private static func symlink(_ raw: Raw, _ target: Text, _ parent: UInt64, _ name: Text) {
        guard let call = Call(raw), let name = call.name(name) else { return }
        call.fileSystem.symlink(
            call.request,
            target: call.text(target),
            parent: parent,
            name: name,
            reply: EntryReply(call.pending())
        )
    }

    private static func rename(
        _ raw: Raw,
        _ parent: UInt64,
        _ name: Text,
        _ newParent: UInt64,
        _ newName: Text,
        _ flags: UInt32
    ) {
        guard let call = Call(raw), let name = call.name(name), let newName = call.name(newName) else { return }
        call.fileSystem.rename(
            call.request,
            parent: parent,
            name: name,
            newParent: newParent,
            newName: newName,
            flags: FUSERenameFlags(rawValue: flags),
            reply: EmptyReply(call.pending())
        )
    }

    private static func link(_ raw: Raw, _ inode: UInt64, _ newParent: UInt64, _ newName: Text) {
        guard let call = Call(raw), let newName = call.name(newName) else { return }
        call.fileSystem.link(
            call.request,
            inode: inode,
            newParent: newParent,
            newName: newName,
            reply: EntryReply(call.pending())
        )
    }

    private static func opendir(_ raw: Raw, _ inode: UInt64, _ info: Info) {
        guard let call = Call(raw), let info else { return }
        call.fileSystem.opendir(
            call.request,
            inode: inode,
            flags: FUSEOpenFlags(bits: info.pointee.flags),
            reply: OpenReply(call.pending())
        )
    }

    private static func readdir(_ raw: Raw, _ inode: UInt64, _ count: Int, _ offset: off_t, _ info: Info) {
        guard let call = Call(raw), let info else { return }
        call.fileSystem.readdir(
            call.request,
            inode: inode,
            handle: info.pointee.fh,
            offset: Int64(offset),
            reply: DirectoryReply(call.pending(), capacity: count, isPlus: false)
        )
    }

    private static func readdirplus(_ raw: Raw, _ inode: UInt64, _ count: Int, _ offset: off_t, _ info: Info) {
        guard let call = Call(raw), let info else { return }
        call.fileSystem.readdirplus(
            call.request,
            inode: inode,
            handle: info.pointee.fh,
            offset: Int64(offset),
            reply: DirectoryReply(call.pending(), capacity: count, isPlus: true)
        )
    }

    private static func releasedir(_ raw: Raw, _ inode: UInt64, _ info: Info) {
        guard let call = Call(raw), let info else { return }
        call.fileSystem.releasedir(
            call.request,
            inode: inode,
            handle: info.pointee.fh,
            reply: EmptyReply(call.pending())
        )
    }

    private static func fsyncdir(_ raw: Raw, _ inode: UInt64, _ dataOnly: Int32, _ info: Info) {
        guard let call = Call(raw), let info else { return }
        call.fileSystem.fsyncdir(
            call.request,
            inode: inode,
            handle: info.pointee.fh,
            dataOnly: dataOnly != 0,
            reply: EmptyReply(call.pending())
        )
    }

    private static func statfs(_ raw: Raw, _ inode: UInt64) {
        guard let call = Call(raw) else { return }
        call.fileSystem.statfs(call.request, inode: inode, reply: StatisticsReply(call.pending()))
    }

    private static func setxattr(
        _ raw: Raw,
        _ inode: UInt64,
        _ name: Text,
        _ value: Text,
        _ count: Int,
        _ flags: Int32
    ) {
        guard let call = Call(raw) else { return }
        call.fileSystem.setxattr(
            call.request,
            inode: inode,
            name: call.text(name),
            value: UnsafeRawBufferPointer(start: value, count: count),
            flags: flags,
            reply: EmptyReply(call.pending())
        )
    }

    private static func getxattr(_ raw: Raw, _ inode: UInt64, _ name: Text, _ count: Int) {
        guard let call = Call(raw) else { return }
        call.fileSystem.getxattr(
            call.request,
            inode: inode,
            name: call.text(name),
            reply: XattrReply(call.pending(), capacity: count)
        )
    }

    private static func listxattr(_ raw: Raw, _ inode: UInt64, _ count: Int) {
        guard let call = Call(raw) else { return }
        call.fileSystem.listxattr(call.request, inode: inode, reply: XattrReply(call.pending(), capacity: count))
    }

    private static func removexattr(_ raw: Raw, _ inode: UInt64, _ name: Text) {
        guard let call = Call(raw) else { return }
        call.fileSystem.removexattr(
            call.request,
            inode: inode,
            name: call.text(name),
            reply: EmptyReply(call.pending())
        )
    }
}
