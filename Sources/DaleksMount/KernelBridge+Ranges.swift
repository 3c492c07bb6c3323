import DaleksCore
import DaleksFUSE
import DaleksSync
import DaleksSystem
import DaleksVFS

/// Ranges of files.
extension KernelBridge {
    func fallocate(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        offset: Int64,
        count: Int64,
        mode: Int32,
        reply: consuming EmptyReply
    ) {
        guard let allocation = Self.allocation(mode) else {
            reply.error(.notSupported)
            return
        }
        let (end, overflows) = offset.addingReportingOverflow(count)
        guard offset >= 0, count > 0 else {
            reply.error(.invalid)
            return
        }
        guard !overflows, end <= Limits.fileBytesMax else {
            reply.error(.fileTooLarge)
            return
        }
        do throws(Obstacle) {
            try files.allocate(handle, offset..<end, allocation, clearsSetID: Self.clearsSetID(request))
            whenWritten(handle, of: local(inode), reply) { reply in reply.success() }
        } catch {
            overcome(error, reply) { [self] reply in
                fallocate(request, inode: inode, handle: handle, offset: offset, count: count, mode: mode, reply: reply)
            }
        }
    }

    /// FALLOC_FL_KEEP_SIZE is 1, PUNCH_HOLE 2 (always with KEEP_SIZE), ZERO_RANGE 16. Others are refused: programs that
    /// use them go on without.
    private static func allocation(_ mode: Int32) -> FileSystem.Allocation? {
        switch mode {
        case 0: .reserve(keepsSize: false)
        case 1: .reserve(keepsSize: true)
        case 3: .punch
        case 16: .zero(keepsSize: false)
        case 17: .zero(keepsSize: true)
        default: nil
        }
    }

    func lseek(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        offset: Int64,
        whence: Int32,
        reply: consuming SeekReply
    ) {
        guard offset >= 0 else {
            reply.error(.noSuchDevice)
            return
        }
        do throws(Obstacle) {
            // SEEK_DATA is 3, SEEK_HOLE 4.
            switch whence {
            case 3: reply.offset(try files.nextData(handle, from: offset))
            case 4: reply.offset(try files.nextHole(handle, from: offset))
            default: reply.error(.invalid)
            }
        } catch {
            overcome(error, reply) { [self] reply in
                lseek(request, inode: inode, handle: handle, offset: offset, whence: whence, reply: reply)
            }
        }
    }

    /// These two calls do not say whether the caller may keep setuid and setgid as writing does. On a disk whoever has
    /// CAP_FSETID may: root.
    private static func clearsSetID(_ request: FUSERequest) -> Bool { request.userID != 0 }

    func copyFileRange(_ request: FUSERequest, _ copy: FUSECopy, reply: consuming WriteReply) {
        do throws(Obstacle) {
            let count = try files.copy(
                from: (copy.sourceHandle, copy.sourceOffset),
                to: (copy.targetHandle, copy.targetOffset),
                count: copy.count,
                clearsSetID: Self.clearsSetID(request)
            )
            whenWritten(copy.targetHandle, of: local(copy.target), reply) { reply in reply.written(count) }
        } catch {
            overcome(error, reply) { [self] reply in copyFileRange(request, copy, reply: reply) }
        }
    }
}
