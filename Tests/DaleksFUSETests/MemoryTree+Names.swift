import CFuse
import DaleksCore
import DaleksFUSE
import DaleksSystem
import Glibc

extension MemoryTree {
    func lookup(_ request: FUSERequest, parent: UInt64, name: FUSEName, reply: consuming EntryReply) {
        let name = Array(name)
        note("lookup")
        if name == Array("dropped".utf8) { return }
        if name == Array("later".utf8) {
            let parked = reply.park { [self] parked in
                note("interrupted")
                parked.take()?.error(.interrupted)
            }
            parkedLookups.withLock { $0.append(parked) }
            parkedLookups.broadcast()
            return
        }
        if name.starts(with: "block".utf8) {
            note("blocked")
            gate.wait()
        }
        answer(
            state.withLock { state in
                guard let child = state.inodes[parent]?.children[name] else { return .failure(.noEntry) }
                guard var node = state.inodes[child.inode] else { return .failure(.stale) }
                node.lookupCount += 1
                state.inodes[child.inode] = node
                return .success(entry(node))
            },
            reply
        )
    }

    func forget(_ forgotten: UnsafeBufferPointer<FUSEForget>) {
        for forget in forgotten {
            state.withLock { state in
                state.counts["forgotten", default: 0] += Int(forget.count)
                guard var node = state.inodes[forget.inode] else { return }
                node.lookupCount -= min(node.lookupCount, forget.count)
                state.inodes[forget.inode] = node
                Self.freeWhereUnused(forget.inode, &state)
            }
        }
    }

    func getattr(_ request: FUSERequest, inode: UInt64, handle: UInt64?, reply: consuming AttributesReply) {
        note("getattr")
        guard let node = state.withLock({ $0.inodes[inode] }) else {
            reply.error(.stale)
            return
        }
        reply.attributes(node.attributes, validFor: validFor)
    }

    func setattr(
        _ request: FUSERequest,
        inode: UInt64,
        changes: FUSEAttributeChanges,
        handle: UInt64?,
        reply: consuming AttributesReply
    ) {
        let now = Self.now()
        let node: Inode? = state.withLock { state in
            guard var node = state.inodes[inode] else { return nil }
            let type = node.attributes.mode & S_IFMT
            if let mode = changes.mode { node.attributes.mode = type | mode & 0o7777 }
            if changes.clearsSetID {
                node.attributes.mode &= ~0o6000
                state.clearedSetID += 1
            }
            node.attributes.userID = changes.userID ?? node.attributes.userID
            node.attributes.groupID = changes.groupID ?? node.attributes.groupID
            if let size = changes.size { Self.resize(&node, to: Int(size)) }
            node.attributes.accessed = Self.time(changes.accessed, now) ?? node.attributes.accessed
            node.attributes.modified = Self.time(changes.modified, now) ?? node.attributes.modified
            node.attributes.changed = now
            state.inodes[inode] = node
            return node
        }
        guard let node else {
            reply.error(.stale)
            return
        }
        reply.attributes(node.attributes, validFor: validFor)
    }

    private static func time(_ time: FUSEAttributeChanges.Time?, _ now: Timestamp) -> Timestamp? {
        switch time {
        case .now: now
        case .at(let time): time
        case nil: nil
        }
    }

    func readlink(_ request: FUSERequest, inode: UInt64, reply: consuming ReadlinkReply) {
        reply.target(state.withLock { $0.inodes[inode]?.target ?? [] })
    }

    func mknod(
        _ request: FUSERequest,
        parent: UInt64,
        name: FUSEName,
        mode: UInt32,
        device: UInt64,
        reply: consuming EntryReply
    ) {
        note("mknod")
        answer(make(request, parent: parent, name: Array(name), mode: mode, device: device), reply)
    }

    func mkdir(_ request: FUSERequest, parent: UInt64, name: FUSEName, mode: UInt32, reply: consuming EntryReply) {
        answer(make(request, parent: parent, name: Array(name), mode: S_IFDIR | mode), reply)
    }

    func symlink(
        _ request: FUSERequest,
        target: FUSEName,
        parent: UInt64,
        name: FUSEName,
        reply: consuming EntryReply
    ) {
        answer(
            make(request, parent: parent, name: Array(name), mode: S_IFLNK | 0o777, target: Array(target)),
            reply
        )
    }

    func unlink(_ request: FUSERequest, parent: UInt64, name: FUSEName, reply: consuming EmptyReply) {
        let name = Array(name)
        answer(
            state.withLock { state in
                guard let child = state.inodes[parent]?.children[name] else { return .failure(.noEntry) }
                Self.detach(name, in: parent, &state)
                Self.dropLink(child.inode, &state)
                return .success(())
            },
            reply
        )
    }

