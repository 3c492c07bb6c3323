import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem

/// A node, the content that edits of it build on, and the last path that it was known by: what a backing file remembers
/// for the day on which the index is lost.
struct ContentPlace: Hashable {
    var node: NodeID
    var content: Revision
    var path: [Name]

    /// What an attribute may hold on every common file system; a longer path keeps its end.
    private static let pathBytesMax = 3_000

    /// The id in digits, the content, and the path, in lines.
    var bytes: [UInt8] {
        var bytes = Array("\(node)\n\(content)\n".utf8)
        for (index, name) in path.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: "/")) }
            bytes += name.bytes
        }
        return bytes
    }

    init(node: NodeID, content: Revision, path: [Name]) {
        self.node = node
        self.content = content
        self.path = path
    }

    init?(bytes: [UInt8]) {
        let parts = bytes.split(separator: UInt8(ascii: "\n"), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let node = NodeID(String(decoding: parts[0], as: UTF8.self)),
            let content = Revision(String(decoding: parts[1], as: UTF8.self))
        else { return nil }
        var path: [Name] = []
        for part in parts[2].split(separator: UInt8(ascii: "/")) {
            guard let name = try? Name(Array(part)) else { return nil }
            path.append(name)
        }
        self.init(node: node, content: content, path: path)
    }

    /// Where a node is now.
    static func find(_ inode: Inode, in db: borrowing Connection) throws -> ContentPlace? {
        guard let node = try NodeTable.find(inode, in: db) else { return nil }
        return try find(node, in: db)
    }

    static func find(_ node: LocalNode, in db: borrowing Connection) throws -> ContentPlace {
        var path: [Name] = []
        var (current, bytes) = (node.inode, 0)
        while current != .root, let place = try EntryTable.places(of: current, db).first {
            bytes += place.name.bytes.count + 1
            guard bytes <= pathBytesMax else { break }
            path.insert(place.name, at: 0)
            current = place.parent
        }
        return ContentPlace(node: node.id, content: node.content, path: path)
    }
}

extension FileContent {
    /// Whether the backing file does not say yet whose it is; whoever is told so writes it.
    func takePlaceDue() -> Bool {
        state.withLock { state in
            defer { state.isPlaced = true }
            return !state.isPlaced
        }
    }

    /// So that the file can be found again without the index. Where the file system has no attributes, it cannot:
    /// everything else works.
    func write(_ place: ContentPlace) { try? backing.setAttribute(BackingStore.placeAttribute, place.bytes) }
}
