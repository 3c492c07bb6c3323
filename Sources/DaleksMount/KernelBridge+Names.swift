import DaleksCache
import DaleksCore
import DaleksFUSE
import DaleksSync
import DaleksSystem
import DaleksVFS
import Glibc

/// Making, renaming and removing names; listing folders.
extension KernelBridge {
    private func make(
        _ making: FileSystem.Making,
        _ parent: UInt64,
        _ rawName: FUSEName,
        _ reply: consuming EntryReply
    ) {
        do throws(Obstacle) {
            make(making, local(parent), try Self.name(rawName), reply)
        } catch {
            overcome(error, reply) { _ in }
        }
    }

    private func make(
        _ making: FileSystem.Making,
        _ parent: Inode,
        _ name: Name,
        _ reply: consuming EntryReply
    ) {
        let epoch = engine.epoch
        changeNames(in: [parent], reply) { [files] question throws(Obstacle) in
            try files.make(making, name, in: parent, asking: question)
        } then: { [self] node, reply in
            send(node, reply, since: epoch)
        }
    }

    func mknod(
        _ request: FUSERequest,
        parent: UInt64,
        name: FUSEName,
        mode: UInt32,
        device: UInt64,
        reply: consuming EntryReply
    ) {
        let kind: NodeKind
        switch mode & S_IFMT {
        case S_IFREG, 0: kind = .file
        case S_IFIFO: kind = .fifo
        case S_IFSOCK: kind = .socket
        case S_IFCHR: kind = .characterDevice
        case S_IFBLK: kind = .blockDevice
        default:
            reply.error(.invalid)
            return
        }
        let isDevice = kind == .characterDevice || kind == .blockDevice
        let number = isDevice ? UInt32(truncatingIfNeeded: device) : 0
        make(
            FileSystem.Making(kind, mode: mode, caller: request.caller, device: number),
            parent,
            name,
            reply
        )
    }

    func mkdir(_ request: FUSERequest, parent: UInt64, name: FUSEName, mode: UInt32, reply: consuming EntryReply) {
        make(FileSystem.Making(.folder, mode: mode, caller: request.caller), parent, name, reply)
    }

