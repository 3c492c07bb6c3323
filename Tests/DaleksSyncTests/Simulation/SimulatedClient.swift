import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem
import DaleksTestSupport
import Glibc

@testable import DaleksSync

/// One machine of the simulation: the real engine on a real folder, moved by actors in place of its threads.
///
/// ## Concurrency
/// Belongs to the holder of the stage's baton.
final class SimulatedClient: @unchecked Sendable {
    // Unchecked: see above.
    let name: String
    let stage: Stage
    let region: SimulatedRegion
    let book: Book
    private(set) var folder: ScratchFolder
    private(set) var line: SimulatedLine
    private(set) var engine: SyncEngine
    private(set) var isWorking = true
    /// Files that programs have open.
    var held: [FileContent] = []
    private var zombies: [(SyncEngine, ScratchFolder)] = []

    /// There is no room for the index to grow.
    private(set) var isDiskFull = false

    /// Its programs cut files and rename over each other more than they do anything else.
    var isHasty = false

    init(
        _ name: String,
        stage: Stage,
        region: SimulatedRegion,
        book: Book,
        folder: ScratchFolder = ScratchFolder()
    ) throws {
        (self.name, self.stage, self.region, self.book) = (name, stage, region, book)
        self.folder = folder
        line = SimulatedLine(name: name, stage: stage, region: region)
        engine = try Self.engine(name, folder, line, stage)
        begin()
    }

    private static func engine(
        _ name: String,
        _ folder: ScratchFolder,
        _ line: SimulatedLine,
        _ stage: Stage
    ) throws -> SyncEngine {
        try SyncEngine(
            SyncEngine.Configuration(
                folder: folder.path("state"),
                subject: "test@local",
                hostName: name,
                uid: 1_000,
                gid: 1_000
            ),
            remote: line,
            labour: Labour(
                uploads: StageQueue(stage: stage, name: name),
                puts: NoQueue(),
                fetches: NoQueue(),
                spans: NoQueue(),
                ahead: NoQueue(),
                order: NoQueue(),
                farewells: NoQueue(),
                rest: { pause in
                    stage.pass(Int(pause.nanoseconds / 3_000_000))
                    stage.yield()
                }
            ),
            time: stage.time,
            logger: .silent
        )
    }

    // MARK: Actors

    private func begin() {
        let (engine, line) = (engine, line)
        stage.add("\(name) user") { [self] in
            while isWorking, !line.isDead {
                stage.yield()
                if !line.isDead, isWorking { act() }
            }
            // What it was about to do when it was told to stop may have opened something.
            if !line.isDead { while (try? closeHeld()) != nil {} }
        }
        // What an earlier daemon had open, and nobody can reach.
        stage.add("\(name) sweep") { [stage] in
            stage.yield()
            if !line.isDead { try? engine.tree.sweep() }
        }
        stage.add("\(name) push") { [self, stage, book] in
            while !line.isDead {
                stage.yield()
                if line.isDead { break }
                if stage.oneIn(4) { engine.pusher.lookAgain() }
                if case .failure(.unreachable(let why)) = engine.pusher.pushAll(), why.hasPrefix("local"), !isDiskFull {
                    book.fault = "the journal fails: \(why)"
                }
            }
        }
        stage.add("\(name) pull") { [self, stage, book] in
            while !line.isDead {
                stage.yield()
                if line.isDead { break }
                do {
                    try engine.puller.pull(waitSeconds: 0)
                } catch Puller.PullFailure.local(let errno) {
                    if !isDiskFull {
                        book.fault = "the feed cannot be taken in: \(errno)"
                    }
                } catch {
                    // The network: it will be better.
                }
            }
        }
        stage.add("\(name) refresh") { [stage] in
            while !line.isDead {
                stage.yield()
                if !line.isDead { _ = engine.puller.refreshStale() }
            }
        }
    }

    func retire() { isWorking = false }

    /// From now on what makes the index larger fails, as on a full disk, or does so no more.
    func fillDisk(_ isFull: Bool) throws {
        isDiskFull = isFull
        stage.note("\(name): disk \(isFull ? "full" : "has room")")
        try engine.database.setFull(isFull)
    }

    /// Ends for good; called with no actor of it left.
    func end() {
        held = []
        engine.stop()
        for (engine, _) in zombies { engine.stop() }
        zombies = []
    }

    /// kill -9: what is on disk now is what the next life begins with.
    func crash() throws {
        stage.note("\(name): crash")
        try revive(from: try snapshot())
    }

    /// A copy of the state folder, as a backup or a kill would leave it.
    func snapshot() throws -> ScratchFolder {
        let copy = ScratchFolder()
        try FolderCopy.copy(folder.path("state"), to: copy.path("state"), but: ["lock"])
        return copy
    }

    /// Whether everything that was done here is at the region.
    var isEmptyHanded: Bool {
        get throws {
            guard held.isEmpty else { return false }
            return try engine.database.read { db throws in
                try JournalTable.count(in: db) == 0 && ContentTable.dirtyNodes(in: db).isEmpty
            }
        }
    }

