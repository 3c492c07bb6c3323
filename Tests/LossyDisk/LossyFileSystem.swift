import DaleksCore
import DaleksFUSE
import DaleksSystem
import DaleksTestSupport
import Glibc

/// Serves a `LossyImage`.
///
/// ## Concurrency
/// `image` guards everything; replies are sent after it is released.
final class LossyFileSystem: FUSEFileSystem {
    let image: Lock<LossyImage>

    init(_ image: LossyImage) { self.image = Lock(image) }

    func initialize(_ connection: FUSEConnection) {}

    static func attributes(_ id: UInt64, _ node: LossyImage.Node) -> FUSEAttributes {
        FUSEAttributes(
            inode: id,
            mode: node.mode,
            linkCount: node.links,
            userID: getuid(),
            groupID: getgid(),
            size: Int64(node.data.count),
            modified: node.modified,
            changed: node.modified
        )
    }

    private static func entry(_ id: UInt64, _ node: LossyImage.Node) -> FUSEEntry {
        FUSEEntry(attributes(id, node), entryValidFor: .seconds(3_600), attributesValidFor: .seconds(3_600))
    }

    private var now: Timestamp { TimeSource.system.wall }

    private func answer(_ result: Result<FUSEEntry, Errno>, _ reply: consuming EntryReply) {
        switch result {
        case .success(let entry): reply.entry(entry)
        case .failure(let error): reply.error(error)
        }
    }

    private func answer(_ error: Errno?, _ reply: consuming EmptyReply) {
        if let error { reply.error(error) } else { reply.success() }
    }

    // MARK: Names

    func lookup(_ request: FUSERequest, parent: UInt64, name: FUSEName, reply: consuming EntryReply) {
        let name = Array(name)
        answer(
            image.withLock { image in
                guard let id = image.nodes[parent]?.children[name], image.nodes[id] != nil else {
                    return .failure(.noEntry)
                }
                image.nodes[id]?.references += 1
                return .success(Self.entry(id, image.node(id)))
            },
            reply
        )
    }

    func forget(_ forgotten: UnsafeBufferPointer<FUSEForget>) {
        for forget in forgotten {
            image.withLock { image in
                guard let held = image.nodes[forget.inode]?.references else { return }
                image.nodes[forget.inode]?.references = held - min(held, forget.count)
                image.release(forget.inode)
            }
        }
    }

    func getattr(_ request: FUSERequest, inode: UInt64, handle: UInt64?, reply: consuming AttributesReply) {
        guard let attributes = image.withLock({ $0.nodes[inode].map { Self.attributes(inode, $0) } }) else {
            reply.error(.stale)
            return
        }
        reply.attributes(attributes, validFor: .seconds(3_600))
    }

    func setattr(
        _ request: FUSERequest,
        inode: UInt64,
        changes: FUSEAttributeChanges,
        handle: UInt64?,
        reply: consuming AttributesReply
    ) {
        let now = now
        let attributes: FUSEAttributes? = image.withLock { image in
            guard let node = image.nodes[inode] else { return nil }
            if let mode = changes.mode { image.nodes[inode]?.mode = node.mode & S_IFMT | mode & 0o7777 }
            if let size = changes.size { image.change(inode, .resize(Int(size)), at: now) }
            if case .at(let time) = changes.modified { image.nodes[inode]?.modified = time }
            return Self.attributes(inode, image.node(inode))
        }
        guard let attributes else {
            reply.error(.stale)
            return
        }
        reply.attributes(attributes, validFor: .seconds(3_600))
    }

    private func make(_ mode: UInt32, _ name: [UInt8], in parent: UInt64) -> Result<FUSEEntry, Errno> {
        let now = now
        return image.withLock { image in
            guard image.nodes[parent]?.children[name] == nil else { return .failure(.exists) }
            let id = image.make(mode, name, in: parent, at: now)
            image.nodes[id]?.references = 1
            return .success(Self.entry(id, image.node(id)))
        }
    }

    func mkdir(_ request: FUSERequest, parent: UInt64, name: FUSEName, mode: UInt32, reply: consuming EntryReply) {
        answer(make(S_IFDIR | mode, Array(name), in: parent), reply)
    }

    func mknod(
        _ request: FUSERequest,
        parent: UInt64,
        name: FUSEName,
        mode: UInt32,
        device: UInt64,
        reply: consuming EntryReply
    ) {
        answer(make(mode, Array(name), in: parent), reply)
    }

    func create(
        _ request: FUSERequest,
        parent: UInt64,
        name: FUSEName,
        mode: UInt32,
        flags: FUSEOpenFlags,
        reply: consuming CreateReply
    ) {
        switch make(S_IFREG | mode, Array(name), in: parent) {
        case .success(let entry): reply.created(entry, handle: 1, options: .keepsCache)
        case .failure(let error): reply.error(error)
        }
    }

    func unlink(_ request: FUSERequest, parent: UInt64, name: FUSEName, reply: consuming EmptyReply) {
        answer(remove(Array(name), in: parent), reply)
    }

    func rmdir(_ request: FUSERequest, parent: UInt64, name: FUSEName, reply: consuming EmptyReply) {
        answer(remove(Array(name), in: parent), reply)
    }

    private func remove(_ name: [UInt8], in parent: UInt64) -> Errno? {
        image.withLock { image in
            guard let id = image.nodes[parent]?.children[name], let node = image.nodes[id] else { return .noEntry }
            if node.isFolder, !node.children.isEmpty { return .notEmpty }
            image.perform(LossyImage.Step(removed: [(parent, name)]))
            image.nodes[id]?.links = node.isFolder ? 0 : node.links - 1
            image.release(id)
            return nil
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
        let (name, newName) = (Array(name), Array(newName))
        guard !flags.contains(.exchange), !flags.contains(.noReplace) else {
            reply.error(.invalid)
            return
        }
        answer(
            image.withLock { image in
                guard let id = image.nodes[parent]?.children[name] else { return .noEntry }
                let replaced = image.nodes[newParent]?.children[newName]
                image.perform(LossyImage.Step(removed: [(parent, name)], added: [(newParent, newName, id)]))
                if let replaced {
                    let old = image.node(replaced)
                    image.nodes[replaced]?.links = old.isFolder ? 0 : old.links - 1
                    image.release(replaced)
                }
                return nil
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
        // Positions in the order of names: good enough for folders that are read while nobody changes them.
        let children = image.withLock { image in
            (image.nodes[inode]?.children ?? [:]).sorted { $0.key.lexicographicallyPrecedes($1.key) }
                .map { (name: $0.key, id: $0.value, mode: image.nodes[$0.value]?.mode ?? S_IFREG) }
        }
        reply.entries { entries in
            for (index, child) in children.enumerated().dropFirst(Int(offset)) {
                guard entries.add(name: child.name, inode: child.id, mode: child.mode, nextOffset: Int64(index + 1))
                else { return }
            }
        }
    }
}
