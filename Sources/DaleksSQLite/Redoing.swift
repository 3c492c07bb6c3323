import CSQLite
import DaleksCore
import DaleksSystem

/// What the database says of the groups that it has.
enum RedoTable {
    private static let name = "daleks_commit_group"

    /// The last group that the database has; nil where it never had any.
    static func last(on writer: Handle) throws -> RedoLog.Group? {
        let db = Connection(writer)
        guard try db.exists("SELECT 1 FROM sqlite_schema WHERE name = 'daleks_commit_group'") else { return nil }
        return try db.first("SELECT epoch, number FROM daleks_commit_group") { row in
            RedoLog.Group(
                epoch: UInt64(bitPattern: try row.int64(0)),
                number: UInt64(bitPattern: try row.int64(1))
            )
        }
    }

    static func make(on writer: Handle) throws(SQLiteError) {
        try writer.script(
            "CREATE TABLE IF NOT EXISTS daleks_commit_group (one INTEGER PRIMARY KEY, epoch INTEGER, number INTEGER)"
        )
    }

    /// Inside the transaction that it speaks of, and in no record of that.
    static func note(_ group: RedoLog.Group, on writer: Handle) throws {
        try writer.unrecorded {
            try Connection(writer).execute(
                "INSERT OR REPLACE INTO daleks_commit_group (one, epoch, number) VALUES (1, ?1, ?2)",
                [.integer(Int64(bitPattern: group.epoch)), .integer(Int64(bitPattern: group.number))]
            )
        }
    }
}

/// Does again what records say was done.
enum Redoing {
    /// Inside a transaction. Each statement ran before on the same rows, so one that fails means that something else
    /// changed the file.
    static func run(_ records: [[UInt8]], on writer: Handle) throws {
        var texts: [SQL] = []
        try writer.unrecorded {
            for record in records {
                var reader = RecordReader(record[...])
                while !reader.isAtEnd { try runOne(&reader, &texts, on: writer) }
            }
        }
    }

    private static func runOne(_ reader: inout RecordReader, _ texts: inout [SQL], on writer: Handle) throws {
        let number = try reader.half()
        if number & RedoLog.namesText != 0 {
            let text = try reader.bytes(Int(try reader.half()))
            guard Int(number & ~RedoLog.namesText) == texts.count else { throw RecordReader.damage }
            texts.append(SQL(String(decoding: text, as: UTF8.self)))
        }
        let index = Int(number & ~RedoLog.namesText)
        guard texts.indices.contains(index) else { throw RecordReader.damage }
        var values = RecordReader(try reader.bytes(Int(try reader.half())))
        try Connection(writer).withStatement(texts[index]) { statement in
            try RecordedValue.bind(&values, to: statement)
            while try statement.step() {}
        }
    }
}

extension Opening {
    /// Brings back what the last process answered and SQLite's log does not have, and begins an epoch of our own.
    func redo(on writer: Handle) throws {
        guard let last = try RedoTable.last(on: writer) else { return }
        let next = RedoLog.Group(epoch: last.epoch, number: last.number + 1)
        let records = try RedoLog(path: redoPath, group: next).records(of: next)
        guard !records.isEmpty else { return }
        do {
            try writer.transaction(.writing) {
                try Redoing.run(records, on: writer)
                try RedoTable.note(next, on: writer)
            }
        } catch let error as SQLiteError where error.code == .full || error.code == .ioError || error.code == .busy {
            throw error
        } catch {
            throw SQLiteError(.corrupt, "what was done last in \(path) cannot be done again: \(error)")
        }
        logger.info("brought back what was done last", ["transactions": records.count])
    }

    var redoPath: String { path + "-redo" }

    func makeGroup(_ writer: Handle, _ turn: WriterTurn, _ log: CommitLog) throws -> CommitGroup? {
        guard let interval = configuration.groupInterval else { return nil }
        let random = Random.bytes(count: 8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let begun = RedoLog.Group(epoch: random, number: 0)
        try writer.transaction(.writing) {
            try RedoTable.make(on: writer)
            try RedoTable.note(begun, on: writer)
        }
        _ = writer.takeHasWritten()
        let first = RedoLog.Group(epoch: random, number: 1)
        return CommitGroup(
            writer: writer,
            turn: turn,
            log: log,
            redo: try RedoLog(path: redoPath, group: first),
            group: first,
            interval: interval,
            logger: logger
        )
    }
}
