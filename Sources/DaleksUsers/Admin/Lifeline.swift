import DaleksCore
import DaleksHTTP
import DaleksJSON
import DaleksSQLite
import DaleksSystem

/// A note beside the database of how far the database had come, which no backup of the database brings back: by it a
/// start sees that the database is older than it was.
///
/// With SQLite a database that has sessions and no note was put here from elsewhere, and counts as restored as well.
/// Processes that share a PostgreSQL each have their own note, and a new one has none yet.
struct Lifeline: Sendable {
    let path: String
    let store: UsersStore

    /// Whether the database came back from a backup since the last run here.
    func showsRestoration() throws(APIError) -> Bool {
        let (epoch, head, hasSessions) = try store.read { db in
            (
                try RevocationTable.epoch(db), try RevocationTable.head(db),
                try db.exists("SELECT 1 FROM sessions LIMIT 1")
            )
        }
        guard let (notedEpoch, notedHead) = noted() else { return hasSessions && !store.isShared }
        // Another epoch is another process's restoration, where the database is shared.
        return notedEpoch == epoch ? notedHead > head : !store.isShared
    }

    /// Replaces the note where the database went on.
    func note() throws(APIError) {
        let (epoch, head) = try store.read { db in (try RevocationTable.epoch(db), try RevocationTable.head(db)) }
        if let (notedEpoch, notedHead) = noted(), notedEpoch == epoch, notedHead == head { return }
        var json = JSONWriter()
        json.object { json in
            json.member("epoch", epoch)
            json.member("revocations", head)
        }
        do throws(Errno) {
            try Files.writeAtomically(path, json.bytes, mode: 0o600, durable: true)
        } catch {
            throw .unavailable("\(path) cannot be written: \(error)")
        }
    }

    private func noted() -> (epoch: Int64, head: Int64)? {
        guard let bytes = try? Files.readAll(path, max: 4_096), let json = try? JSONValue.parse(bytes) else {
            return nil
        }
        let reader = JSONReader(json)
        guard let epoch = try? reader.integer("epoch"), let head = try? reader.integer("revocations") else {
            return nil
        }
        return (epoch, head)
    }
}