    func revive(from state: ScratchFolder) throws {
        line.isDead = true
        engine.pusher.stop()
        engine.puller.stop()
        engine.fetcher.stop()
        held = []
        zombies.append((engine, folder))
        let before = line
        folder = state
        line = SimulatedLine(name: name, stage: stage, region: region)
        (line.isUp, line.lossOneIn) = (before.isUp, before.lossOneIn)
        engine = try Self.engine(name, folder, line, stage)
        isDiskFull = false
        begin()
    }

    /// What is known of a file here, for the report of a failure.
    func account(of path: String) -> String {
        let tree = engine.tree
        guard let node = try? doing({ tree throws(Obstacle) in try self.node(path, tree) }),
            let content = try? tree.contents.use(node.inode)
        else { return "no file" }
        defer { tree.contents.leave(node.inode) }
        let state = content.state.withLock {
            "\($0.spans) revision \($0.revision) "
                + "size \($0.size) of \($0.remoteSize) cut from \($0.cutFrom)"
        }
        return "revision \(node.revision) content \(node.content) of \(node.contentSize), loaded \(state)"
    }

    /// What keeps it from being at rest, or nil.
    func unrest() throws -> String? {
        let region = region
        let (loaded, uploading) = (
            engine.tree.contents.allLoaded.map(\.inode), Array(engine.pusher.active.withLock { $0.keys })
        )
        return try engine.database.reading { db throws -> String? in
            let refused = try RefusalTable.all(in: db)
            if let row = try JournalTable.page(after: -1 << 60, limit: 1, in: db).first {
                return "journal row \(row.place) \(refused)"
            }
            if let stale = try db.first("SELECT inode FROM nodes WHERE stale", [], { row in try row.int64(0) }) {
                return "inode \(stale) is stale; loaded \(loaded), uploading \(uploading)"
            }
            guard let cursor = try MetaTable.text(.cursor, in: db) else { return "no cursor" }
            return cursor == (try region.tree().cursor) ? nil : "cursor \(cursor)"
        }
    }
}

/// What users did, for judging what became of it.
final class Book: @unchecked Sendable {
    // Unchecked: belongs to the holder of the stage's baton.
    private var next: UInt32 = 0x0101
    /// What must never happen, and did.
    var fault: String?
    /// Words that a user was told are kept, and what wrote them.
    var written: [UInt32: String] = [:]
    /// Words that a user saw, and wrote over or removed.
    var superseded: Set<UInt32> = []
    /// Words that were made safe before something else said so, and in which node.
    var promised: [UInt32: NodeID] = [:]
    /// Those of them that went with their file.
    var discarded: Set<UInt32> = []
    /// Sizes that programs gave to files with a word without writing one, and that nobody saw who removed it: an edit
    /// as any other, which a removal elsewhere must not take along.
    private var sizes: [UInt32: Set<Int>] = [:]

    func word() -> UInt32 {
        next += 1
        return next
    }

    func isResized(_ word: UInt32) -> Bool { !(sizes[word]?.isEmpty ?? true) }

    func resize(_ words: some Sequence<UInt32>, from old: Int, to new: Int) {
        for word in words {
            sizes[word, default: []].remove(old)
            sizes[word]?.insert(new)
        }
    }

    /// Something was written to a file whose size its writer knew: that tells of the edit from now on.
    func write(over words: some Sequence<UInt32>, ofSize size: Int) {
        for word in words { sizes[word]?.remove(size) }
    }

    /// Somebody removed a file, and knew what was in it.
    func discard(_ words: Set<UInt32>, ofSize size: Int) {
        superseded.formUnion(words)
        discarded.formUnion(words)
        for word in words { sizes[word]?.remove(size) }
    }
}

private struct StageQueue: WorkQueue {
    let stage: Stage
    let name: String

    func submit(_ job: @escaping @Sendable () -> Void) -> Bool {
        stage.add("\(name) upload", job)
        return true
    }
    func close() {}
}

/// The caller does it itself.
private struct NoQueue: WorkQueue {
    func submit(_ job: @escaping @Sendable () -> Void) -> Bool { false }
    func close() {}
}

enum FolderCopy {
    static func copy(_ source: String, to target: String, but left: Set<String>) throws {
        try Files.createPrivateDirectory(target, durable: false)
        guard let stream = opendir(source) else { throw Errno.last }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name != ".", name != "..", !left.contains(name), !name.hasSuffix("-shm") else { continue }
            let (from, to) = ("\(source)/\(name)", "\(target)/\(name)")
            if Int32(entry.pointee.d_type) == Int32(DT_DIR) {
                try copy(from, to: to, but: left)
            } else {
                let file = try FileDescriptor.open(from, O_RDONLY)
                var status = stat()
                guard fstat(file.raw, &status) == 0 else { throw Errno.last }
                let bytes = try file.bytes(count: Int(status.st_size), at: 0)
                let copied = try FileDescriptor.open(to, O_RDWR | O_CREAT, mode: 0o600)
                try copied.writeAll(bytes, at: 0)
                var times = [status.st_atim, status.st_mtim]
                guard futimens(copied.raw, &times) == 0 else { throw Errno.last }
            }
        }
    }
}
