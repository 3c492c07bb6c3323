import DaleksSystem

/// What a file system answers that does not know the request; `FUSEFileSystem` says why not ENOSYS always.
extension FUSEFileSystem {
    public func initialize(_ connection: FUSEConnection) {}

    public func lookup(_ request: FUSERequest, parent: UInt64, name: FUSEName, reply: consuming EntryReply) {
        reply.error(.notImplemented)
    }

    public func forget(_ forgotten: UnsafeBufferPointer<FUSEForget>) {}

    public func getattr(_ request: FUSERequest, inode: UInt64, handle: UInt64?, reply: consuming AttributesReply) {
        reply.error(.notImplemented)
    }

    public func setattr(
        _ request: FUSERequest,
        inode: UInt64,
        changes: FUSEAttributeChanges,
        handle: UInt64?,
        reply: consuming AttributesReply
    ) {
        reply.error(.notImplemented)
    }

    public func access(_ request: FUSERequest, inode: UInt64, mask: Int32, reply: consuming EmptyReply) {
        reply.error(.notImplemented)
    }

    public func readlink(_ request: FUSERequest, inode: UInt64, reply: consuming ReadlinkReply) {
        reply.error(.notImplemented)
    }

    public func mknod(
        _ request: FUSERequest,
        parent: UInt64,
        name: FUSEName,
        mode: UInt32,
        device: UInt64,
        reply: consuming EntryReply
    ) {
        reply.error(.notImplemented)
    }

    public func mkdir(_ request: FUSERequest, parent: UInt64, name: FUSEName, mode: UInt32, reply: consuming EntryReply)
    {
        reply.error(.notImplemented)
    }

    public func unlink(_ request: FUSERequest, parent: UInt64, name: FUSEName, reply: consuming EmptyReply) {
        reply.error(.notImplemented)
    }

    public func rmdir(_ request: FUSERequest, parent: UInt64, name: FUSEName, reply: consuming EmptyReply) {
        reply.error(.notImplemented)
    }

    public func symlink(
        _ request: FUSERequest,
        target: FUSEName,
        parent: UInt64,
        name: FUSEName,
        reply: consuming EntryReply
    ) {
        reply.error(.notImplemented)
    }

    public func rename(
        _ request: FUSERequest,
        parent: UInt64,
        name: FUSEName,
        newParent: UInt64,
        newName: FUSEName,
        flags: FUSERenameFlags,
        reply: consuming EmptyReply
    ) {
        reply.error(.notImplemented)
    }

    public func link(
        _ request: FUSERequest,
        inode: UInt64,
        newParent: UInt64,
        newName: FUSEName,
        reply: consuming EntryReply
    ) {
        reply.error(.notImplemented)
    }

    public func open(_ request: FUSERequest, inode: UInt64, flags: FUSEOpenFlags, reply: consuming OpenReply) {
        // ENOSYS would switch opens off for the whole mount.
        reply.opened(handle: 0)
    }

    public func create(
        _ request: FUSERequest,
        parent: UInt64,
        name: FUSEName,
        mode: UInt32,
        flags: FUSEOpenFlags,
        reply: consuming CreateReply
    ) {
        reply.error(.notImplemented)
    }

    public func read(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        offset: Int64,
        count: Int,
        flags: FUSEOpenFlags,
        reply: consuming ReadReply
    ) {
        reply.error(.notImplemented)
    }

    public func write(
        _ request: FUSERequest,
        _ write: FUSEWrite,
        bytes: UnsafeRawBufferPointer,
        reply: consuming WriteReply
    ) {
        reply.error(.notImplemented)
    }

    public func flush(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        lockOwner: UInt64,
        reply: consuming EmptyReply
    ) {
        reply.error(.notImplemented)
    }

    public func release(_ request: FUSERequest, _ release: FUSERelease, reply: consuming EmptyReply) {
        reply.success()
    }

    public func fsync(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        dataOnly: Bool,
        reply: consuming EmptyReply
    ) {
        // The kernel takes ENOSYS for success from then on, and nothing was made durable.
        reply.error(.invalid)
    }

    public func opendir(_ request: FUSERequest, inode: UInt64, flags: FUSEOpenFlags, reply: consuming OpenReply) {
        // ENOSYS would switch opens off for the whole mount.
        reply.opened(handle: 0)
    }

    public func readdir(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        offset: Int64,
        reply: consuming DirectoryReply
    ) {
        reply.error(.notImplemented)
    }

    public func readdirplus(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        offset: Int64,
        reply: consuming DirectoryReply
    ) {
        // Entries without attributes are good too: the kernel looks up what it needs.
        readdir(request, inode: inode, handle: handle, offset: offset, reply: reply)
    }

    public func releasedir(_ request: FUSERequest, inode: UInt64, handle: UInt64, reply: consuming EmptyReply) {
        reply.success()
    }

    public func fsyncdir(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        dataOnly: Bool,
        reply: consuming EmptyReply
    ) {
        // The kernel takes ENOSYS for success from then on, and nothing was made durable.
        reply.error(.invalid)
    }

    public func statfs(_ request: FUSERequest, inode: UInt64, reply: consuming StatisticsReply) {
        reply.statistics(FUSEStatistics())
    }

    public func setxattr(
        _ request: FUSERequest,
        inode: UInt64,
        name: FUSEName,
        value: UnsafeRawBufferPointer,
        flags: Int32,
        reply: consuming EmptyReply
    ) {
        reply.error(.notImplemented)
    }

    public func getxattr(_ request: FUSERequest, inode: UInt64, name: FUSEName, reply: consuming XattrReply) {
        reply.error(.notImplemented)
    }

    public func listxattr(_ request: FUSERequest, inode: UInt64, reply: consuming XattrReply) {
        reply.error(.notImplemented)
    }

    public func removexattr(_ request: FUSERequest, inode: UInt64, name: FUSEName, reply: consuming EmptyReply) {
        reply.error(.notImplemented)
    }

    public func getlk(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        owner: UInt64,
        lock: FUSELock,
        reply: consuming LockReply
    ) {
        reply.error(.notImplemented)
    }

    public func setlk(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        owner: UInt64,
        lock: FUSELock,
        waits: Bool,
        reply: consuming EmptyReply
    ) {
        reply.error(.notImplemented)
    }

    public func flock(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        owner: UInt64,
        kind: FUSELock.Kind,
        waits: Bool,
        reply: consuming EmptyReply
    ) {
        reply.error(.notImplemented)
    }

    public func fallocate(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        offset: Int64,
        count: Int64,
        mode: Int32,
        reply: consuming EmptyReply
    ) {
        reply.error(.notImplemented)
    }

    public func copyFileRange(_ request: FUSERequest, _ copy: FUSECopy, reply: consuming WriteReply) {
        reply.error(.notImplemented)
    }

    public func lseek(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        offset: Int64,
        whence: Int32,
        reply: consuming SeekReply
    ) {
        reply.error(.notImplemented)
    }
}
