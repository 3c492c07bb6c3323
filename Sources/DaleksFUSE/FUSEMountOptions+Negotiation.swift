import CFuse
import DaleksCore

extension FUSEMountOptions {
    /// Our wishes at INIT, each only where the kernel offers it.
    func apply(to info: inout fuse_conn_info) {
        func want(_ isWanted: Bool, _ capability: Int32) {
            let bit = UInt32(bitPattern: capability)
            info.want = isWanted ? info.want | (info.capable & bit) : info.want & ~bit
        }
        want(true, FUSE_CAP_ASYNC_READ)
        want(true, FUSE_CAP_ASYNC_DIO)
        want(true, FUSE_CAP_ATOMIC_O_TRUNC)
        want(true, FUSE_CAP_PARALLEL_DIROPS)
        want(posixLocks, FUSE_CAP_POSIX_LOCKS)
        want(flockLocks, FUSE_CAP_FLOCK_LOCKS)
        want(supportsExport, FUSE_CAP_EXPORT_SUPPORT)
        want(!kernelAppliesUmask, FUSE_CAP_DONT_MASK)
        want(cachesSymlinks, FUSE_CAP_CACHE_SYMLINKS)
        want(readdirPlus != .never, FUSE_CAP_READDIRPLUS)
        want(readdirPlus == .auto, FUSE_CAP_READDIRPLUS_AUTO)
        want(invalidation == .automatic, FUSE_CAP_AUTO_INVAL_DATA)
        want(invalidation == .explicit, FUSE_CAP_EXPLICIT_INVAL_DATA)
        want(splicesReplies, FUSE_CAP_SPLICE_WRITE)
        want(splicesReplies, FUSE_CAP_SPLICE_MOVE)
        // Requests come into memory; ACLs are not served; and the kernel must never own size and times.
        want(false, FUSE_CAP_SPLICE_READ)
        want(false, FUSE_CAP_IOCTL_DIR)
        want(false, FUSE_CAP_POSIX_ACL)
        want(false, FUSE_CAP_WRITEBACK_CACHE)

        info.max_write = min(info.max_write, UInt32(Limits.FUSE.writeBytesMax))
        info.max_readahead = min(info.max_readahead, readaheadBytesMax)
        info.max_read = readBytesMax ?? 0
        info.max_background = backgroundMax
        info.congestion_threshold = backgroundMax * 3 / 4
        info.time_gran = 1
    }
}
