import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem
import DaleksTestSupport

@testable import DaleksFiles
@testable import DaleksSync

/// Some machines of one user and a region, in one process, moved by a seed: the same seed, the same story.
final class Simulation {
    struct Failure: Error, CustomStringConvertible {
        let seed: UInt64
        let what: String
        let trace: [String]

        var description: String {
            // What never rests tells the same again and again: how it came to that is at the beginning.
            let told = trace.count <= 4_000 ? trace : trace.prefix(3_000) + ["…"] + trace.suffix(500)
            return "seed \(seed): \(what)\n" + told.joined(separator: "\n")
        }
    }

    /// Only ever replaced by rename, so at no moment anything but whole.
    static let safeName = "safe"

    /// What happens beside the network's moods and daemons that die.
    enum Trouble: Sendable {
        case none
        /// The region comes back from a backup.
        case returns
        /// A machine's folder is put back to what it was, or used twice.
        case copies
        /// Programs cut files, rename over each other, and clocks jump.
        case haste
    }

    private let trouble: Trouble
    private let seed: UInt64
    private let stage: Stage
    private let region: SimulatedRegion
    private let book = Book()
    private var clients: [SimulatedClient] = []
    private var copies: [(SimulatedClient, ScratchFolder)] = []

    init(seed: UInt64, _ trouble: Trouble) throws {
        (self.seed, self.trouble) = (seed, trouble)
        stage = Stage(seed: seed)
        region = try SimulatedRegion(stage: stage)
        let book = book
        region.isSound = { try Self.unsoundness($0) ?? Self.brokenPromise($0, book) }
        for number in 0..<(2 + stage.number(below: 2)) {
            clients.append(try SimulatedClient("m\(number)", stage: stage, region: region, book: book))
        }
        if trouble == .haste { for client in clients { client.isHasty = true } }
    }

    /// Runs to the end. Throws what did not hold.
    static func run(seed: UInt64, _ trouble: Trouble = .none, turns: Int = 700) throws {
        let simulation = try Simulation(seed: seed, trouble)
        defer { simulation.end() }
        try simulation.run(turns)
    }

    func fail(_ what: String) -> Failure { Failure(seed: seed, what: what, trace: stage.trace) }

    private func run(_ turns: Int) throws {
        for _ in 0..<turns {
            try turn()
            if isWatching { try watch() }
            try disturb()
            if let what = region.unsoundness ?? book.fault { throw fail(what) }
        }
        try comeToRest()
        try judge()
    }

    private func turn() throws {
        _ = stage.turn()
        if let stuck = stage.stuck { throw fail("\(stuck) waits for something that nobody brings about") }
    }

    /// For looking into a failure: what every client has of every node, whenever it changes. `DALEKS_WATCH=1`.
    private let isWatching = Environment.current["DALEKS_WATCH"] != nil
    private let seen = Lock<[String: String]>([:])

    private func watch() throws {
        for client in clients {
            let lines = try client.engine.database.read { db throws in
                try db.query(
                    """
                    SELECT inode, id, revision, answered, content, stale, complete, links,
                       (SELECT group_concat(parent || '/' || CAST(name AS TEXT), ' ') FROM entries WHERE node = inode),
                       (SELECT group_concat(span || ':' || state, ' ') FROM spans WHERE node = inode),
                       (SELECT group_concat(place % 1000000 || '#' || coalesce(sequence, '-') || 'k' || kind, ' ')
                        FROM journal WHERE node = inode)
                    FROM nodes
                    """,
                    []
                ) { row in
                    let id: NodeID = try row.identifier(1)
                    return (
                        "\(client.name) \(Words.short(id))",
                        "inode \(try row.int64(0)) rev \(try row.int64(2)) answered \(try row.int64(3)) content "
                            + "\(try row.int64(4)) stale \(try row.int64(5)) complete \(try row.int64(6)) links "
                            + "\(try row.int64(7)) at [\(try row.optionalText(8) ?? "")] spans "
                            + "[\(try row.optionalText(9) ?? "")] journal [\(try row.optionalText(10) ?? "")]"
                    )
                }
            }
            let now = Dictionary(lines) { first, _ in first }
            seen.withLock { seen in
                for (key, line) in now.sorted(by: { $0.key < $1.key }) where seen[key] != line {
                    stage.note("    \(key): \(line)")
                    seen[key] = line
                }
                for key in seen.keys where key.hasPrefix(client.name) && now[key] == nil {
                    stage.note("    \(key): gone")
                    seen[key] = nil
                }
            }
        }
    }

