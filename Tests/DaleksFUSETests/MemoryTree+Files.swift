import CFuse
import DaleksCore
import DaleksFUSE
import DaleksSystem
import Glibc

extension MemoryTree {
    static func resize(_ node: inout Inode, to size: Int) {
        if size < node.data.count {
            node.data.removeLast(node.data.count - size)
        } else {
            node.data += [UInt8](repeating: 0, count: size - node.data.count)
        }
        node.attributes.size = Int64(size)
        node.attributes.blockCount = Int64(size + 511) / 512
        node.attributes.modified = now()
    }

    func open(_ request: FUSERequest, inode: UInt64, flags: FUSEOpenFlags, reply: consuming OpenReply) {
        state.withLock { state in
            if flags.truncates, var node = state.inodes[inode] {
                Self.resize(&node, to: 0)
                if flags.clearsSetID {
                    node.attributes.mode &= ~0o6000
                    state.clearedSetID += 1
                }
                state.inodes[inode] = node
            }
            state.openHandles += 1
        }
        reply.opened(handle: inode + 1_000, options: .keepsCache)
    }

    func create(
        _ request: FUSERequest,
        parent: UInt64,
        name: FUSEName,
        mode: UInt32,
        flags: FUSEOpenFlags,
        reply: consuming CreateReply
    ) {
        note("create")
        switch make(request, parent: parent, name: Array(name), mode: S_IFREG | mode) {
        case .success(let entry):
            state.withLock { $0.openHandles += 1 }
            reply.created(entry, handle: entry.inode + 1_000, options: .keepsCache)
        case .failure(let error): reply.error(error)
        }
    }

