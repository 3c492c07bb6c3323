import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSystem

@testable import DaleksSync

/// What users of the simulation do.
extension SimulatedClient {
    private static let folders = ["d", "d/e", "f"]
    private static let files = ["a", "b", "d/a", "d/b", "d/e/a", "f/a", "f/c"]

    func act() {
        let what: String
        do throws(Obstacle) {
            what = try actOnce()
        } catch {
            return
        }
        stage.note("\(name): \(what)")
    }

    private func actOnce() throws(Obstacle) -> String {
        if isHasty, stage.oneIn(3) {
            switch stage.number(below: 3) {
            case 0: return try cut(stage.pick(Self.files))
            case 1: return try grow(stage.pick(Self.files))
            default: return try rename(stage.pick(Self.files), to: stage.pick(Self.files))
            }
        }
        switch stage.number(below: 36) {
        case 0...2: return try makeFolder(stage.pick(Self.folders))
        case 3...10: return try overwrite(stage.pick(Self.files))
        case 11...13: return try patch(stage.pick(Self.files))
        case 14...16: return try remove(stage.pick(Self.files))
        case 17: return try removeFolder(stage.pick(Self.folders))
        case 18...21: return try rename(stage.pick(Self.files), to: stage.pick(Self.files))
        case 22: return try rename(stage.pick(Self.folders), to: stage.pick(Self.folders + ["f/g", "d/h"]))
        case 23: return try exchange(stage.pick(Self.files + Self.folders), stage.pick(Self.files + Self.folders))
        case 24: return try link(stage.pick(Self.files), as: stage.pick(Self.files))
        case 25: return try changeMode(stage.pick(Self.files + Self.folders))
        case 26, 27: return try replaceSafely()
        case 28: return try hold(stage.pick(Self.files))
        case 29: return try writeHeld()
        case 30: return try closeHeld()
        case 31: return try writeSafely(stage.pick(Self.files))
        case 32, 33: return "read \(try read(at: stage.pick(Self.files)).count)"
        default: return "list \(try list(stage.pick(Self.folders)))"
        }
    }

    // MARK: Paths

    /// As a mount does: what is lacking is fetched, then the operation begins again.
    func doing<Answer>(_ body: (LocalTree) throws(Obstacle) -> Answer) throws(Obstacle) -> Answer {
        let (engine, line) = (engine, line)
        // As a mount does: the file is open while it waits, so that what was found out about it stays known.
        var open: [Inode] = []
        defer {
            for inode in open {
                engine.tree.contents.release(inode)
                engine.tree.collect(inode)
            }
        }
        for _ in 0..<40 {
            do throws(Obstacle) {
                return try body(engine.tree)
            } catch {
                guard case .needs(let need) = error else { throw error }
                if case .spans(let inode, _) = need, (try? engine.tree.contents.use(inode)) != nil {
                    open.append(inode)
                }
                if let errno = engine.fetcher.fetchNow(need) { throw .errno(errno) }
                // It was killed meanwhile: nobody hears of what is done there now.
                if line.isDead { throw .errno(.canceled) }
            }
        }
        throw .errno(.timedOut)
    }

    private func name(_ text: Substring) throws(Obstacle) -> Name {
        guard let name = try? Name(text) else { throw .errno(.invalid) }
        return name
    }

    func node(_ path: String, _ tree: LocalTree) throws(Obstacle) -> LocalNode {
        var node = try tree.node(.root)
        for part in path.split(separator: "/") { node = try tree.lookup(try name(part), in: node.inode) }
        return node
    }

    private func spot(_ path: String, _ tree: LocalTree) throws(Obstacle) -> (Inode, Name) {
        let parts = path.split(separator: "/")
        return (try node(parts.dropLast().joined(separator: "/"), tree).inode, try name(parts[parts.count - 1]))
    }

    // MARK: Names

    private func makeFolder(_ path: String) throws(Obstacle) -> String {
        try doing { tree throws(Obstacle) in
            let (parent, name) = try spot(path, tree)
            let node = try tree.create(name, in: parent, .init(kind: .folder, mode: 0o755, uid: 1_000, gid: 1_000))
            return "mkdir \(path) (\(Words.short(node.id)))"
        }
    }

