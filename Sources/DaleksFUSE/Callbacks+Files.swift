import CFuse
import DaleksSystem
import Glibc

/// Open files.
extension Callbacks {
    static func addFiles(_ operations: inout fuse_lowlevel_ops) {
        operations.open = { Callbacks.open($0, $1, $2) }
        operations.create = { Callbacks.create($0, $1, $2, $3, $4) }
        operations.read = { Callbacks.read($0, $1, $2, $3, $4) }
        operations.write = { Callbacks.write($0, $1, $2, $3, $4, $5) }
        operations.flush = { Callbacks.flush($0, $1, $2) }
        operations.release = { Callbacks.release($0, $1, $2) }
        operations.fsync = { Callbacks.fsync($0, $1, $2, $3) }
        operations.getlk = { Callbacks.getlk($0, $1, $2, $3) }
        operations.setlk = { Callbacks.setlk($0, $1, $2, $3, $4) }
        operations.flock = { Callbacks.flock($0, $1, $2, $3) }
        operations.fallocate = { Callbacks.fallocate($0, $1, $2, $3, $4, $5) }
        operations.copy_file_range = { Callbacks.copyFileRange($0, $1, $2, $3, $4, $5, $6, $7, $8) }
        operations.lseek = { Callbacks.lseek($0, $1, $2, $3, $4) }
    }

    private static func open(_ raw: Raw, _ inode: UInt64, _ info: Info) {
        guard let call = Call(raw), let info else { return }
        call.fileSystem.open(
            call.request,
            inode: inode,
            flags: FUSEOpenFlags(bits: info.pointee.flags),
            reply: OpenReply(call.pending())
        )
    }

    private static func create(_ raw: Raw, _ parent: UInt64, _ name: Text, _ mode: mode_t, _ info: Info) {
        guard let call = Call(raw), let info, let name = call.name(name) else { return }
        call.fileSystem.create(
            call.request,
            parent: parent,
            name: name,
            mode: mode,
            flags: FUSEOpenFlags(bits: info.pointee.flags),
            reply: CreateReply(call.pending())
        )
    }

    private static func read(_ raw: Raw, _ inode: UInt64, _ count: Int, _ offset: off_t, _ info: Info) {
        guard let call = Call(raw), let info else { return }
        call.fileSystem.read(
            call.request,
            inode: inode,
            handle: info.pointee.fh,
            offset: Int64(offset),
            count: count,
            flags: FUSEOpenFlags(bits: info.pointee.flags),
            reply: ReadReply(call.pending(), count: count)
        )
    }

    private static func write(
        _ raw: Raw,
        _ inode: UInt64,
        _ bytes: Text,
        _ count: Int,
        _ offset: off_t,
        _ info: Info
    ) {
        guard let call = Call(raw), let info else { return }
        call.fileSystem.write(
            call.request,
            FUSEWrite(
                inode: inode,
                handle: info.pointee.fh,
                offset: Int64(offset),
                flags: FUSEOpenFlags(bits: info.pointee.flags),
                lockOwner: info.pointee.lock_owner,
                isFromPageCache: info.pointee.writepage != 0
            ),
            bytes: UnsafeRawBufferPointer(start: bytes, count: count),
            reply: WriteReply(call.pending())
        )
    }

    private static func flush(_ raw: Raw, _ inode: UInt64, _ info: Info) {
        guard let call = Call(raw), let info else { return }
        call.fileSystem.flush(
            call.request,
            inode: inode,
            handle: info.pointee.fh,
            lockOwner: info.pointee.lock_owner,
            reply: EmptyReply(call.pending())
        )
    }

    private static func release(_ raw: Raw, _ inode: UInt64, _ info: Info) {
        guard let call = Call(raw), let info else { return }
        let release = FUSERelease(
            inode: inode,
            handle: info.pointee.fh,
            flags: FUSEOpenFlags(bits: info.pointee.flags),
            unlocksOwner: info.pointee.flock_release != 0 ? info.pointee.lock_owner : nil
        )
        call.fileSystem.release(call.request, release, reply: EmptyReply(call.pending()))
    }