    private func disturb() throws {
        if stage.oneIn(60) {
            let client = stage.pick(clients)
            client.line.isUp.toggle()
            stage.note("\(client.name): line \(client.line.isUp ? "up" : "down")")
        }
        if stage.oneIn(300) {
            let isFull = stage.oneIn(2)
            try region.fill(isFull)
            stage.note("region: \(isFull ? "full" : "room")")
        }
        if stage.oneIn(250) { try stage.pick(clients).crash() }
        if stage.oneIn(400) { try region.crash() }
        if stage.oneIn(100) { stage.pick(clients).line.deliverLate() }
        if stage.oneIn(150) {
            let client = stage.pick(clients)
            try client.fillDisk(!client.isDiskFull && stage.oneIn(2))
        }
        switch trouble {
        case .none: break
        case .returns:
            if stage.oneIn(120) { try region.takeBackup() }
            if stage.oneIn(250) { try region.comeBack(isAnnounced: !stage.oneIn(4)) }
        case .copies: try copyMachine()
        case .haste: if stage.oneIn(100) { stage.jump() }
        }
        if trouble != .haste, stage.oneIn(400) { stage.jump() }
    }

    /// A folder that was copied some time ago is used: in place of the machine's own, or by another machine beside it.
    private func copyMachine() throws {
        if stage.oneIn(100) {
            let client = stage.pick(clients)
            // What is restored must not lack what users were told is kept: so it is taken where nothing waits.
            guard try client.isEmptyHanded else { return }
            copies.append((client, try client.snapshot()))
        }
        guard stage.oneIn(200), !copies.isEmpty else { return }
        let (client, folder) = copies.remove(at: stage.number(below: copies.count))
        if try client.isEmptyHanded, stage.oneIn(2) {
            stage.note("\(client.name): put back to what it was")
            try client.revive(from: folder)
        } else if clients.count < 4 {
            let name = "m\(clients.count)"
            stage.note("\(name): begins as a copy of \(client.name)")
            clients.append(
                try SimulatedClient(name, stage: stage, region: region, book: book, folder: folder)
            )
        }
    }

    /// Everybody stops working and the network is well: then it must become quiet by itself.
    private func comeToRest() throws {
        try region.fill(false)
        for client in clients {
            client.retire()
            (client.line.isUp, client.line.lossOneIn) = (true, .max)
            try client.fillDisk(false)
            while let closed = try? client.closeHeld() { stage.note("\(client.name): \(closed)") }
        }
        stage.note("— the rest is quiet —")
        for round in 0..<400 {
            for _ in 0..<40 {
                try turn()
                if isWatching { try watch() }
            }
            if let what = book.fault { throw fail(what) }
            if round % 4 == 3, try clients.allSatisfy({ try $0.unrest() == nil }) { return }
            // What waits for a time to come has had its time.
            if round % 20 == 19 { stage.pass(400_000) }
        }
        throw fail("does not come to rest: \(try clients.map { "\($0.name) \(try $0.unrest() ?? "rests")" })")
    }

    private func end() {
        for client in clients {
            client.line.isDead = true
            client.engine.pusher.stop()
            client.engine.puller.stop()
            client.engine.fetcher.stop()
        }
        while stage.turn() {}
        // Who is stuck holds what the others need, and stays.
        guard stage.stuck == nil else { return }
        for client in clients { client.end() }
    }

    // MARK: Judging

    /// At every moment: what is only ever replaced by rename is never empty and never a mixture.
    private static func unsoundness(_ region: SimulatedRegion) throws -> String? {
        let root = try region.storage.store.tree(of: region.owner).root
        let entries = try region.storage.store.children(of: root, after: nil, limit: 1_000, for: region.owner).entries
        guard let entry = entries.first(where: { "\($0.name)" == safeName }) else { return nil }
        guard entry.node.content > 0 else { return "the region shows `\(safeName)` without its content" }
        let words = Words.words(of: try region.bytes(of: entry.node.id, at: entry.node.content))
        return words.count == 1 ? nil : "the region shows `\(safeName)` with \(words)"
    }

    /// What says that something was made safe is not seen before that.
    private static func brokenPromise(_ region: SimulatedRegion, _ book: Book) -> String? {
        for name in region.told where name.hasPrefix("safe-") {
            guard let word = UInt32(name.dropFirst(5).prefix { $0.isNumber }), let node = book.promised[word],
                region.committed[word] == nil, !book.superseded.contains(word), !region.refused.contains(node)
            else { continue }
            return "the region shows `\(name)` before the content that was made safe before it"
        }
        return nil
    }

