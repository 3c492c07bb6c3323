import CSQLite
import DaleksCore
import DaleksSystem
import Glibc

/// A consistent copy of a database while others use it.
///
/// The copy grows under a name of its own and appears at its destination whole and durable, or not at all.
struct Backup {
    let destination: String
    let configuration: DatabaseConfiguration

    func run(from source: Handle) throws {
        try DatabaseFile.checkPath(destination)
        guard access(destination, F_OK) != 0 else { throw refusal("something is there already") }
        let partial = "\(destination).partial-\(Hex.encode(Random.bytes(count: 8)))"
        _ = try DatabaseFile.create(partial)
        defer { unlink(partial) }
        // An open snapshot: what is committed meanwhile goes into the log, and the copy is of one moment.
        try source.transaction(.reading) {
            _ = try source.number("SELECT count(*) FROM sqlite_schema")
            try copy(source, to: partial)
        }
        try publish(partial)
    }

    private func copy(_ source: Handle, to partial: String) throws(SQLiteError) {
        let target = try Handle(path: partial, flags: SQLITE_OPEN_READWRITE, configuration: configuration)
        defer { target.close() }
        // Nobody sees the copy before it is whole, and it is made durable at once, at the end.
        try target.script("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY")
        guard let backup = sqlite3_backup_init(target.raw, "main", source.raw, "main") else {
            throw SQLiteError(result: sqlite3_extended_errcode(target.raw), on: target.raw, .preparing, doing: "backup")
        }
        var result = SQLITE_OK
        while result == SQLITE_OK { result = sqlite3_backup_step(backup, Limits.SQLite.backupStepPages) }
        sqlite3_backup_finish(backup)
        guard result == SQLITE_DONE else {
            throw SQLiteError(result: result, on: target.raw, .running, doing: "copying to \(destination)")
        }
    }

    private func publish(_ partial: String) throws(SQLiteError) {
        do throws(Errno) {
            try FileDescriptor.open(partial, O_RDONLY).synchronize()
            // A link, unlike a rename, never replaces what somebody put there meanwhile.
            try checking { link(partial, destination) }
            try FileDescriptor.open(DatabaseFile.folder(of: destination), O_RDONLY | O_DIRECTORY).synchronize()
        } catch {
            throw refusal("\(error)")
        }
    }

    private func refusal(_ why: String) -> SQLiteError {
        SQLiteError(.cannotOpen, "cannot write a backup to \(destination): \(why)")
    }
}
