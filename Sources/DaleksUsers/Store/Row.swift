import DaleksCore
import DaleksPostgres
import DaleksSQLite

/// One row of an answer, of either database. Columns count from 0.
///
/// Reading is strict: a column that holds another type than was asked for, or NULL where a value was, is a mismatch and
/// never quietly zero.
struct Row {
    struct Mismatch: Error, CustomStringConvertible {
        let column: Int
        var description: String { "column \(column) does not hold what was asked for" }
    }

    private let values: [Value]

    init(_ row: borrowing DaleksSQLite.Row) throws {
        var values: [Value] = []
        values.reserveCapacity(row.columnCount)
        for column in 0..<row.columnCount { values.append(try row.value(column)) }
        self.values = values
    }

    init(_ row: PostgresRow) throws {
        var values: [Value] = []
        for column in 0..<row.columnCount { values.append(try row.value(column)) }
        self.values = values
    }

    func isNull(_ column: Int) -> Bool { values[column] == .null }

    func int64(_ column: Int) throws(Mismatch) -> Int64 {
        guard case .integer(let number) = values[column] else { throw Mismatch(column: column) }
        return number
    }

    func int(_ column: Int) throws(Mismatch) -> Int { Int(try int64(column)) }

    /// 0 or 1.
    func bool(_ column: Int) throws(Mismatch) -> Bool {
        switch try int64(column) {
        case 0: return false
        case 1: return true
        default: throw Mismatch(column: column)
        }
    }

    func text(_ column: Int) throws(Mismatch) -> String {
        guard case .text(let text) = values[column] else { throw Mismatch(column: column) }
        return text
    }

    func blob(_ column: Int) throws(Mismatch) -> [UInt8] {
        guard case .blob(let bytes) = values[column] else { throw Mismatch(column: column) }
        return bytes
    }

    func identifier<Kind>(_ column: Int) throws(Mismatch) -> Identifier<Kind> {
        guard let identifier = Identifier<Kind>(bytes: try blob(column)) else { throw Mismatch(column: column) }
        return identifier
    }

    func digest(_ column: Int) throws(Mismatch) -> Digest {
        guard let digest = Digest(bytes: try blob(column)) else { throw Mismatch(column: column) }
        return digest
    }

    func timestamp(_ column: Int) throws(Mismatch) -> Timestamp { Timestamp(nanoseconds: try int64(column)) }
}

extension Row {
    func optionalInt64(_ column: Int) throws(Mismatch) -> Int64? { isNull(column) ? nil : try int64(column) }

    func optionalInt(_ column: Int) throws(Mismatch) -> Int? { isNull(column) ? nil : try int(column) }

    func optionalText(_ column: Int) throws(Mismatch) -> String? { isNull(column) ? nil : try text(column) }

    func optionalBlob(_ column: Int) throws(Mismatch) -> [UInt8]? { isNull(column) ? nil : try blob(column) }

    func optionalIdentifier<Kind>(_ column: Int) throws(Mismatch) -> Identifier<Kind>? {
        isNull(column) ? nil : try identifier(column)
    }

    func optionalDigest(_ column: Int) throws(Mismatch) -> Digest? { isNull(column) ? nil : try digest(column) }

    func optionalTimestamp(_ column: Int) throws(Mismatch) -> Timestamp? {
        isNull(column) ? nil : try timestamp(column)
    }
}
