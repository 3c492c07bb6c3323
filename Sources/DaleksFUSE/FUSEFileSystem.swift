/// A file system: one method for each request of the kernel, answered through `reply` exactly once, on any thread.
///
/// ## Concurrency
/// Methods are called on several threads at once. A method that can answer from memory or the local disk does so
/// before it returns; one that needs the network parks its reply (`reply.park()`) and returns, so that the thread
/// serves others meanwhile. A reply that is dropped answers EIO.
///
/// Names, write data and forget batches point into the request and are valid until the method returns.
///
/// ## What the default implementations answer
/// Every request has one, so a file system states only what it can do. ENOSYS mostly, which the kernel translates or
/// remembers; where remembering would be wrong (open, opendir, fsync) the default says something better, beside it.
public protocol FUSEFileSystem: AnyObject, Sendable {
    /// Comes first, once, before any request.
    func initialize(_ connection: FUSEConnection)

    /// Each entry answered is one reference of the kernel to the inode: see `FUSEEntry`.
    func lookup(_ request: FUSERequest, parent: UInt64, name: FUSEName, reply: consuming EntryReply)
    /// The kernel gives references back. Not sent for what is still referenced at unmount.
    func forget(_ forgotten: UnsafeBufferPointer<FUSEForget>)

    /// `handle` is nil unless the caller asked through an open file.
    func getattr(_ request: FUSERequest, inode: UInt64, handle: UInt64?, reply: consuming AttributesReply)
    func setattr(
        _ request: FUSERequest,
        inode: UInt64,
        changes: FUSEAttributeChanges,
        handle: UInt64?,
        reply: consuming AttributesReply
    )
    /// Not sent under `default_permissions`. `mask` is R_OK, W_OK and X_OK.
    func access(_ request: FUSERequest, inode: UInt64, mask: Int32, reply: consuming EmptyReply)

    func readlink(_ request: FUSERequest, inode: UInt64, reply: consuming ReadlinkReply)
    func mknod(
        _ request: FUSERequest,
        parent: UInt64,
        name: FUSEName,
        mode: UInt32,
        device: UInt64,
        reply: consuming EntryReply
    )
    func mkdir(_ request: FUSERequest, parent: UInt64, name: FUSEName, mode: UInt32, reply: consuming EntryReply)
    func unlink(_ request: FUSERequest, parent: UInt64, name: FUSEName, reply: consuming EmptyReply)
    func rmdir(_ request: FUSERequest, parent: UInt64, name: FUSEName, reply: consuming EmptyReply)
    func symlink(
        _ request: FUSERequest,
        target: FUSEName,
        parent: UInt64,
        name: FUSEName,
        reply: consuming EntryReply
    )
    func rename(
        _ request: FUSERequest,
        parent: UInt64,
        name: FUSEName,
        newParent: UInt64,
        newName: FUSEName,
        flags: FUSERenameFlags,
        reply: consuming EmptyReply
    )
    func link(
        _ request: FUSERequest,
        inode: UInt64,
        newParent: UInt64,
        newName: FUSEName,
        reply: consuming EntryReply
    )

    func open(_ request: FUSERequest, inode: UInt64, flags: FUSEOpenFlags, reply: consuming OpenReply)
    func create(
        _ request: FUSERequest,
        parent: UInt64,
        name: FUSEName,
        mode: UInt32,
        flags: FUSEOpenFlags,
        reply: consuming CreateReply
    )
    /// Fewer bytes than asked mean the end of the file, except in a file opened for direct I/O.
    func read(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        offset: Int64,
        count: Int,
        flags: FUSEOpenFlags,
        reply: consuming ReadReply
    )
    func write(
        _ request: FUSERequest,
        _ write: FUSEWrite,
        bytes: UnsafeRawBufferPointer,
        reply: consuming WriteReply
    )
    /// A descriptor was closed (there may be more of this open); what is answered, close reports.
    func flush(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        lockOwner: UInt64,
        reply: consuming EmptyReply
    )
    func release(_ request: FUSERequest, _ release: FUSERelease, reply: consuming EmptyReply)
    func fsync(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        dataOnly: Bool,
        reply: consuming EmptyReply
    )

    func opendir(_ request: FUSERequest, inode: UInt64, flags: FUSEOpenFlags, reply: consuming OpenReply)
    /// Entries after the one whose `nextOffset` is `offset`; 0 is the beginning, no entries are the end.
    func readdir(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        offset: Int64,
        reply: consuming DirectoryReply
    )
    /// As readdir, with attributes; every entry added as a `FUSEEntry` is a reference: see there.
    func readdirplus(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        offset: Int64,
        reply: consuming DirectoryReply
    )
    func releasedir(_ request: FUSERequest, inode: UInt64, handle: UInt64, reply: consuming EmptyReply)
    func fsyncdir(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        dataOnly: Bool,
        reply: consuming EmptyReply
    )
    func statfs(_ request: FUSERequest, inode: UInt64, reply: consuming StatisticsReply)

    /// `flags` is 0, XATTR_CREATE or XATTR_REPLACE.
    func setxattr(
        _ request: FUSERequest,
        inode: UInt64,
        name: FUSEName,
        value: UnsafeRawBufferPointer,
        flags: Int32,
        reply: consuming EmptyReply
    )
    func getxattr(_ request: FUSERequest, inode: UInt64, name: FUSEName, reply: consuming XattrReply)
    /// The answer is the names, each ended by a NUL.
    func listxattr(_ request: FUSERequest, inode: UInt64, reply: consuming XattrReply)
    func removexattr(_ request: FUSERequest, inode: UInt64, name: FUSEName, reply: consuming EmptyReply)

    /// Only where `FUSEMountOptions.posixLocks` is on.
    func getlk(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        owner: UInt64,
        lock: FUSELock,
        reply: consuming LockReply
    )
    /// `waits`: park the reply until the lock is free; an interruption answers EINTR.
    func setlk(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        owner: UInt64,
        lock: FUSELock,
        waits: Bool,
        reply: consuming EmptyReply
    )
    /// Only where `FUSEMountOptions.flockLocks` is on.
    func flock(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        owner: UInt64,
        kind: FUSELock.Kind,
        waits: Bool,
        reply: consuming EmptyReply
    )

    /// `mode` is the FALLOC_FL_ bits.
    func fallocate(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        offset: Int64,
        count: Int64,
        mode: Int32,
        reply: consuming EmptyReply
    )
    /// Answered with the bytes copied, which may be fewer.
    func copyFileRange(_ request: FUSERequest, _ copy: FUSECopy, reply: consuming WriteReply)
    /// `whence` is SEEK_HOLE or SEEK_DATA; the kernel does the others itself.
    func lseek(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        offset: Int64,
        whence: Int32,
        reply: consuming SeekReply
    )
}
