import DaleksCore
import DaleksPostgres
import DaleksSQLite

/// A statement of either database in the hands of one closure, and the row that it stands on.
///
/// Parameters count from 1, columns from 0.
struct StoreStatement: ~Copyable {
    enum Backend {
        // What the adapter lent for the duration of its closure, in which this value lives.
        case sqlite(UnsafePointer<Statement>)
        case postgres(PostgresCursor)
    }

    private let backend: Backend

    init(_ backend: Backend) { self.backend = backend }

    // Empty, and needed: without it the optimizer of Swift 6.3.1 crashes where it inlines the making of such values.
    deinit {}

    /// Runs on to the next row; false at the end.
    borrowing func step() throws -> Bool {
        switch backend {
        case .sqlite(let statement): try statement.pointee.step()
        case .postgres(let cursor): try cursor.step()
        }
    }

    /// Runs a statement that gives no rows, and makes it ready for the next values; the count of changed rows.
    @discardableResult
    borrowing func run() throws -> Int {
        switch backend {
        case .sqlite(let statement): try statement.pointee.run()
        case .postgres(let cursor): try cursor.run()
        }
    }
}

extension StoreStatement {
    borrowing func bind(_ values: [Value]) throws {
        switch backend {
        case .sqlite(let statement): try statement.pointee.bind(values)
        case .postgres(let cursor):
            for (index, value) in values.enumerated() { cursor.bind(PostgresDialect.value(value), at: index + 1) }
        }
    }

    borrowing func bind(_ number: Int64, at position: Int) throws {
        switch backend {
        case .sqlite(let statement): try statement.pointee.bind(number, at: position)
        case .postgres(let cursor): cursor.bind(.integer(number), at: position)
        }
    }

    borrowing func bind(_ number: Int, at position: Int) throws { try bind(Int64(number), at: position) }

    /// The schema keeps flags as numbers, which both databases have.
    borrowing func bind(_ flag: Bool, at position: Int) throws { try bind(flag ? Int64(1) : 0, at: position) }

    borrowing func bind(_ time: Timestamp, at position: Int) throws { try bind(time.nanoseconds, at: position) }

    borrowing func bindNull(at position: Int) throws {
        switch backend {
        case .sqlite(let statement): try statement.pointee.bindNull(at: position)
        case .postgres(let cursor): cursor.bind(.null, at: position)
        }
    }

    borrowing func bind(_ bytes: [UInt8], at position: Int) throws {
        switch backend {
        case .sqlite(let statement): try statement.pointee.bind(bytes, at: position)
        case .postgres(let cursor): cursor.bind(.blob(bytes), at: position)
        }
    }

    borrowing func bind(_ text: String, at position: Int) throws {
        switch backend {
        case .sqlite(let statement): try statement.pointee.bind(text, at: position)
        case .postgres(let cursor): cursor.bind(.text(text), at: position)
        }
    }

    borrowing func bind<Kind>(_ identifier: Identifier<Kind>, at position: Int) throws {
        switch backend {
        case .sqlite(let statement): try statement.pointee.bind(identifier, at: position)
        case .postgres(let cursor): cursor.bind(.id(identifier), at: position)
        }
    }

    borrowing func bind(_ digest: Digest, at position: Int) throws {
        switch backend {
        case .sqlite(let statement): try statement.pointee.bind(digest, at: position)
        case .postgres(let cursor): cursor.bind(.digest(digest), at: position)
        }
    }

    /// An array, which PostgreSQL alone has.
    borrowing func bind(set: PostgresValue, at position: Int) {
        guard case .postgres(let cursor) = backend else { preconditionFailure("SQLite knows no arrays") }
        cursor.bind(set, at: position)
    }

    borrowing func bind(_ name: Name, at position: Int) throws { try bind(name.bytes, at: position) }
}

/// Columns. Reading is strict: one that holds another type, or NULL where a value was asked for, throws.
extension StoreStatement {
    borrowing func isNull(_ column: Int) throws -> Bool {
        switch backend {
        case .sqlite(let statement): statement.pointee.isNull(column)
        case .postgres(let cursor): try cursor.row().isNull(column)
        }
    }

    borrowing func int64(_ column: Int) throws -> Int64 {
        switch backend {
        case .sqlite(let statement): try statement.pointee.int64(column)
        case .postgres(let cursor): try cursor.row().int64(column)
        }
    }

    borrowing func int(_ column: Int) throws -> Int { Int(try int64(column)) }
    borrowing func timestamp(_ column: Int) throws -> Timestamp { Timestamp(nanoseconds: try int64(column)) }

    /// 0 or 1.
    borrowing func bool(_ column: Int) throws -> Bool {
        switch try int64(column) {
        case 0: false
        case 1: true
        default: throw RecordError(record: "flag")
        }
    }

    borrowing func text(_ column: Int) throws -> String {
        switch backend {
        case .sqlite(let statement): try statement.pointee.text(column)
        case .postgres(let cursor): try cursor.row().text(column)
        }
    }

    borrowing func blob(_ column: Int) throws -> [UInt8] {
        switch backend {
        case .sqlite(let statement): try statement.pointee.blob(column)
        case .postgres(let cursor): try cursor.row().blob(column)
        }
    }

    borrowing func identifier<Kind>(_ column: Int) throws -> Identifier<Kind> {
        switch backend {
        case .sqlite(let statement): try statement.pointee.identifier(column)
        case .postgres(let cursor): try cursor.row().identifier(column)
        }
    }

    borrowing func digest(_ column: Int) throws -> Digest {
        switch backend {
        case .sqlite(let statement): try statement.pointee.digest(column)
        case .postgres(let cursor): try cursor.row().digest(column)
        }
    }

    borrowing func name(_ column: Int) throws -> Name {
        switch backend {
        case .sqlite(let statement): try statement.pointee.name(column)
        case .postgres(let cursor): try cursor.row().name(column)
        }
    }

    borrowing func optionalInt64(_ column: Int) throws -> Int64? { try isNull(column) ? nil : try int64(column) }
    borrowing func optionalInt(_ column: Int) throws -> Int? { try isNull(column) ? nil : try int(column) }
    borrowing func optionalText(_ column: Int) throws -> String? { try isNull(column) ? nil : try text(column) }
    borrowing func optionalBlob(_ column: Int) throws -> [UInt8]? { try isNull(column) ? nil : try blob(column) }
    borrowing func optionalDigest(_ column: Int) throws -> Digest? { try isNull(column) ? nil : try digest(column) }
    borrowing func optionalName(_ column: Int) throws -> Name? { try isNull(column) ? nil : try name(column) }

    borrowing func optionalTimestamp(_ column: Int) throws -> Timestamp? {
        try isNull(column) ? nil : try timestamp(column)
    }

    borrowing func optionalIdentifier<Kind>(_ column: Int) throws -> Identifier<Kind>? {
        try isNull(column) ? nil : try identifier(column)
    }
}
