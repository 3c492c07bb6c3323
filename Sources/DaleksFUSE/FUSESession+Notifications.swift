import CFuse
public import DaleksSystem
import Glibc

/// What we tell the kernel unasked, from any thread but never while answering a request about the same folder or file:
/// the kernel may hold locks for that request that the notification waits for.
///
/// All throw `.noEntry` where the kernel does not know the inode or name (then there is nothing to forget),
/// `.notConnected` before the kernel's first request was answered, and another error after the end of the mount. The
/// bytes are written by ourselves, since libfuse would print each refusal to standard error.
extension FUSESession {
    /// The kernel drops the pages of a range and the attributes of an inode; `count` 0 reaches to the end.
    public func invalidateInode(_ inode: UInt64, offset: Int64 = 0, count: Int64 = 0) throws(Errno) {
        precondition(offset >= 0 && count >= 0, "a range of a file begins at 0 or later")
        let message = fuse_notify_inval_inode_out(ino: inode, off: offset, len: count)
        try notify(FUSE_NOTIFY_INVAL_INODE, message)
    }

    /// The kernel drops the attributes of an inode and keeps its pages.
    public func invalidateAttributes(_ inode: UInt64) throws(Errno) {
        try notify(FUSE_NOTIFY_INVAL_INODE, fuse_notify_inval_inode_out(ino: inode, off: -1, len: 0))
    }

    /// The kernel drops a name, and asks when it is used next. Waits for requests under way in that folder.
    public func invalidateEntry(parent: UInt64, name: [UInt8]) throws(Errno) {
        let message = fuse_notify_inval_entry_out(parent: parent, namelen: UInt32(name.count), flags: 0)
        try notify(FUSE_NOTIFY_INVAL_ENTRY, message, name: name)
    }

    /// The kernel asks whether a name is still good when it is used next, and does not detach what is below it.
    ///
    /// `.notSupported` before Linux 6.2.
    public func expireEntry(parent: UInt64, name: [UInt8]) throws(Errno) {
        guard connection?.offered.contains(.expireOnly) ?? true else { throw .notSupported }
        let message = fuse_notify_inval_entry_out(
            parent: parent,
            namelen: UInt32(name.count),
            flags: UInt32(FUSE_EXPIRE_ONLY)
        )
        try notify(FUSE_NOTIFY_INVAL_ENTRY, message, name: name)
    }

    /// The name is gone: watchers hear of a deletion. Where it leads to another inode than `child` it is only
    /// invalidated, and `.noEntry` thrown; `.notEmpty` for a folder in which the kernel knows names.
    public func deleteEntry(parent: UInt64, child: UInt64, name: [UInt8]) throws(Errno) {
        let message = fuse_notify_delete_out(parent: parent, child: child, namelen: UInt32(name.count), padding: 0)
        try notify(FUSE_NOTIFY_DELETE, message, name: name)
    }

    /// Puts bytes into the page cache of an inode the kernel knows; its size grows where they reach past its end.
    public func store(_ inode: UInt64, offset: Int64, bytes: UnsafeRawBufferPointer) throws(Errno) {
        precondition(offset >= 0 && bytes.count <= Int(UInt32.max), "a range of a file begins at 0 or later")
        let message = fuse_notify_store_out(
            nodeid: inode,
            offset: UInt64(offset),
            size: UInt32(bytes.count),
            padding: 0
        )
        try notify(FUSE_NOTIFY_STORE, message, bytes)
    }

    private func notify(_ code: fuse_notify_code, _ message: some BitwiseCopyable, name: [UInt8]) throws(Errno) {
        // The kernel wants a terminator that it does not count.
        let failure: Errno? = (name + [0]).withUnsafeBytes { bytes in
            do throws(Errno) { try notify(code, message, bytes) } catch { return error }
            return nil
        }
        if let failure { throw failure }
    }

    private func notify(
        _ code: fuse_notify_code,
        _ message: some BitwiseCopyable,
        _ bytes: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
    ) throws(Errno) {
        guard let mount, connection != nil else { throw .notConnected }
        var message = message
        let messageBytes = MemoryLayout.size(ofValue: message)
        var header = fuse_out_header()
        let headerBytes = MemoryLayout.size(ofValue: header)
        header.len = UInt32(headerBytes + messageBytes + bytes.count)
        // A notification is an answer to nothing (unique 0) whose error is its kind.
        header.error = Int32(bitPattern: code.rawValue)
        let failure: Errno? = withUnsafeMutablePointer(to: &header) { header in
            withUnsafeMutablePointer(to: &message) { message in
                // writev only reads what the pointers lead to.
                let data = UnsafeMutableRawPointer(mutating: bytes.baseAddress)
                let parts = [
                    iovec(iov_base: header, iov_len: headerBytes),
                    iovec(iov_base: message, iov_len: messageBytes),
                    iovec(iov_base: data, iov_len: bytes.count),
                ]
                do throws(Errno) {
                    try retryingInterrupts { writev(mount.descriptor, parts, data == nil ? 2 : 3) }
                } catch { return error }
                return nil
            }
        }
        if let failure { throw failure }
    }
}