    func symlink(
        _ request: FUSERequest,
        target: FUSEName,
        parent: UInt64,
        name: FUSEName,
        reply: consuming EntryReply
    ) {
        make(
            FileSystem.Making(.symlink, mode: 0o777, caller: request.caller, target: Array(target)),
            parent,
            name,
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
        do throws(Obstacle) {
            link(local(inode), local(newParent), try Self.name(newName), reply)
        } catch {
            overcome(error, reply) { _ in }
        }
    }

    private func link(_ inode: Inode, _ parent: Inode, _ name: Name, _ reply: consuming EntryReply) {
        let epoch = engine.epoch
        changeNames(in: [parent], reply) { [files] question throws(Obstacle) in
            try files.link(inode, as: name, in: parent, asking: question)
        } then: { [self] node, reply in
            send(node, reply, since: epoch)
        }
    }

    func unlink(_ request: FUSERequest, parent: UInt64, name: FUSEName, reply: consuming EmptyReply) {
        remove(parent, name, isFolder: false, reply)
    }

    func rmdir(_ request: FUSERequest, parent: UInt64, name: FUSEName, reply: consuming EmptyReply) {
        remove(parent, name, isFolder: true, reply)
    }

    private func remove(_ parent: UInt64, _ rawName: FUSEName, isFolder: Bool, _ reply: consuming EmptyReply) {
        do throws(Obstacle) {
            remove(local(parent), try Self.name(rawName), isFolder, reply)
        } catch {
            overcome(error, reply) { _ in }
        }
    }

    private func remove(_ parent: Inode, _ name: Name, _ isFolder: Bool, _ reply: consuming EmptyReply) {
        do throws(Obstacle) {
            if let item = try files.itemToLeave(name, in: parent) { return leave(item, reply) }
        } catch {
            return overcome(error, reply) { [self] reply in remove(parent, name, isFolder, reply) }
        }
        changeNames(in: [parent], reply) { [files] question throws(Obstacle) in
            try files.remove(name, in: parent, isFolder: isFolder, asking: question)
        } then: { _, reply in
            reply.success()
        }
    }

    /// What somebody shares is not removed but given up: that the region must know first.
    private func leave(_ item: Inode, _ reply: consuming EmptyReply) {
        let parked = reply.park()
        engine.leave(item, within: regionDeadline) { errno in
            guard let reply = parked.take() else { return }
            if let errno { reply.error(errno) } else { reply.success() }
        }
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
        guard let rule = Self.rule(flags) else {
            reply.error(.invalid)
            return
        }
        do throws(Obstacle) {
            let from = (local(parent), try Self.name(name))
            let to = (local(newParent), try Self.name(newName))
            rename(from, to, rule, reply)
        } catch {
            overcome(error, reply) { _ in }
        }
    }

    private func rename(
        _ from: (Inode, Name),
        _ to: (Inode, Name),
        _ rule: LocalTree.RenameRule,
        _ reply: consuming EmptyReply
    ) {
        changeNames(in: [from.0, to.0], reply) { [files] question throws(Obstacle) in
            try files.rename(from.1, in: from.0, to: to.1, in: to.0, rule, asking: question)
        } then: { _, reply in
            reply.success()
        }
    }

    private static func rule(_ flags: FUSERenameFlags) -> LocalTree.RenameRule? {
        switch flags {
        case []: .replace
        case .noReplace: .keep
        case .exchange: .exchange
        default: nil
        }
    }

    // MARK: Listing

    func opendir(_ request: FUSERequest, inode: UInt64, flags: FUSEOpenFlags, reply: consuming OpenReply) {
        // From then on the kernel opens folders by itself and keeps their listings: a change here it sees itself, of
        // one elsewhere it is told. What is listed again costs no request.
        reply.leavesFoldersToKernel()
    }

    /// Offsets 1 and 2 stand behind `.` and `..`, and 3 behind what is a guest in the root; entries have their
    /// positions, which start at 1, behind those.
    private static let positionOffset: Int64 = 3

    func readdir(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        offset: Int64,
        reply: consuming DirectoryReply
    ) {
        let folder = local(inode)
        let epoch = engine.epoch
        do throws(Obstacle) {
            // A record with attributes takes at least 160 bytes, one without at least 32: more cannot fit.
            let limit = reply.capacity / (reply.isPlus ? 160 : 32) + 1
            let parent = offset < 2 ? try files.parent(of: folder) : folder
            let page = try files.entries(of: folder, after: max(0, offset - Self.positionOffset), limit: limit)
            list(folder, parent, page, offset, epoch, reply)
        } catch {
            overcome(error, reply) { [self] reply in
                readdir(request, inode: inode, handle: handle, offset: offset, reply: reply)
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

    private func list(
        _ folder: Inode,
        _ parent: Inode,
        _ page: [LocalEntry],
        _ offset: Int64,
        _ epoch: UInt64,
        _ reply: consuming DirectoryReply
    ) {
        let isPlus = reply.isPlus
        var retained: [Inode] = []
        let wasTaken = reply.entries { entries throws(Errno) in
            // A volume that is a guest stands in the root of the account's own.
            let above = folder == .root ? Inode.root.rawValue : volume.place(of: parent)
            for (name, inode, next) in [(".", global(folder), Int64(1)), ("..", above, Int64(2))] where offset < next {
                let fits = entries.add(
                    name: Array(name.utf8),
                    inode: inode,
                    mode: S_IFDIR,
                    nextOffset: next
                )
                guard fits else { return }
            }
            if offset < Self.positionOffset, folder == .root, let guests {
                guard guests.add(to: &entries, isPlus: isPlus, nextOffset: Self.positionOffset) else { return }
            }
            for item in page {
                // The reference is there before the kernel can have it.
                if isPlus { files.retain(item.node.inode) }
                let fits = entries.add(
                    name: guests == nil || folder != .root ? item.name.bytes : Guests.shown(item.name.bytes),
                    entry: entry(item.node, since: epoch),
                    nextOffset: item.position + Self.positionOffset
                )
                if isPlus, fits { retained.append(item.node.inode) }
                guard fits else {
                    if isPlus { files.forget(item.node.inode, count: 1) }
                    return
                }
            }
        }
        guard !wasTaken else { return }
        for inode in retained { files.forget(inode, count: 1) }
    }

    func fsyncdir(
        _ request: FUSERequest,
        inode: UInt64,
        handle: UInt64,
        dataOnly: Bool,
        reply: consuming EmptyReply
    ) {
        do throws(Obstacle) {
            try files.synchronizeFolder()
            whenAtRegion(.fsyncRegion, .names(in: [local(inode)]), reply) { reply in reply.success() }
        } catch {
            overcome(error, reply) { _ in }
        }
    }
}

extension FUSERequest {
    var caller: Caller { Caller(uid: userID, gid: groupID) }
}