    func release(_ request: FUSERequest, _ release: FUSERelease, reply: consuming EmptyReply) {
        state.withLock { $0.openHandles -= 1 }
        if let owner = release.unlocksOwner { unlock(release.inode, owner: owner, FUSELock(kind: .unlock)) }
        reply.success()
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
        note("read")
        guard let node = state.withLock({ $0.inodes[inode] }), handle == inode + 1_000 else {
            reply.error(.badDescriptor)
            return
        }
        let kind = String(decoding: node.name.prefix { $0 != UInt8(ascii: "-") }, as: UTF8.self)
        let bytes = node.data.dropFirst(Int(offset)).prefix(count)
        switch kind {
        case "descriptor": reply.file(backing.raw, offset: offset)
        case "parts":
            let parts = stride(from: bytes.startIndex, to: bytes.endIndex, by: 1_000).map {
                Array(bytes[$0..<min($0 + 1_000, bytes.endIndex)])
            }
            let joined = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, bytes.count), alignment: 1)
            defer { joined.deallocate() }
            var vectors: [UnsafeRawBufferPointer] = []
            var used = 0
            for part in parts {
                let place = UnsafeMutableRawBufferPointer(rebasing: joined[used..<used + part.count])
                place.copyBytes(from: part)
                vectors.append(UnsafeRawBufferPointer(place))
                used += part.count
            }
            reply.bytes(vectors)
        case "slow":
            let parked = reply.park()
            parkedReads.withLock { $0.append(parked) }
            parkedReads.broadcast()
        case "memory":
            let slot = Slot(reply)
            _ = Array(bytes).withUnsafeBytes { slot.take()?.bytes($0) }
        case "broken": reply.fill { (_) throws(Errno) in throw .timedOut }
        default:
            reply.fill { buffer in
                buffer.copyBytes(from: bytes)
                return bytes.count
            }
        }
    }

    func write(_ request: FUSERequest, _ write: FUSEWrite, bytes: UnsafeRawBufferPointer, reply: consuming WriteReply) {
        note("write")
        state.withLock { state in
            guard var node = state.inodes[write.inode] else { return }
            state.inodes[write.inode] = nil
            let end = Int(write.offset) + bytes.count
            if node.data.count < end { Self.resize(&node, to: end) }
            node.data.withUnsafeMutableBytes { data in
                UnsafeMutableRawBufferPointer(rebasing: data[Int(write.offset)..<end]).copyMemory(from: bytes)
            }
            node.attributes.modified = Self.now()
            if write.clearsSetID {
                node.attributes.mode &= ~0o6000
                state.clearedSetID += 1
            }
            state.inodes[write.inode] = node
        }
        reply.written(bytes.count)
    }

    func flush(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        lockOwner: UInt64,
        reply: consuming EmptyReply
    ) {
        note("flush")
        reply.success()
    }

    func fsync(_ request: FUSERequest, inode: UInt64, handle: UInt64, dataOnly: Bool, reply: consuming EmptyReply) {
        note(dataOnly ? "fdatasync" : "fsync")
        reply.success()
    }

    func fsyncdir(_ request: FUSERequest, inode: UInt64, handle: UInt64, dataOnly: Bool, reply: consuming EmptyReply) {
        note("fsyncdir")
        reply.success()
    }

    func getlk(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        owner: UInt64,
        lock: FUSELock,
        reply: consuming LockReply
    ) {
        reply.conflict(
            state.withLock { state in
                state.inodes[inode].flatMap { Self.conflict(lock, of: owner, in: $0) }
            }
        )
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
        note("setlk")
        if lock.kind == .unlock {
            unlock(inode, owner: owner, lock)
            reply.success()
            return
        }
        let isGranted = state.withLock { state in Self.grant(lock, to: owner, inode, &state) }
        if isGranted {
            reply.success()
        } else if waits {
            let parked = reply.park { [self] parked in
                note("lock interrupted")
                parked.take()?.error(.interrupted)
            }
            state.withLock { $0.inodes[inode]?.waiting.append((owner, lock, parked)) }
            note("lock waiting")
        } else {
            reply.error(.tryAgain)
        }
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
        note("flock")
        let lock = FUSELock(kind: kind)
        setlk(request, inode: inode, handle: handle, owner: owner, lock: lock, waits: waits, reply: reply)
    }

    private static func conflict(_ lock: FUSELock, of owner: UInt64, in node: Inode) -> FUSELock? {
        node.locks.first { held in
            held.owner != owner && held.lock.start <= lock.end && lock.start <= held.lock.end
                && (held.lock.kind == .write || lock.kind == .write)
        }?.lock
    }

    private static func grant(_ lock: FUSELock, to owner: UInt64, _ inode: UInt64, _ state: inout State) -> Bool {
        guard let node = state.inodes[inode], conflict(lock, of: owner, in: node) == nil else { return false }
        state.inodes[inode]?.locks.append((owner, lock))
        return true
    }

    private func unlock(_ inode: UInt64, owner: UInt64, _ lock: FUSELock) {
        let granted: [ParkedReply<EmptyReply>] = state.withLock { state in
            guard var node = state.inodes[inode] else { return [] }
            node.locks.removeAll { $0.owner == owner }
            let waiting = node.waiting
            node.waiting = []
            state.inodes[inode] = node
            var granted: [ParkedReply<EmptyReply>] = []
            for waiter in waiting where !waiter.reply.isTaken {
                if Self.grant(waiter.lock, to: waiter.owner, inode, &state) {
                    granted.append(waiter.reply)
                } else {
                    state.inodes[inode]?.waiting.append(waiter)
                }
            }
            return granted
        }
        for reply in granted { reply.take()?.success() }
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
        let punches = mode & 2 != 0
        state.withLock { state in
            guard var node = state.inodes[inode] else { return }
            let end = Int(offset + count)
            if punches {
                for index in Int(offset)..<min(end, node.data.count) { node.data[index] = 0 }
            } else if node.data.count < end {
                Self.resize(&node, to: end)
            }
            state.inodes[inode] = node
        }
        reply.success()
    }

    func copyFileRange(_ request: FUSERequest, _ copy: FUSECopy, reply: consuming WriteReply) {
        note("copy_file_range")
        let copied = state.withLock { state -> Int in
            guard let source = state.inodes[copy.source], var target = state.inodes[copy.target] else { return 0 }
            let bytes = Array(source.data.dropFirst(Int(copy.sourceOffset)).prefix(copy.count))
            let end = Int(copy.targetOffset) + bytes.count
            if target.data.count < end { Self.resize(&target, to: end) }
            target.data.replaceSubrange(Int(copy.targetOffset)..<end, with: bytes)
            state.inodes[copy.target] = target
            return bytes.count
        }
        reply.written(copied)
    }

    /// A byte of zero is a hole, another is data.
    func lseek(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        offset: Int64,
        whence: Int32,
        reply: consuming SeekReply
    ) {
        let seeksHole = whence == Seek.hole
        let found: Int? = state.withLock { state in
            guard let data = state.inodes[inode]?.data, offset < data.count else { return nil }
            let index = data[Int(offset)...].firstIndex { ($0 == 0) == seeksHole }
            return index ?? (seeksHole ? data.count : nil)
        }
        guard let found else {
            reply.error(.noSuchDevice)
            return
        }
        reply.offset(Int64(found))
    }
}

/// A reply on its way into a closure that is called once.
final class Slot<Reply: FUSEReply & ~Copyable>: Sendable {
    private let slot: Lock<Reply?>
    init(_ reply: consuming Reply) { slot = Lock(reply) }
    func take() -> Reply? { slot.withLock { $0.take() } }
}