    private func judge() throws {
        var truth: [String: String] = [:]
        var live: [UInt32: String] = [:]
        var files: [(String, Set<UInt32>)] = []
        try region.walk { path, node in
            var words: [UInt32] = []
            if node.attributes.kind == .file, node.content > 0 {
                words = Words.words(of: try region.bytes(of: node.id, at: node.content))
            }
            for word in words { live[word] = path }
            if node.attributes.kind == .file { files.append((path, Set(words))) }
            truth[path] = Self.picture(node.id, node.attributes, words)
        }
        for client in clients { try judge(client, truth) }
        for (word, who) in book.written.sorted(by: { $0.key < $1.key }) {
            guard !book.superseded.contains(word), live[word] == nil else { continue }
            // In the trash: somebody removed the file without having seen this.
            if let nodes = region.committed[word], !nodes.isDisjoint(with: region.removed) { continue }
            let fate = region.committed[word].map { "committed to \($0.map(Words.short))" } ?? "never committed"
            throw fail("word \(word), written by \(who), is lost (\(fate))")
        }
        // Things may come back where a backup did.
        guard trouble != .returns, trouble != .copies else { return }
        for (path, words) in files where !words.isEmpty && words.isSubset(of: book.discarded) {
            let nodes = words.compactMap { region.committed[$0] }
            // Whoever gave it another size did so without knowing of the removal.
            if words.contains(where: book.isResized) { continue }
            guard !nodes.isEmpty, nodes.allSatisfy({ $0.count > 1 && !$0.isDisjoint(with: region.removed) }) else {
                continue
            }
            throw fail("\(path) came back with \(words.sorted()), which were removed")
        }
    }

    private static func picture(_ id: NodeID, _ attributes: Attributes, _ words: [UInt32]) -> String {
        var text =
            "\(attributes.kind) \(Words.short(id)) \(String(attributes.mode, radix: 8)) links \(attributes.links)"
        text += " mtime \(attributes.modified.nanoseconds / 1_000_000 % 10_000_000)"
        if attributes.kind == .file { text += " size \(attributes.size) \(words)" }
        return text
    }

    private func judge(_ client: SimulatedClient, _ truth: [String: String]) throws {
        let picture: [String: String]
        do { picture = try self.picture(client, "") } catch { throw fail("\(client.name) cannot be read: \(error)") }
        for path in Set(truth.keys).union(picture.keys).sorted() where truth[path] != picture[path] {
            throw fail(
                "\(client.name) shows \(path) as \(picture[path] ?? "-"), the region as \(truth[path] ?? "-"); "
                    + "here it is \(client.account(of: path))"
            )
        }
        let leftover = try client.engine.database.read { db throws in
            (
                try db.first("SELECT count(*) FROM spans WHERE state = 2", [], { row in try row.int64(0) }) ?? 0,
                try NodeTable.unreachable(limit: 10, in: db)
            )
        }
        if leftover.0 > 0 { throw fail("\(client.name) keeps \(leftover.0) dirty spans") }
        if !leftover.1.isEmpty {
            let ids = try client.engine.database.read { db throws in
                try leftover.1.map { try NodeTable.find($0, in: db).map { Words.short($0.id) } ?? "-" }
            }
            throw fail("\(client.name) keeps nodes that nobody can reach: \(ids)")
        }
        let loaded = client.engine.tree.contents.allLoaded.map(\.inode)
        if !loaded.isEmpty { throw fail("\(client.name) keeps files open: \(loaded)") }
    }

    private func picture(_ client: SimulatedClient, _ path: String) throws -> [String: String] {
        let entries = try client.doing { tree throws(Obstacle) in
            try tree.entries(of: try client.node(path, tree).inode, after: 0, limit: 10_000)
        }
        var picture: [String: String] = [:]
        for entry in entries {
            let child = path.isEmpty ? "\(entry.name)" : "\(path)/\(entry.name)"
            let isFile = entry.node.attributes.kind == .file
            let words: [UInt32]
            do throws(Obstacle) {
                words = isFile ? Words.words(of: try client.read(at: child)) : []
            } catch {
                // A name that waits for a machine that has all of the file: if none has, it can be taken away here.
                if case .errno(.stale) = error, client.engine.news.setbacks.covers(entry.node.revision) { continue }
                throw error
            }
            picture[child] = Self.picture(entry.node.id, entry.node.attributes, words)
            if entry.node.attributes.kind == .folder {
                picture.merge(try self.picture(client, child)) { first, _ in first }
            }
        }
        return picture
    }
}
