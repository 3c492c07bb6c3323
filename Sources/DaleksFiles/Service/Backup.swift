import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksService
import DaleksSystem
import Glibc

/// A copy of a region on SQLite and local contents, made while its service runs: a snapshot of the database, then the
/// contents that it names.
///
/// Contents are only ever added behind each other, so those that the snapshot names are there when it is made; what
/// would take some away again (the collector, and whoever empties segments) stands still while the duty `backup` is
/// held. A step of theirs that was under way may still end, which is why the copy is proved, content by content, and
/// made again where something is missing.
struct Backup {
    private let store: TreeStore
    private let source: String
    private let chunks: String
    private let target: String
    private let logger: Logger
    private let holder = Random.bytes(count: 16)

    static let duty = "backup"

    init(_ store: TreeStore, from state: String, chunks: String, to folder: String, logger: Logger) {
        self.store = store
        source = state
        self.chunks = chunks
        target = folder
        self.logger = logger
    }

    /// What a check of the copy found: nothing where all is well.
    func run() throws -> Fsck.Report {
        try Files.createPrivateDirectory(target)
        try Files.createPrivateDirectory("\(target)/chunks")
        try hold()
        defer { try? store.write(.normal) { db in try DutyTable.release(Self.duty, of: holder, db) } }
        var report = Fsck.Report()
        for _ in 0..<3 {
            report = try copy()
            if report.isClean { break }
        }
        return report
    }

    private func hold() throws(APIError) {
        let (now, holder) = (store.time.wall, holder)
        let isOurs = try store.write(.normal) { db in
            try DutyTable.take(Self.duty, for: holder, now: now, until: now + Limits.Files.backupHold, db)
        }
        guard isOurs else { throw .conflict("another backup of this region is being made") }
    }

    private func copy() throws -> Fsck.Report {
        for name in ["files.db", "files.db-wal", "files.db-shm"] { unlink("\(target)/\(name)") }
        try store.backup(to: "\(target)/files.db")
        let copied = try TreeStore(path: "\(target)/files.db", bytesQuota: 0, time: store.time, logger: logger)
        defer { copied.close() }
        // What nothing names may be gone already where it lay, and must not count as there.
        try copied.write { db in
            try db.execute("DELETE FROM chunks WHERE usage = 0")
            try db.execute(
                "DELETE FROM small_chunks WHERE number NOT IN (SELECT position FROM chunks WHERE segment = 0)"
            )
            try db.execute("DELETE FROM duties")
        }
        let numbers = try copied.read { db in try ChunkTable.segments(db) }.keys
        for number in numbers.sorted() {
            try hold()
            try copySegment(LocalChunkStore.fileName(number))
        }
        try dropSegments(otherThan: Set(numbers.map { LocalChunkStore.fileName($0) }))
        try copyCredentials()
        try Files.synchronizeDirectory("\(target)/chunks")
        try Files.synchronizeDirectory(target)
        let contents = try LocalChunkStore(folder: "\(target)/chunks")
        defer { contents.close() }
        return try Fsck(store: copied, chunks: contents).run(readsContents: true)
    }

    /// As it is now, with its holes; not again where the copy of an earlier backup is that of the same time.
    private func copySegment(_ name: String) throws(Errno) {
        let from = try FileDescriptor.open("\(chunks)/\(name)", O_RDONLY)
        let status = try from.status()
        let path = "\(target)/chunks/\(name)"
        if let known = try? FileDescriptor.open(path, O_RDONLY).status(), known.st_size == status.st_size,
            known.st_mtim.tv_sec == status.st_mtim.tv_sec, known.st_mtim.tv_nsec == status.st_mtim.tv_nsec
        {
            return
        }
        let into = try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Limits.spanBytes, alignment: 4_096)
        defer { buffer.deallocate() }
        var position: Int64 = 0
        while true {
            let count = try from.read(into: buffer, at: position)
            if count == 0 { break }
            let piece = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            if piece.contains(where: { $0 != 0 }) { try into.write(piece, at: position) }
            position += Int64(count)
        }
        try into.truncate(to: position)
        try into.setModificationTime(
            Timestamp(seconds: Int64(status.st_mtim.tv_sec)) + .nanoseconds(status.st_mtim.tv_nsec)
        )
        try into.synchronize()
    }

    private func dropSegments(otherThan names: Set<String>) throws(Errno) {
        for name in try Files.entries(of: "\(target)/chunks") where !names.contains(name) {
            unlink("\(target)/chunks/\(name)")
        }
    }

    /// So that the restored region need not be enrolled again.
    private func copyCredentials() throws(Errno) {
        let name = Enrolling.fileName
        do throws(Errno) {
            let bytes = try Files.readAll("\(source)/\(name)", max: Limits.Files.requestBytesMax)
            try Files.writeAtomically("\(target)/\(name)", bytes, mode: 0o600)
        } catch {
            guard error == .noEntry else { throw error }
        }
    }
}
