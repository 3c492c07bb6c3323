import DaleksCore
import DaleksFUSE
import DaleksSystem
import Glibc

/// Bytes.
extension LossyFileSystem {
    func open(_ request: FUSERequest, inode: UInt64, flags: FUSEOpenFlags, reply: consuming OpenReply) {
        let now = TimeSource.system.wall
        if flags.truncates { image.withLock { $0.change(inode, .resize(0), at: now) } }
        reply.opened(handle: 1, options: .keepsCache)
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
        let bytes = image.withLock { image in
            image.nodes[inode].map { Array($0.data.dropFirst(Int(offset)).prefix(count)) } ?? []
        }
        reply.fill { buffer in
            buffer.copyBytes(from: bytes)
            return bytes.count
        }
    }

    func write(_ request: FUSERequest, _ write: FUSEWrite, bytes: UnsafeRawBufferPointer, reply: consuming WriteReply) {
        let (now, copy) = (TimeSource.system.wall, Array(bytes))
        image.withLock { $0.change(write.inode, .write(Int(write.offset), copy), at: now) }
        reply.written(copy.count)
    }

    func fsync(_ request: FUSERequest, inode: UInt64, handle: UInt64, dataOnly: Bool, reply: consuming EmptyReply) {
        image.withLock { $0.synchronize(inode) }
        reply.success()
    }

    func fsyncdir(_ request: FUSERequest, inode: UInt64, handle: UInt64, dataOnly: Bool, reply: consuming EmptyReply) {
        image.withLock { $0.synchronize(inode) }
        reply.success()
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
        let now = TimeSource.system.wall
        image.withLock { image in
            guard let size = image.nodes[inode]?.data.count else { return }
            let end = Int(offset + count)
            if mode & 2 != 0 {
                let zeros = [UInt8](repeating: 0, count: max(0, min(end, size) - Int(offset)))
                if !zeros.isEmpty { image.change(inode, .write(Int(offset), zeros), at: now) }
            } else if mode & 1 == 0, end > size {
                image.change(inode, .resize(end), at: now)
            }
        }
        reply.success()
    }

    func statfs(_ request: FUSERequest, inode: UInt64, reply: consuming StatisticsReply) {
        reply.statistics(FUSEStatistics(blockBytes: 4_096, blockCount: 1 << 24, freeBlockCount: 1 << 23))
    }

    func setxattr(
        _ request: FUSERequest,
        inode: UInt64,
        name: FUSEName,
        value: UnsafeRawBufferPointer,
        flags: Int32,
        reply: consuming EmptyReply
    ) {
        let (name, value) = (Array(name), Array(value))
        image.withLock { $0.nodes[inode]?.attributes[name] = value }
        reply.success()
    }

    func getxattr(_ request: FUSERequest, inode: UInt64, name: FUSEName, reply: consuming XattrReply) {
        let name = Array(name)
        guard let value = image.withLock({ $0.nodes[inode]?.attributes[name] }) else {
            reply.error(.noData)
            return
        }
        reply.value(value)
    }
}
