import DaleksCache
import DaleksCore
import DaleksFUSE
import DaleksSync
import DaleksSystem
import DaleksVFS
import Glibc

/// Open files and attributes by name.
extension KernelBridge {
    func open(_ request: FUSERequest, inode: UInt64, flags: FUSEOpenFlags, reply: consuming OpenReply) {
        let inode = local(inode)
        guard durability >= .closeRegion else { return open(inode, flags, reply) }
        catchUp(andAround: inode, isHeard: true, reply) { [self] reply in
            // The name by which it was found may be another's by now: on this the kernel looks it up once more.
            if moved.mustLookAgain(inode, process: request.processID) { return reply.refuse(.stale) }
            open(inode, flags, reply)
        }
    }

    private func open(_ inode: Inode, _ flags: FUSEOpenFlags, _ reply: consuming OpenReply) {
        do throws(Obstacle) {
            let handle = try open(inode, flags)
            guard flags.truncates else { return send(handle, of: inode, flags, reply) }
            whenWritten(handle, of: inode, reply) { [self] reply in send(handle, of: inode, flags, reply) }
        } catch {
            overcome(error, reply) { [self] reply in open(inode, flags, reply) }
        }
    }

    private func send(_ handle: UInt64, of inode: Inode, _ flags: FUSEOpenFlags, _ reply: consuming OpenReply) {
        // Pages of an earlier open are good: when the content changes elsewhere they are taken back at once.
        if !reply.opened(handle: handle, options: openOptions(inode, flags)) { try? files.close(handle) }
    }

    /// Pages stay good between opens. Closing reports nothing, unless it waits for the region: what was written is in
    /// the backing file and marked, which a crash survives, and the journal gets it with the release or before a
    /// rename, whichever comes first.
    ///
    /// Where locks come here, closing ends them, so that it must be heard of: of what is opened to be written, and of
    /// files that are locked already. Else a lock on what was opened to be read ends with its last descriptor.
    private func openOptions(_ inode: Inode, _ flags: FUSEOpenFlags) -> FUSEOpenOptions {
        guard durability < .closeRegion else { return [.keepsCache] }
        let mayEndLocks = keepsLocks && (flags.access != .read || engine.locks.concerns(inode))
        return mayEndLocks ? [.keepsCache] : [.keepsCache, .skipsFlush]
    }

    private func open(_ inode: Inode, _ flags: FUSEOpenFlags) throws(Obstacle) -> UInt64 {
        if flags.truncates, flags.clearsSetID {
            var request = FileSystem.AttributeRequest()
            request.clearsSetID = true
            _ = try files.setAttributes(of: inode, request)
        }
        return try files.open(
            inode,
            truncates: flags.truncates,
            appends: flags.appends,
            isSynchronous: flags.isSynchronous,
            writes: flags.access != .read
        )
    }

    func create(
        _ request: FUSERequest,
        parent: UInt64,
        name: FUSEName,
        mode: UInt32,
        flags: FUSEOpenFlags,
        reply: consuming CreateReply
    ) {
        do throws(Obstacle) {
            let making = FileSystem.Making(.file, mode: mode, caller: request.caller)
            let name = try Self.name(name)
            // Where the region decides about it, what it has need not be known first.
            if durability == .writeRegion { return createAtRegion(local(parent), name, making, flags, reply) }
            whenCaughtUp(reply) { [self] reply in create(local(parent), name, making, flags, reply) }
        } catch {
            overcome(error, reply) { _ in }
        }
    }

    private func create(
        _ parent: Inode,
        _ name: Name,
        _ making: FileSystem.Making,
        _ flags: FUSEOpenFlags,
        _ reply: consuming CreateReply
    ) {
        guard durability < .closeRegion else { return createAtRegion(parent, name, making, flags, reply) }
        let epoch = engine.epoch
        do throws(Obstacle) {
            let (node, handle) = try createOpen(parent, name, making, flags)
            send(node, handle, flags, since: epoch, reply)
        } catch {
            overcome(error, reply) { [self] reply in create(parent, name, making, flags, reply) }
        }
    }

    /// The same, where the region has the name before anybody has the file open.
    private func createAtRegion(
        _ parent: Inode,
        _ name: Name,
        _ making: FileSystem.Making,
        _ flags: FUSEOpenFlags,
        _ reply: consuming CreateReply
    ) {
        let epoch = engine.epoch
        changeNames(in: [parent], reply) { [files] question throws(Obstacle) -> LocalNode? in
            do throws(Obstacle) {
                return try files.make(making, name, in: parent, asking: question)
            } catch {
                // Somebody else made it first.
                guard error == .errno(.exists), !flags.isExclusive else { throw error }
                return nil
            }
        } then: { [self] node, reply in
            if let node { return finish(node, flags, since: epoch, reply) }
            catchUp(with: [parent], reply) { [self] reply in openExisting(parent, name, making, flags, reply) }
        }
    }

    /// Somebody else's file, unless it is gone again: then it is made after all.
    private func openExisting(
        _ parent: Inode,
        _ name: Name,
        _ making: FileSystem.Making,
        _ flags: FUSEOpenFlags,
        _ reply: consuming CreateReply
    ) {
        let epoch = engine.epoch
        do throws(Obstacle) {
            let node = try files.lookup(name, in: parent)
            finish(node, flags, since: epoch, reply)
        } catch {
            if error == .errno(.noEntry) { return createAtRegion(parent, name, making, flags, reply) }
            overcome(error, reply) { [self] reply in openExisting(parent, name, making, flags, reply) }
        }
    }

