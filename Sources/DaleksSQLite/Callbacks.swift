import CSQLite

/// What SQLite calls back, and the numbers those calls leave behind.
///
/// ## Concurrency
/// SQLite calls on the thread that uses the connection, so one thread at a time touches a `Notes`.
enum Callbacks {
    /// Lives as long as its connection, which owns and frees it.
    struct Notes {
        /// True only while the adapter itself begins, ends or nests a transaction.
        var mayControlTransactions = false
        /// Frames in the log after the last commit of this connection.
        var logFrameCount: Int32 = 0
        /// Set by a commit that wrote something.
        var hasWritten = false
    }

    /// C borrows the notes: they must outlive the connection.
    static func install(on connection: OpaquePointer, notes: UnsafeMutablePointer<Notes>) {
        sqlite3_set_authorizer(
            connection,
            { context, action, _, _, _, _ in Callbacks.authorize(context, action) },
            notes
        )
        sqlite3_wal_hook(connection, { context, _, _, frameCount in Callbacks.committed(context, frameCount) }, notes)
    }

    /// A closure's statements may not end the transaction they run in, and may not reach into other files.
    private static func authorize(_ context: UnsafeMutableRawPointer?, _ action: Int32) -> Int32 {
        switch action {
        case SQLITE_TRANSACTION, SQLITE_SAVEPOINT:
            let notes = context?.assumingMemoryBound(to: Notes.self)
            return notes?.pointee.mayControlTransactions == true ? SQLITE_OK : SQLITE_DENY
        case SQLITE_ATTACH, SQLITE_DETACH:
            return SQLITE_DENY
        default:
            return SQLITE_OK
        }
    }

    /// A row was inserted, updated or deleted, in a transaction that may still be rolled back.
    static func changed(_ context: UnsafeMutableRawPointer?, _ table: UnsafePointer<CChar>?, _ row: Int64) {
        guard let context else { return }
        Unmanaged<RowWatch>.fromOpaque(context).takeUnretainedValue().note(table, row)
    }

    /// After each commit that wrote to the log. Setting this hook also turns SQLite's own checkpoints off.
    private static func committed(_ context: UnsafeMutableRawPointer?, _ frameCount: Int32) -> Int32 {
        guard let notes = context?.assumingMemoryBound(to: Notes.self) else { return SQLITE_OK }
        notes.pointee.logFrameCount = frameCount
        notes.pointee.hasWritten = true
        return SQLITE_OK
    }
}
