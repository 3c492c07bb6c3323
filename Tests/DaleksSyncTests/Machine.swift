import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksSync

/// One machine of a user: an engine with its folder, used as the mount uses it.
final class Machine {
    let folder: ScratchFolder
    let region: InProcessRegion
    private(set) var engine: SyncEngine
    private let listener = Listener()
    private let hostName: String

    init(
        _ storage: RegionStorage,
        owner: UserID,
        name: String = "here",
        folder: ScratchFolder = ScratchFolder(),
        isConnected: Bool = true,
        showsShares: Bool = false,
        _ adjust: (inout SyncEngine.Configuration) -> Void = { _ in }
    ) throws {
        self.folder = folder
        hostName = name
        region = InProcessRegion(storage, owner: owner)
        region.setUp(isConnected)
        var configuration = SyncEngine.Configuration(
            folder: folder.path("state"),
            subject: "test@local",
            hostName: name,
            uid: 1_000,
            gid: 1_000
        )
        adjust(&configuration)
        engine =
            showsShares
            ? try SyncEngine(ofSharesWith: owner, configuration, remote: region, logger: .silent)
            : try SyncEngine(configuration, remote: region, logger: .silent)
        engine.start(observer: listener)
    }

    func stop() { engine.stop() }

    /// As a mount does: what is lacking is fetched, then the operation begins again.
    func doing<Answer>(_ body: (LocalTree) throws(Obstacle) -> Answer) throws -> Answer {
        for _ in 0..<1_000 {
            do throws(Obstacle) {
                return try body(engine.tree)
            } catch {
                guard case .needs(let need) = error else { throw error }
                let outcome = Condition<Errno??>(nil)
                engine.fetch(need) { errno in
                    outcome.withLock { $0 = .some(errno) }
                    outcome.broadcast()
                }
                if let errno = outcome.wait(until: { $0 }) ?? nil { throw Obstacle.errno(errno) }
            }
        }
        // What was fetched is lacking again and again.
        throw Obstacle.errno(.tooManyLinks)
    }

    func lookup(_ path: String) throws -> LocalNode {
        var node = try doing { tree throws(Obstacle) in try tree.node(.root) }
        for part in path.split(separator: "/") {
            let (name, parent) = (try Name(part), node.inode)
            node = try doing { tree throws(Obstacle) in try tree.lookup(name, in: parent) }
        }
        return node
    }

    func list(_ path: String = "") throws -> [String] {
        let folder = try lookup(path).inode
        var names: [String] = []
        var position: Int64 = 0
        while true {
            let page = try doing { tree throws(Obstacle) in try tree.entries(of: folder, after: position, limit: 100) }
            if position == 0 { engine.noteListed(folder) }
            guard let last = page.last else { return names.sorted() }
            names += page.map(\.name.description)
            position = last.position
        }
    }

    private func split(_ path: String) throws -> (Inode, Name) {
        let parts = path.split(separator: "/")
        return (try lookup(parts.dropLast().joined(separator: "/")).inode, try Name(parts[parts.count - 1]))
    }

    @discardableResult
    func make(_ path: String, _ kind: NodeKind = .file) throws -> LocalNode {
        let (parent, name) = try split(path)
        return try doing { tree throws(Obstacle) in
            try tree.create(name, in: parent, LocalTree.Creation(kind: kind, mode: 0o644, uid: 1_000, gid: 1_000))
        }
    }

    /// Opens, writes, closes.
    func write(_ bytes: [UInt8], to path: String, at offset: Int64 = 0, truncating: Bool = false) throws {
        let node: LocalNode
        do { node = try lookup(path) } catch Obstacle.errno(.noEntry) { node = try make(path) }
        if truncating { _ = try doing { tree throws(Obstacle) in try tree.truncate(node.inode, to: 0) } }
        let content = try doing { tree throws(Obstacle) in try tree.openContent(node.inode) }
        _ = try bytes.withUnsafeBytes { buffer in
            try doing { _ throws(Obstacle) in try content.write(buffer, at: offset) }
        }
        try engine.tree.closeContent(content)
    }

    func read(_ path: String) throws -> [UInt8] {
        let node = try lookup(path)
        let content = try doing { tree throws(Obstacle) in try tree.openContent(node.inode) }
        engine.noteOpened(node.inode)
        defer { try? engine.tree.closeContent(content) }
        let size = Int(content.live.size)
        var bytes = [UInt8](repeating: 0xee, count: size)
        let count = try bytes.withUnsafeMutableBytes { buffer in
            try doing { _ throws(Obstacle) in try content.read(into: buffer, at: 0) }
        }
        return Array(bytes[..<count])
    }

    func remove(_ path: String, isFolder: Bool = false) throws {
        let (parent, name) = try split(path)
        _ = try doing { tree throws(Obstacle) in try tree.remove(name, in: parent, isFolder: isFolder) }
    }

    func rename(_ path: String, to newPath: String, _ rule: LocalTree.RenameRule = .replace) throws {
        let (from, to) = (try split(path), try split(newPath))
        _ = try doing { tree throws(Obstacle) in try tree.rename(from.1, in: from.0, to: to.1, in: to.0, rule) }
    }

    func drain() throws { try #require(engine.drain(timeout: .seconds(20)), "the journal did not drain") }

    /// All that is known here about one path, and what the region says of the same node: for reports of failures.
    func account(of path: String) -> String {
        guard let node = try? lookup(path) else { return "no such path here" }
        let tree = engine.tree
        let spans = (try? tree.database.reading { db throws in try ContentTable.states(of: node.inode, in: db) }) ?? []
        let rows =
            (try? tree.database.reading { db throws in try JournalTable.page(after: 0, limit: 100, in: db) }) ?? []
        let content = tree.contents.loaded(node.inode)
            .map { $0.state.withLock { "\($0.spans) size \($0.size) revision \($0.revision) of \($0.remoteSize)" } }
        let record = try? region.node(node.id)
        let there = record.map { "revision \($0.revision) content \($0.content) size \($0.attributes.size)" }
        return """
            inode \(node.inode.rawValue) id \(node.id) revision \(node.revision) content \(node.content) of \
            \(node.contentSize) stale \(node.isStale) listed \(node.listed) size \(node.attributes.size)
              spans \(spans), loaded \(content ?? "-"), journal \(rows.map { ($0.place, $0.sequence, $0.subjects) })
              region: \(there ?? "-")
            """
    }

    /// Every path with what it is, for comparing machines.
    func picture(_ path: String = "") throws -> [String: String] {
        var picture: [String: String] = [:]
        for name in try list(path) {
            let child = path.isEmpty ? name : "\(path)/\(name)"
            let node = try lookup(child)
            switch node.attributes.kind {
            case .folder:
                picture[child] = "folder"
                picture.merge(try self.picture(child)) { first, _ in first }
            case .file: picture[child] = "file \(node.attributes.size) \(try read(child).hashValue)"
            default: picture[child] = "\(node.attributes.kind)"
            }
        }
        return picture
    }
}

private final class Listener: TreeObserver {
    func attributesChanged(_ inode: Inode) {}
    func contentChanged(_ inode: Inode) {}
    func entryChanged(_ name: Name, in parent: Inode) {}
    func entryRemoved(_ name: Name, in parent: Inode, node: Inode) {}
}