    private func finish(_ node: LocalNode, _ flags: FUSEOpenFlags, since epoch: UInt64, _ reply: consuming CreateReply)
    {
        do throws(Obstacle) {
            let handle = try open(node.inode, flags)
            guard flags.truncates else { return send(node, handle, flags, since: epoch, reply) }
            whenWritten(handle, of: node.inode, reply) { [self] reply in
                send(node, handle, flags, since: epoch, reply)
            }
        } catch {
            overcome(error, reply) { [self] reply in finish(node, flags, since: epoch, reply) }
        }
    }

    private func send(
        _ node: LocalNode,
        _ handle: UInt64,
        _ flags: FUSEOpenFlags,
        since epoch: UInt64,
        _ reply: consuming CreateReply
    ) {
        let options = openOptions(node.inode, flags)
        files.retain(node.inode)
        guard !reply.created(entry(node, since: epoch), handle: handle, options: options) else { return }
        files.forget(node.inode, count: 1)
        try? files.close(handle)
    }

    /// A new file and its handle, or the one that somebody else made first where O_EXCL does not forbid that.
    private func createOpen(
        _ parent: Inode,
        _ name: Name,
        _ making: FileSystem.Making,
        _ flags: FUSEOpenFlags
    ) throws(Obstacle) -> (node: LocalNode, handle: UInt64) {
        do throws(Obstacle) {
            return try files.create(
                making,
                name,
                in: parent,
                appends: flags.appends,
                isSynchronous: flags.isSynchronous
            )
        } catch {
            guard error == .errno(.exists), !flags.isExclusive else { throw error }
            let node = try files.lookup(name, in: parent)
            return (node, try open(node.inode, flags))
        }
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
        do throws(Obstacle) {
            let isScattered = try files.noteRead(handle, at: offset, count: count)
            read(handle, offset, count, isScattered, reply)
        } catch {
            overcome(error, reply) { _ in }
        }
    }

    private func read(
        _ handle: UInt64,
        _ offset: Int64,
        _ count: Int,
        _ isScattered: Bool,
        _ reply: consuming ReadReply
    ) {
        // What is lacking is found out before the reply is spent on a buffer.
        let glimpse: Glimpse?
        do throws(Obstacle) {
            glimpse = try files.requireReadable(handle, at: offset, count: count, isScattered: isScattered)
        } catch {
            overcome(error, reply) { [self] reply in read(handle, offset, count, isScattered, reply) }
            return
        }
        reply.fill { buffer throws(Errno) in
            do throws(Obstacle) {
                return try files.read(handle, into: buffer, at: offset, with: glimpse)
            } catch {
                // Lost between asking and reading: a newer content came in. The caller may ask again.
                if case .errno(let errno) = error { throw errno }
                throw .io
            }
        }
    }

    func write(
        _ request: FUSERequest,
        _ write: FUSEWrite,
        bytes: UnsafeRawBufferPointer,
        reply: consuming WriteReply
    ) {
        do throws(Obstacle) {
            answer(write, try put(bytes, write), reply)
        } catch {
            guard case .needs = error else { return overcome(error, reply) { _ in } }
            // The bytes are the request's own and go with this call, so a write that waits takes a copy.
            let copy = Array(bytes)
            overcome(error, reply) { [self] reply in self.write(write, copy, reply) }
        }
    }

    private func put(_ bytes: UnsafeRawBufferPointer, _ write: FUSEWrite) throws(Obstacle) -> Int {
        try files.write(
            write.handle,
            bytes,
            at: write.offset,
            clearsSetID: write.clearsSetID,
            isFromPageCache: write.isFromPageCache
        )
    }

    private func answer(_ write: FUSEWrite, _ count: Int, _ reply: consuming WriteReply) {
        // For pages of a map nobody waits yet: who asks for them by msync is answered by the fsync that comes then.
        guard !write.isFromPageCache else {
            reply.written(count)
            return
        }
        whenWritten(write.handle, of: local(write.inode), reply) { reply in reply.written(count) }
    }

    private func write(_ write: FUSEWrite, _ copy: [UInt8], _ reply: consuming WriteReply) {
        let outcome: Result<Int, Obstacle> = copy.withUnsafeBytes { bytes in
            do throws(Obstacle) {
                return .success(try put(bytes, write))
            } catch {
                return .failure(error)
            }
        }
        switch outcome {
        case .success(let count): answer(write, count, reply)
        case .failure(let obstacle):
            overcome(obstacle, reply) { [self] reply in self.write(write, copy, reply) }
        }
    }

    func flush(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        lockOwner: UInt64,
        reply: consuming EmptyReply
    ) {
        if keepsLocks { engine.locks.closed(local(inode), by: lockOwner, handle: handle) }
        guard durability >= .closeRegion else {
            reply.success()
            return
        }
        do throws(Obstacle) {
            try files.flush(handle)
            whenAtRegion(.closeRegion, .node(local(inode)), reply) { reply in reply.success() }
        } catch {
            overcome(error, reply) { _ in }
        }
    }

    func release(_ request: FUSERequest, _ release: FUSERelease, reply: consuming EmptyReply) {
        defer {
            // Not before what was written is saved: giving a lease back publishes that.
            if keepsLocks {
                engine.locks.released(local(release.inode), handle: release.handle, owner: release.unlocksOwner)
            }
        }
        do throws(Obstacle) {
            try files.close(release.handle)
            reply.success()
        } catch {
            overcome(error, reply) { _ in }
        }
    }

    func fsync(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        dataOnly: Bool,
        reply: consuming EmptyReply
    ) {
        do throws(Obstacle) {
            try files.synchronize(handle)
            whenAtRegion(.fsyncRegion, .node(local(inode)), reply) { reply in reply.success() }
        } catch {
            overcome(error, reply) { _ in }
        }
    }

}
