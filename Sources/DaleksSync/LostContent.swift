import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksCrypto
import DaleksSystem
import Glibc

/// Brings back, from backing files whose index is lost, what the region does not have: edits go into their files, new
/// files to where they were, and what cannot be placed to `Recovered` at the root. Everything goes through the tree as
/// a user's work would, so it is journaled, uploaded and kept apart from what others did.
///
/// ## Concurrency
/// One thread of its own; it waits for the region as long as that takes.
final class LostContent: Sendable {
    private static let recovered = "Recovered"
    private static let blockBytes = 1 << 20

    private let tree: LocalTree
    private let fetcher: Fetcher
    private let remote: any Remote
    private let owner: (uid: UInt32, gid: UInt32)
    /// Where what cannot be placed goes, where there is no root to put it into.
    private let setAside: SetAside?
    private let logger: Logger
    private let stopping = Gate()

    init(
        tree: LocalTree,
        fetcher: Fetcher,
        remote: any Remote,
        owner: (uid: UInt32, gid: UInt32),
        setAside: SetAside? = nil,
        logger: Logger
    ) {
        self.tree = tree
        self.fetcher = fetcher
        self.remote = remote
        self.owner = owner
        self.setAside = setAside
        self.logger = logger
    }

    func stop() { stopping.open() }

    func run(_ folders: [String]) {
        for folder in folders {
            do {
                try bringBack(folder)
            } catch {
                logger.warning("files without an index wait for the next start", ["reason": "\(error)"])
                return
            }
        }
    }

    private struct Stopped: Error {}

    private func bringBack(_ folder: String) throws {
        for bucket in try Files.entries(of: folder) where Files.isDirectory("\(folder)/\(bucket)") {
            for name in try Files.entries(of: "\(folder)/\(bucket)") {
                let path = "\(folder)/\(bucket)/\(name)"
                try bringBackFile(path)
                try checking { unlink(path) }
            }
        }
        try Files.removeTree(folder)
        logger.notice("everything that the lost index spoke of has been looked at")
    }

    /// What the region has as well, or nobody ever changed here, is nobody's loss.
    private func bringBackFile(_ path: String) throws {
        guard let bytes = try? Files.attribute(BackingStore.placeAttribute, of: path, bytesMax: 4_096),
            let place = ContentPlace(bytes: bytes)
        else { return }
        let file = try FileDescriptor.open(path, O_RDONLY | O_NOFOLLOW)
        guard let record = try asking({ () throws(RemoteError) in try self.remote.node(place.node) }) else {
            return try keep(file, at: place)
        }
        let manifest = try asking { () throws(RemoteError) in
            record.content == 0
                ? Manifest(size: 0, spans: []) : try self.remote.manifest(of: place.node, at: record.content)
        }
        guard let manifest else { return try keep(file, at: place) }
        let changed = try changedSpans(of: file, manifest)
        let size = Int64(try file.status().st_size)
        if changed.isEmpty, size == manifest.size { return }
        if record.content == place.content, let node = try find(place), node.id == place.node {
            return try write(changed, of: file, size: size, to: node.inode)
        }
        // Somebody else changed it, or it is elsewhere now. Without our bytes there is nothing to keep.
        if !changed.isEmpty { try keep(file, at: place, isApart: true) }
    }

    /// Spans with bytes that the region's content does not have. A span without any is one that was not here.
    private func changedSpans(of file: borrowing FileDescriptor, _ manifest: Manifest) throws -> [Int] {
        let size = Int64(try file.status().st_size)
        var changed: [Int] = []
        var position: Int64 = 0
        while let data = try file.nextData(from: position), data < size {
            let span = Int(data / Int64(Limits.spanBytes))
            let bytes = try file.bytes(
                count: FileContent.bytes(in: span, ofSize: size),
                at: Int64(span) * Int64(Limits.spanBytes)
            )
            let known = manifest.spans.first { $0.index == span }
            if known?.digest != SHA256.digest(of: bytes) { changed.append(span) }
            position = Int64(span + 1) * Int64(Limits.spanBytes)
        }
        return changed
    }

    // MARK: Putting back

