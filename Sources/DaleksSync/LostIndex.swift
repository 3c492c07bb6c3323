import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem
import Glibc

/// An index that is gone or damaged, and the backing files that it spoke of. Both are put beside, the daemon begins
/// anew with what the region knows, and `LostContent` brings back what the region does not have.
struct LostIndex {
    let folder: String
    let logger: Logger

    private var database: String { folder + "/replica.db" }
    private var content: String { folder + "/content" }

    /// Folders of backing files without an index; they stay until everything in them has been looked at.
    var lostFolders: [String] {
        ((try? Files.entries(of: folder)) ?? []).filter { $0.hasPrefix("content.lost-") }.sorted()
            .map { "\(folder)/\($0)" }
    }

    /// Opens the index. One that cannot be read is put beside with its backing files, and a new one is begun.
    func open() throws(SQLiteError) -> Database {
        if access(database, F_OK) != 0, hasBackingFiles {
            logger.error("the index of the cache is gone; what the region lacks will be found from the files")
            try putBeside()
        }
        do throws(SQLiteError) {
            return try ReplicaDatabase.open(at: database, logger: logger)
        } catch {
            guard error.code == .corrupt || error.code == .notADatabase else { throw error }
            logger.error(
                "the index of the cache is damaged; what the region lacks will be found from the files",
                ["reason": error]
            )
            try putBeside()
            return try ReplicaDatabase.open(at: database, logger: logger)
        }
    }

    private var hasBackingFiles: Bool {
        let buckets = (try? Files.entries(of: content)) ?? []
        return buckets.contains { bucket in
            let path = "\(content)/\(bucket)"
            return Files.isDirectory(path) && !((try? Files.entries(of: path)) ?? []).isEmpty
        }
    }

    /// Nothing is removed: the damaged index stays for whoever can read more of it.
    private func putBeside() throws(SQLiteError) {
        let mark = "lost-\(Hex.encode(Random.bytes(count: 6)))"
        let moves = [
            (content, "\(folder)/content.\(mark)"), (database + "-wal", "\(folder)/replica.\(mark)-wal"),
            (database, "\(folder)/replica.\(mark)"), (database + "-redo", "\(folder)/replica.\(mark)-redo"),
        ]
        for (from, to) in moves where rename(from, to) != 0 {
            let error = Errno.last
            guard error == .noEntry else {
                throw SQLiteError(.cannotOpen, "\(from) cannot be put beside: \(error)")
            }
        }
        _ = unlink(database + "-shm")
    }
}