    func rmdir(_ request: FUSERequest, parent: UInt64, name: FUSEName, reply: consuming EmptyReply) {
        let name = Array(name)
        answer(
            state.withLock { state in
                guard let child = state.inodes[parent]?.children[name] else { return .failure(.noEntry) }
                guard state.inodes[child.inode]?.children.isEmpty ?? true else { return .failure(.notEmpty) }
                Self.detach(name, in: parent, &state)
                state.inodes[parent]?.attributes.linkCount -= 1
                Self.dropLink(child.inode, &state)
                return .success(())
            },
            reply
        )
    }

    func rename(
        _ request: FUSERequest,
        parent: UInt64,
        name: FUSEName,
        newParent: UInt64,
        newName: FUSEName,
        flags: FUSERenameFlags,
        reply: consuming EmptyReply
    ) {
        let (name, newName) = (Array(name), Array(newName))
        answer(
            state.withLock { state in
                guard let moved = state.inodes[parent]?.children[name] else { return .failure(.noEntry) }
                let replaced = state.inodes[newParent]?.children[newName]
                if flags.contains(.noReplace), replaced != nil { return .failure(.exists) }
                if flags.contains(.exchange) {
                    guard let replaced else { return .failure(.noEntry) }
                    state.inodes[parent]?.children[name]?.inode = replaced.inode
                    state.inodes[newParent]?.children[newName]?.inode = moved.inode
                    return .success(())
                }
                Self.detach(name, in: parent, &state)
                Self.detach(newName, in: newParent, &state)
                Self.attach(newName, to: moved.inode, in: newParent, &state)
                if let replaced { Self.dropLink(replaced.inode, &state) }
                return .success(())
            },
            reply
        )
    }

    func link(
        _ request: FUSERequest,
        inode: UInt64,
        newParent: UInt64,
        newName: FUSEName,
        reply: consuming EntryReply
    ) {
        let newName = Array(newName)
        answer(
            state.withLock { state in
                guard var node = state.inodes[inode] else { return .failure(.stale) }
                guard state.inodes[newParent]?.children[newName] == nil else { return .failure(.exists) }
                node.attributes.linkCount += 1
                node.lookupCount += 1
                state.inodes[inode] = node
                Self.attach(newName, to: inode, in: newParent, &state)
                return .success(entry(node))
            },
            reply
        )
    }

    func readdir(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        offset: Int64,
        reply: consuming DirectoryReply
    ) {
        note(reply.isPlus ? "readdirplus" : "readdir")
        let isPlus = reply.isPlus
        reply.entries { (entries) throws(Errno) in
            try self.state.withLock { state throws(Errno) in
                guard let folder = state.inodes[inode] else { throw .stale }
                for (name, cookie) in [(".", Int64(1)), ("..", 2)] where cookie > offset {
                    guard entries.add(name: Array(name.utf8), inode: 1, mode: S_IFDIR, nextOffset: cookie) else {
                        return
                    }
                }
                for (cookie, name) in folder.order[folder.index(after: offset)...] {
                    guard let child = folder.children[name], let node = state.inodes[child.inode] else { continue }
                    guard entries.add(name: name, entry: self.entry(node), nextOffset: cookie) else { return }
                    if isPlus { state.inodes[child.inode]?.lookupCount += 1 }
                }
            }
        }
    }

    func readdirplus(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        offset: Int64,
        reply: consuming DirectoryReply
    ) {
        readdir(request, inode: inode, handle: handle, offset: offset, reply: reply)
    }

    func statfs(_ request: FUSERequest, inode: UInt64, reply: consuming StatisticsReply) {
        reply.statistics(
            FUSEStatistics(blockBytes: 4_096, blockCount: 1_000, freeBlockCount: 600, availableBlockCount: 500)
        )
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
        let mustBeNew = flags & Xattr.create != 0
        answer(
            state.withLock { state in
                if mustBeNew, state.inodes[inode]?.xattrs[name] != nil { return .failure(.exists) }
                state.inodes[inode]?.xattrs[name] = value
                return .success(())
            },
            reply
        )
    }

    func getxattr(_ request: FUSERequest, inode: UInt64, name: FUSEName, reply: consuming XattrReply) {
        let name = Array(name)
        note("getxattr \(String(decoding: name, as: UTF8.self))")
        guard let value = state.withLock({ $0.inodes[inode]?.xattrs[name] }) else {
            reply.error(.noData)
            return
        }
        reply.value(value)
    }

    func listxattr(_ request: FUSERequest, inode: UInt64, reply: consuming XattrReply) {
        reply.value(
            state.withLock { $0.inodes[inode]?.xattrs.keys.sorted { $0.count < $1.count }.flatMap { $0 + [0] } ?? [] }
        )
    }

    func removexattr(_ request: FUSERequest, inode: UInt64, name: FUSEName, reply: consuming EmptyReply) {
        let name = Array(name)
        answer(
            state.withLock { state in
                state.inodes[inode]?.xattrs.removeValue(forKey: name) == nil ? .failure(.noData) : .success(())
            },
            reply
        )
    }
}