    private func find(_ place: ContentPlace) throws -> LocalNode? {
        var node = try doing { tree throws(Obstacle) in try tree.node(.root) }
        for name in place.path {
            let parent = node.inode
            do {
                node = try doing { tree throws(Obstacle) in try tree.lookup(name, in: parent) }
            } catch Obstacle.errno(.noEntry), Obstacle.errno(.notDirectory) {
                return nil
            }
        }
        return node
    }

    /// A file of its own: where it was, if that place is there and free, else in `Recovered`.
    private func keep(_ file: borrowing FileDescriptor, at place: ContentPlace, isApart: Bool = false) throws {
        let size = Int64(try file.status().st_size)
        if let setAside {
            let reason: StaticString = "a file whose index was lost is not at the region; it was put aside"
            return try setAside.keep(file, size: size, of: .root, place.node, because: reason, named: place.path.last)
        }
        guard let name = place.path.last ?? (try? Name("\(place.node)")) else { return }
        var parent: Inode?
        if !isApart, !place.path.isEmpty {
            var folder = place
            folder.path.removeLast()
            parent = try find(folder).flatMap { $0.attributes.kind == .folder ? $0.inode : nil }
        }
        let inode = try make(name, in: try parent ?? recoveredFolder())
        let spans = Array(0..<FileContent.spanCount(of: size))
        try write(spans, of: file, size: size, to: inode)
        logger.notice("a file that the region does not have was brought back", ["name": "\(name)"])
    }

    private func recoveredFolder() throws -> Inode {
        let name = try Name(Self.recovered)
        do {
            return try doing { tree throws(Obstacle) in try tree.lookup(name, in: .root) }.inode
        } catch Obstacle.errno(.noEntry) {
            let creation = LocalTree.Creation(kind: .folder, mode: 0o700, uid: owner.uid, gid: owner.gid)
            return try doing { tree throws(Obstacle) in try tree.create(name, in: .root, creation) }.inode
        }
    }

    /// Under another name where that one is taken.
    private func make(_ name: Name, in parent: Inode) throws -> Inode {
        let creation = LocalTree.Creation(kind: .file, mode: 0o600, uid: owner.uid, gid: owner.gid)
        for attempt in 0..<1_000 {
            let candidate =
                attempt == 0 ? name : ConflictName.make(from: name, suffix: "recovered", attempt: attempt - 1)
            do {
                return try doing { tree throws(Obstacle) in try tree.create(candidate, in: parent, creation) }.inode
            } catch Obstacle.errno(.exists) {
                continue
            }
        }
        throw Errno.exists
    }

    private func write(_ spans: [Int], of file: borrowing FileDescriptor, size: Int64, to inode: Inode) throws {
        let content = try doing { tree throws(Obstacle) in try tree.openContent(inode) }
        do {
            for span in spans {
                let start = Int64(span) * Int64(Limits.spanBytes)
                let bytes = try file.bytes(count: FileContent.bytes(in: span, ofSize: size), at: start)
                try bytes.withUnsafeBytes { bytes in
                    _ = try doing { _ throws(Obstacle) in try content.write(bytes, at: start) }
                }
            }
            if content.live.size != size {
                _ = try doing { tree throws(Obstacle) in try tree.truncate(inode, to: size) }
            }
            // The lost file goes only when this one is certain.
            try tree.synchronize(content)
        } catch {
            try? tree.closeContent(content)
            throw error
        }
        try tree.closeContent(content)
    }

    // MARK: Waiting

    /// What the region answers; nil where it does not know the thing.
    private func asking<Answer>(_ question: () throws(RemoteError) -> Answer) throws -> Answer? {
        var retry = Retry()
        while true {
            do throws(RemoteError) {
                return try question()
            } catch {
                switch error {
                case .notFound: return nil
                case .unreachable, .loggedOut: if stopping.wait(timeout: retry.next()) { throw Stopped() }
                case .canceled, .cursorExpired, .deviceForked, .refused: throw error
                }
            }
        }
    }

    /// As the mount does it: what is lacking is fetched, then the operation begins again.
    private func doing<Answer>(_ body: (LocalTree) throws(Obstacle) -> Answer) throws -> Answer {
        while true {
            do throws(Obstacle) {
                return try body(tree)
            } catch {
                guard case .needs(let need) = error else { throw error }
                if let errno = fetcher.fetchNow(need), errno != .timedOut { throw Obstacle.errno(errno) }
                if stopping.isOpen { throw Stopped() }
            }
        }
    }
}