    private static func fsync(_ raw: Raw, _ inode: UInt64, _ dataOnly: Int32, _ info: Info) {
        guard let call = Call(raw), let info else { return }
        call.fileSystem.fsync(
            call.request,
            inode: inode,
            handle: info.pointee.fh,
            dataOnly: dataOnly != 0,
            reply: EmptyReply(call.pending())
        )
    }

    private static func getlk(_ raw: Raw, _ inode: UInt64, _ info: Info, _ lock: UnsafeMutablePointer<Glibc.flock>?) {
        guard let call = Call(raw), let info, let lock else { return }
        call.fileSystem.getlk(
            call.request,
            inode: inode,
            handle: info.pointee.fh,
            owner: info.pointee.lock_owner,
            lock: FUSELock(lock.pointee),
            reply: LockReply(call.pending())
        )
    }

    private static func setlk(
        _ raw: Raw,
        _ inode: UInt64,
        _ info: Info,
        _ lock: UnsafeMutablePointer<Glibc.flock>?,
        _ waits: Int32
    ) {
        guard let call = Call(raw), let info, let lock else { return }
        call.fileSystem.setlk(
            call.request,
            inode: inode,
            handle: info.pointee.fh,
            owner: info.pointee.lock_owner,
            lock: FUSELock(lock.pointee),
            waits: waits != 0,
            reply: EmptyReply(call.pending())
        )
    }

    private static func flock(_ raw: Raw, _ inode: UInt64, _ info: Info, _ operation: Int32) {
        guard let call = Call(raw), let info else { return }
        let kind: FUSELock.Kind =
            switch operation & ~LOCK_NB {
            case LOCK_SH: .read
            case LOCK_EX: .write
            default: .unlock
            }
        call.fileSystem.flock(
            call.request,
            inode: inode,
            handle: info.pointee.fh,
            owner: info.pointee.lock_owner,
            kind: kind,
            waits: operation & LOCK_NB == 0,
            reply: EmptyReply(call.pending())
        )
    }

    private static func fallocate(
        _ raw: Raw,
        _ inode: UInt64,
        _ mode: Int32,
        _ offset: off_t,
        _ count: off_t,
        _ info: Info
    ) {
        guard let call = Call(raw), let info else { return }
        call.fileSystem.fallocate(
            call.request,
            inode: inode,
            handle: info.pointee.fh,
            offset: Int64(offset),
            count: Int64(count),
            mode: mode,
            reply: EmptyReply(call.pending())
        )
    }

    private static func copyFileRange(
        _ raw: Raw,
        _ source: UInt64,
        _ sourceOffset: off_t,
        _ sourceInfo: Info,
        _ target: UInt64,
        _ targetOffset: off_t,
        _ targetInfo: Info,
        _ count: Int,
        _ flags: Int32
    ) {
        guard let call = Call(raw), let sourceInfo, let targetInfo else { return }
        let copy = FUSECopy(
            source: source,
            sourceHandle: sourceInfo.pointee.fh,
            sourceOffset: Int64(sourceOffset),
            target: target,
            targetHandle: targetInfo.pointee.fh,
            targetOffset: Int64(targetOffset),
            count: count
        )
        call.fileSystem.copyFileRange(call.request, copy, reply: WriteReply(call.pending()))
    }

    private static func lseek(_ raw: Raw, _ inode: UInt64, _ offset: off_t, _ whence: Int32, _ info: Info) {
        guard let call = Call(raw), let info else { return }
        call.fileSystem.lseek(
            call.request,
            inode: inode,
            handle: info.pointee.fh,
            offset: Int64(offset),
            whence: whence,
            reply: SeekReply(call.pending())
        )
    }
}
