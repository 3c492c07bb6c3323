import DaleksSQLite

extension Database {
    /// From now on what makes the file larger fails, as on a full disk, or does so no more.
    func setFull(_ isFull: Bool) throws {
        try write { db throws in
            // It is never set below what there is.
            let count = isFull ? SQL("PRAGMA max_page_count = 1") : SQL("PRAGMA max_page_count = 1000000000")
            _ = try db.query(count, []) { row in try row.int64(0) }
        }
    }

    /// From now on, or no longer, new rows of a table are refused, as where just those needed another page; or that
    /// rows go, as where the log had no room to say so.
    func refuse(_ isRefusing: Bool, _ step: String = "INSERT", rowsOf table: String) throws {
        try write { db throws in
            let trigger =
                isRefusing
                ? "CREATE TRIGGER no_room BEFORE \(step) ON \(table) BEGIN SELECT RAISE(ABORT, 'no room'); END"
                : "DROP TRIGGER no_room"
            try db.execute(SQL(trigger))
        }
    }
}
