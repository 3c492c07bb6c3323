import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem
import Glibc

@testable import DaleksSync

/// A daemon that starts on an index which the disk did not keep as it was.
extension Subject {
    static let recovery: [Subject] = [
        Subject(name: "index") { bytes in
            do { try DamagedIndex.good.attempt(bytes) } catch { require(false, "the machine failed: \(error)") }
        }
    ]
}

/// The files of an index in use, and what becomes of them when some of their bytes are others.
private struct DamagedIndex {
    private static let names = ["replica.db", "replica.db-wal", "replica.db-redo"]

    /// As a killed daemon leaves them: something in the database, something in SQLite's log, something in ours.
    static let good: DamagedIndex = {
        let folder = scratch("good")
        do {
            let database = try ReplicaDatabase.open(at: folder + "/replica.db", logger: .silent)
            for key in ["a", "b", "c"] {
                _ = try database.writing { db in
                    try db.execute("INSERT INTO meta (key, value) VALUES (?1, ?1)", [.text(key)])
                }
            }
            try database.flush()
            _ = try database.writing { db in
                try db.execute("INSERT INTO meta (key, value) VALUES (?1, ?1)", [.text("last")])
            }
            let files = try names.map { try Files.readAll("\(folder)/\($0)", max: 1 << 24) }
            database.close()
            return DamagedIndex(files: files)
        } catch {
            Subject.complain("no index could be made in \(folder): \(error)")
            exit(2)
        }
    }()

    let files: [[UInt8]]

    private static func scratch(_ name: String) -> String {
        let folder = "/dev/shm/daleks-fuzz-\(getpid())-\(name)"
        _ = mkdir(folder, 0o700)
        return folder
    }

    /// Each five bytes of the input are one change: which file, where (three bytes), and what.
    func attempt(_ input: [UInt8]) throws {
        var files = files
        for change in stride(from: 0, to: input.count - 4, by: 5) {
            let which = Int(input[change]) % files.count
            let place = input[change + 1..<change + 4].reduce(0) { $0 << 8 | Int($1) }
            guard !files[which].isEmpty else { continue }
            // Far behind the end means that the file was cut there instead.
            if place >= files[which].count * 2 {
                files[which].removeLast(place % files[which].count)
            } else {
                files[which][place % files[which].count] ^= input[change + 4]
            }
        }
        let folder = Self.scratch("tried")
        defer { Self.remove(folder) }
        for (name, bytes) in zip(Self.names, files) { try Self.write(bytes, to: "\(folder)/\(name)") }
        let index = LostIndex(folder: folder, logger: .silent)
        do throws(SQLiteError) {
            let database = try index.open()
            _ = try? database.reading { db in try MetaTable.text(.subject, in: db) }
            database.close()
        } catch {
            // A refusal says what is wrong, and leaves what is there.
            Subject.require(access("\(folder)/replica.db", F_OK) == 0, "a refused index is gone: \(error)")
        }
        let left = try Files.entries(of: folder)
        let isBeside = left.contains { name in
            name.hasPrefix("replica.lost-") && !name.hasSuffix("-wal") && !name.hasSuffix("-redo")
        }
        Subject.require(isBeside || left.contains("replica.db"), "an index was removed: \(left)")
    }

    private static func write(_ bytes: [UInt8], to path: String) throws {
        let file = try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC)
        try file.writeAll(bytes)
    }

    private static func remove(_ folder: String) {
        for name in (try? Files.entries(of: folder)) ?? [] { unlink("\(folder)/\(name)") }
        rmdir(folder)
    }
}