    private func remove(_ path: String) throws(Obstacle) -> String {
        try doing { tree throws(Obstacle) in
            let (parent, name) = try spot(path, tree)
            let node = try tree.lookup(name, in: parent)
            guard node.attributes.kind == .file else { throw .errno(.isDirectory) }
            let words = try wordsLost(with: node, tree)
            let removed = try tree.remove(name, in: parent, isFolder: false)
            book.discard(words, ofSize: Int(node.attributes.size))
            tree.letGo(of: removed.inode)
            return "rm \(path) (\(Words.short(node.id)), \(words.sorted()))"
        }
    }

    /// What goes when the file's next name goes.
    private func wordsLost(with node: LocalNode, _ tree: LocalTree) throws(Obstacle) -> Set<UInt32> {
        guard node.attributes.kind == .file, try placeCount(node.inode) < 2 else { return [] }
        return Set(Words.words(of: try bytes(node, tree)))
    }

    private func placeCount(_ inode: Inode) throws(Obstacle) -> Int {
        try engine.database.looking { db in try EntryTable.places(of: inode, db).count }
    }

    private func removeFolder(_ path: String) throws(Obstacle) -> String {
        try doing { tree throws(Obstacle) in
            let (parent, name) = try spot(path, tree)
            let node = try tree.remove(name, in: parent, isFolder: true)
            tree.letGo(of: node.inode)
            return "rmdir \(path) (\(Words.short(node.id)))"
        }
    }

    private func rename(_ path: String, to newPath: String) throws(Obstacle) -> String {
        try doing { tree throws(Obstacle) in
            let (from, to) = (try spot(path, tree), try spot(newPath, tree))
            let node = try tree.lookup(from.1, in: from.0)
            var (words, size): (Set<UInt32>, Int64) = ([], 0)
            do throws(Obstacle) {
                let standing = try tree.lookup(to.1, in: to.0)
                if standing.inode != node.inode { words = try wordsLost(with: standing, tree) }
                size = standing.attributes.size
            } catch {
                guard error == .errno(.noEntry) else { throw error }
            }
            let renamed = try tree.rename(from.1, in: from.0, to: to.1, in: to.0, .replace)
            if let replaced = renamed.replaced {
                book.discard(words, ofSize: Int(size))
                tree.letGo(of: replaced.inode)
            }
            return "mv \(path) \(newPath) (\(Words.short(node.id)) over \(words.sorted()))"
        }
    }

    private func exchange(_ path: String, _ other: String) throws(Obstacle) -> String {
        try doing { tree throws(Obstacle) in
            let (from, to) = (try spot(path, tree), try spot(other, tree))
            _ = try tree.rename(from.1, in: from.0, to: to.1, in: to.0, .exchange)
            return "exchange \(path) \(other)"
        }
    }

    private func link(_ path: String, as newPath: String) throws(Obstacle) -> String {
        try doing { tree throws(Obstacle) in
            let node = try node(path, tree)
            let (parent, name) = try spot(newPath, tree)
            _ = try tree.link(node.inode, as: name, in: parent)
            return "ln \(path) \(newPath) (\(Words.short(node.id)))"
        }
    }

    private func changeMode(_ path: String) throws(Obstacle) -> String {
        let mode = UInt32([0o600, 0o640, 0o644, 0o700, 0o755][stage.number(below: 5)])
        return try doing { tree throws(Obstacle) in
            let node = try node(path, tree)
            var edit = LocalTree.AttributeEdit()
            edit.mode = mode
            _ = try tree.setAttributes(of: node.inode, edit)
            return "chmod \(path) \(mode)"
        }
    }

    private func list(_ path: String) throws(Obstacle) -> Int {
        try doing { tree throws(Obstacle) in
            try tree.entries(of: try node(path, tree).inode, after: 0, limit: 100).count
        }
    }

    // MARK: Bytes

