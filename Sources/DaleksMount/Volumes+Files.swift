import DaleksFUSE
import DaleksSystem

/// Open files and folders.
extension Volumes {
    func open(_ request: FUSERequest, inode: UInt64, flags: FUSEOpenFlags, reply: consuming OpenReply) {
        guard let volume = volume(of: inode) else { return reply.refuse(.stale) }
        volume.open(request, inode: inode, flags: flags, reply: reply)
    }

    func create(
        _ request: FUSERequest,
        parent: UInt64,
        name: FUSEName,
        mode: UInt32,
        flags: FUSEOpenFlags,
        reply: consuming CreateReply
    ) {
        guard let volume = volume(of: parent) else { return reply.refuse(.stale) }
        guard let name = own(name, in: parent) else { return reply.refuse(.isDirectory) }
        volume.create(request, parent: parent, name: name, mode: mode, flags: flags, reply: reply)
    }

    func read(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        offset: Int64,
        count: Int,
        flags: FUSEOpenFlags,
        reply: consuming ReadReply
    ) {
        guard let volume = volume(of: inode) else { return reply.refuse(.stale) }
        volume.read(request, inode: inode, handle: handle, offset: offset, count: count, flags: flags, reply: reply)
    }

    func write(
        _ request: FUSERequest,
        _ write: FUSEWrite,
        bytes: UnsafeRawBufferPointer,
        reply: consuming WriteReply
    ) {
        guard let volume = volume(of: write.inode) else { return reply.refuse(.stale) }
        volume.write(request, write, bytes: bytes, reply: reply)
    }

    func flush(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        lockOwner: UInt64,
        reply: consuming EmptyReply
    ) {
        guard let volume = volume(of: inode) else { return reply.refuse(.stale) }
        volume.flush(request, inode: inode, handle: handle, lockOwner: lockOwner, reply: reply)
    }

    func release(_ request: FUSERequest, _ release: FUSERelease, reply: consuming EmptyReply) {
        guard let volume = volume(of: release.inode) else { return reply.refuse(.stale) }
        volume.release(request, release, reply: reply)
    }

    func fsync(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        dataOnly: Bool,
        reply: consuming EmptyReply
    ) {
        guard let volume = volume(of: inode) else { return reply.refuse(.stale) }
        volume.fsync(request, inode: inode, handle: handle, dataOnly: dataOnly, reply: reply)
    }

    func fallocate(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        offset: Int64,
        count: Int64,
        mode: Int32,
        reply: consuming EmptyReply
    ) {
        guard let volume = volume(of: inode) else { return reply.refuse(.stale) }
        volume.fallocate(
            request,
            inode: inode,
            handle: handle,
            offset: offset,
            count: count,
            mode: mode,
            reply: reply
        )
    }

    func lseek(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        offset: Int64,
        whence: Int32,
        reply: consuming SeekReply
    ) {
        guard let volume = volume(of: inode) else { return reply.refuse(.stale) }
        volume.lseek(request, inode: inode, handle: handle, offset: offset, whence: whence, reply: reply)
    }

    func copyFileRange(_ request: FUSERequest, _ copy: FUSECopy, reply: consuming WriteReply) {
        guard let volume = volume(of: copy.source) else { return reply.refuse(.stale) }
        // Programs copy by reading and writing then.
        guard volume.volume.base == VolumeNumber.base(of: copy.target) else { return reply.refuse(.crossDevice) }
        volume.copyFileRange(request, copy, reply: reply)
    }

    // MARK: Locks

    func getlk(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        owner: UInt64,
        lock: FUSELock,
        reply: consuming LockReply
    ) {
        guard let volume = volume(of: inode) else { return reply.refuse(.stale) }
        volume.getlk(request, inode: inode, handle: handle, owner: owner, lock: lock, reply: reply)
    }

    func setlk(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        owner: UInt64,
        lock: FUSELock,
        waits: Bool,
        reply: consuming EmptyReply
    ) {
        guard let volume = volume(of: inode) else { return reply.refuse(.stale) }
        volume.setlk(request, inode: inode, handle: handle, owner: owner, lock: lock, waits: waits, reply: reply)
    }

    func flock(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        owner: UInt64,
        kind: FUSELock.Kind,
        waits: Bool,
        reply: consuming EmptyReply
    ) {
        guard let volume = volume(of: inode) else { return reply.refuse(.stale) }
        volume.flock(request, inode: inode, handle: handle, owner: owner, kind: kind, waits: waits, reply: reply)
    }

    // MARK: Folders

    func opendir(_ request: FUSERequest, inode: UInt64, flags: FUSEOpenFlags, reply: consuming OpenReply) {
        guard let volume = volume(of: inode) else { return reply.refuse(.stale) }
        volume.opendir(request, inode: inode, flags: flags, reply: reply)
    }

    func readdir(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        offset: Int64,
        reply: consuming DirectoryReply
    ) {
        guard let volume = volume(of: inode) else { return reply.refuse(.stale) }
        if guests.isJoined(inode) { return guests.list(after: offset, reply) }
        volume.readdir(request, inode: inode, handle: handle, offset: offset, reply: reply)
    }

    func readdirplus(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        offset: Int64,
        reply: consuming DirectoryReply
    ) {
        guard let volume = volume(of: inode) else { return reply.refuse(.stale) }
        if guests.isJoined(inode) { return guests.list(after: offset, reply) }
        volume.readdirplus(request, inode: inode, handle: handle, offset: offset, reply: reply)
    }

    func fsyncdir(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        dataOnly: Bool,
        reply: consuming EmptyReply
    ) {
        guard let volume = volume(of: inode) else { return reply.refuse(.stale) }
        volume.fsyncdir(request, inode: inode, handle: handle, dataOnly: dataOnly, reply: reply)
    }
}
