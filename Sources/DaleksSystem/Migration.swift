import DaleksCore

/// One numbered step of a database's shape. Steps are only ever appended: a step that ran somewhere is never edited,
/// and both database adapters refuse to start when the text of one that ran has changed.
public struct Migration: Sendable {
    /// Counts from 1 without gaps.
    public let number: Int
    public let name: String
    /// Statements separated by semicolons, run in one transaction together with the record that they ran.
    public let sql: String

    public init(_ number: Int, _ name: String, _ sql: String) {
        self.number = number
        self.name = name
        self.sql = sql
    }

    /// FNV-1a over the text, as 16 hexadecimal digits. It finds an edit made by accident, which is all it is for.
    public var checksum: String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in sql.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        return Hex.encode((0..<8).map { UInt8(truncatingIfNeeded: hash >> UInt64(56 - 8 * $0)) })
    }
}