    private func bytes(_ node: LocalNode, _ tree: LocalTree) throws(Obstacle) -> [UInt8] {
        let content = try tree.openContent(node.inode)
        defer { try? tree.closeContent(content) }
        return try bytes(content)
    }

    private func bytes(_ content: FileContent) throws(Obstacle) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xee, count: Int(content.live.size))
        do {
            let count = try bytes.withUnsafeMutableBytes { try content.read(into: $0, at: 0) }
            return Array(bytes[..<count])
        } catch let obstacle as Obstacle {
            throw obstacle
        } catch {
            throw .errno(.io)
        }
    }

    func read(at path: String) throws(Obstacle) -> [UInt8] {
        try doing { tree throws(Obstacle) in
            let node = try node(path, tree)
            guard node.attributes.kind == .file else { throw .errno(.isDirectory) }
            return try bytes(node, tree)
        }
    }

    /// Mostly small; now and then too large for a batch, and rarely more than one span.
    private func size() -> Int {
        switch stage.number(below: 40) {
        case 0...3: 4 * (17_000 + stage.number(below: 1_000))
        case 4: Limits.spanBytes + 4 * stage.number(below: 1_000)
        default: 4 * (1 + stage.number(below: 30))
        }
    }

    private func write(_ bytes: [UInt8], to content: FileContent, at offset: Int64) throws(Obstacle) {
        do {
            _ = try bytes.withUnsafeBytes { try content.write($0, at: offset) }
        } catch let obstacle as Obstacle {
            throw obstacle
        } catch {
            throw .errno(.io)
        }
    }

    private func overwrite(_ path: String) throws(Obstacle) -> String {
        let (word, count) = (book.word(), size())
        return try doing { tree throws(Obstacle) in
            let node = try find(path, tree)
            let before = Set(Words.words(of: try bytes(node, tree)))
            // Whoever cuts a file gives up what is in it, also where the disk has no room for what comes then.
            book.superseded.formUnion(before)
            _ = try tree.truncate(node.inode, to: 0)
            let content = try tree.openContent(node.inode)
            defer { try? tree.closeContent(content) }
            try write(Words.bytes(word, count: count), to: content, at: 0)
            book.written[word] = "\(name) \(path)"
            return "write \(path) (\(Words.short(node.id))) \(word) × \(count) over \(before.sorted())"
        }
    }

    private func find(_ path: String, _ tree: LocalTree) throws(Obstacle) -> LocalNode {
        let (parent, name) = try spot(path, tree)
        do throws(Obstacle) {
            let node = try tree.lookup(name, in: parent)
            guard node.attributes.kind == .file else { throw .errno(.isDirectory) }
            return node
        } catch {
            guard error == .errno(.noEntry) else { throw error }
            return try tree.create(name, in: parent, .init(kind: .file, mode: 0o644, uid: 1_000, gid: 1_000))
        }
    }

    /// Some words somewhere in a file.
    private func patch(_ path: String) throws(Obstacle) -> String {
        let (word, count) = (book.word(), size())
        let place = stage.number(below: 1 << 16)
        return try doing { tree throws(Obstacle) in
            let node = try node(path, tree)
            guard node.attributes.kind == .file else { throw .errno(.isDirectory) }
            let content = try tree.openContent(node.inode)
            defer { try? tree.closeContent(content) }
            let size = Int(content.live.size)
            let before = Set(Words.words(of: try bytes(content)))
            let offset = Int64(place % (size / 4 + 1) * 4)
            try write(Words.bytes(word, count: count), to: content, at: offset)
            book.write(over: before, ofSize: size)
            let after = Set(Words.words(of: try bytes(content)))
            book.written[word] = "\(name) \(path)"
            book.superseded.formUnion(before.subtracting(after))
            return "patch \(path) (\(Words.short(node.id))) \(word) × \(count) at \(offset)"
        }
    }

    private func cut(_ path: String) throws(Obstacle) -> String {
        let place = stage.number(below: 1 << 16)
        return try doing { tree throws(Obstacle) in
            let node = try node(path, tree)
            guard node.attributes.kind == .file else { throw .errno(.isDirectory) }
            let before = try bytes(node, tree)
            let size = place % (before.count / 4 + 1) * 4
            let after = Set(Words.words(of: Array(before.prefix(size))))
            _ = try tree.truncate(node.inode, to: Int64(size))
            book.superseded.formUnion(Set(Words.words(of: before)).subtracting(after))
            book.resize(after, from: before.count, to: size)
            return "truncate \(path) (\(Words.short(node.id))) to \(size) of \(before.count)"
        }
    }

    private func grow(_ path: String) throws(Obstacle) -> String {
        let more = size()
        return try doing { tree throws(Obstacle) in
            let node = try node(path, tree)
            guard node.attributes.kind == .file else { throw .errno(.isDirectory) }
            let before = try bytes(node, tree)
            let size = before.count + more
            _ = try tree.truncate(node.inode, to: Int64(size))
            book.resize(Set(Words.words(of: before)), from: before.count, to: size)
            return "truncate \(path) (\(Words.short(node.id))) to \(size), which is longer"
        }
    }

    /// As editors save: the file is whole at every moment, here and at the region.
    private func replaceSafely() throws(Obstacle) -> String {
        let (word, count) = (book.word(), size())
        let temporary = "tmp-\(name)-\(word)"
        let id = try doing { tree throws(Obstacle) -> NodeID in
            let node = try find(temporary, tree)
            let content = try tree.openContent(node.inode)
            defer { try? tree.closeContent(content) }
            try write(Words.bytes(word, count: count), to: content, at: 0)
            book.written[word] = "\(name) \(temporary)"
            return node.id
        }
        return "save \(Words.short(id)) \(word): \(try rename(temporary, to: Simulation.safeName))"
    }

    /// As a database does: what is written is made safe, and then something in the same folder says so.
    private func writeSafely(_ path: String) throws(Obstacle) -> String {
        let (word, count) = (book.word(), size())
        let (id, folder) = try doing { tree throws(Obstacle) -> (NodeID, Inode) in
            let node = try find(path, tree)
            let content = try tree.openContent(node.inode)
            defer { try? tree.closeContent(content) }
            let before = Set(Words.words(of: try bytes(content)))
            try write(Words.bytes(word, count: count), to: content, at: 0)
            let after = Set(Words.words(of: try bytes(content)))
            book.written[word] = "\(name) \(path)"
            book.superseded.formUnion(before.subtracting(after))
            try tree.synchronize(content)
            return (node.id, try spot(path, tree).0)
        }
        book.promised[word] = id
        try doing { tree throws(Obstacle) in
            _ = try tree.create(
                try name("safe-\(word)"),
                in: folder,
                .init(kind: .file, mode: 0o644, uid: 1_000, gid: 1_000)
            )
        }
        return "fsync \(path) (\(Words.short(id))) \(word) × \(count)"
    }

    // MARK: Open files

    private func hold(_ path: String) throws(Obstacle) -> String {
        guard held.count < 3 else { throw .errno(.tryAgain) }
        return try doing { tree throws(Obstacle) in
            let node = try node(path, tree)
            guard node.attributes.kind == .file else { throw .errno(.isDirectory) }
            held.append(try tree.openContent(node.inode))
            return "open \(path) (\(Words.short(node.id)))"
        }
    }

    private func writeHeld() throws(Obstacle) -> String {
        guard let content = held.last else { throw .errno(.badDescriptor) }
        let word = book.word()
        return try doing { tree throws(Obstacle) in
            let before = Set(Words.words(of: try bytes(content)))
            try write(Words.bytes(word, count: 8), to: content, at: 0)
            let after = Set(Words.words(of: try bytes(content)))
            // In a file without a name it is nobody's.
            if try placeCount(content.inode) > 0 { book.written[word] = "\(name) open \(content.inode)" }
            book.superseded.formUnion(before.subtracting(after))
            return "write to open \(content.inode) \(word)"
        }
    }

    func closeHeld() throws(Obstacle) -> String {
        guard let content = held.popLast() else { throw .errno(.badDescriptor) }
        try engine.tree.closeContent(content)
        return "close \(content.inode)"
    }
}
