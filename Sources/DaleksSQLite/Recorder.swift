import DaleksCore

/// Takes down what one transaction of a group changes: its statements, and what was bound to them.
///
/// A statement's text is written once in a group and then called by its number.
///
/// ## Concurrency
/// Belongs to the writer's handle, and so to whichever thread has that.
final class Recorder {
    /// A place to cut back to, when a part of the transaction is undone.
    struct Mark {
        fileprivate let byteCount: Int
        fileprivate let namedCount: Int
    }

    /// What statements remember of the group that named them; 0 is no group's.
    private(set) var group: UInt64 = 0
    private var bytes: [UInt8] = []
    /// Statements whose text is in the record.
    private var named: [PreparedStatement] = []
    /// How many the group's earlier records named.
    private var namedBefore: UInt32 = 0

    func beginGroup() {
        group += 1
        namedBefore = 0
        beginRecord()
    }

    /// Room for the log's header stands in front, so that a record is one write.
    func beginRecord() {
        bytes.removeAll(keepingCapacity: bytes.count <= Limits.SQLite.groupBytesMax)
        bytes.append(contentsOf: repeatElement(0, count: RedoLog.headerBytes))
        named.removeAll(keepingCapacity: true)
    }

    /// The record counts: the texts in it are known from now on.
    func endRecord() { namedBefore += UInt32(named.count) }

    var isEmpty: Bool { bytes.count == RedoLog.headerBytes }
    var mark: Mark { Mark(byteCount: bytes.count, namedCount: named.count) }

    func cut(to mark: Mark) {
        bytes.removeLast(bytes.count - mark.byteCount)
        for statement in named[mark.namedCount...] { statement.recordedGroup = 0 }
        named.removeLast(named.count - mark.namedCount)
    }

    /// A statement changed something.
    func note(_ statement: PreparedStatement) {
        if statement.recordedGroup == group {
            append(statement.recordedNumber)
        } else {
            statement.recordedGroup = group
            statement.recordedNumber = namedBefore + UInt32(named.count)
            named.append(statement)
            append(statement.recordedNumber | RedoLog.namesText)
            statement.sql.withUTF8 { text in
                append(UInt32(text.count))
                bytes.append(contentsOf: text)
            }
        }
        append(UInt32(statement.bound.count))
        bytes.append(contentsOf: statement.bound)
    }

    private func append(_ number: UInt32) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    func withRecord<Result, Failure: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let outcome = bytes.withUnsafeMutableBytes { buffer -> Swift.Result<Result, Failure> in
            do throws(Failure) { return .success(try body(buffer)) } catch { return .failure(error) }
        }
        return try outcome.get()
    }
}

/// Values as a record has them: a type, the parameter's number, the value. What is not there is NULL.
enum RecordedValue {
    private static let integer: UInt8 = 1
    private static let real: UInt8 = 2
    private static let text: UInt8 = 3
    private static let blob: UInt8 = 4

    static func append(_ number: Int64, at position: Int, to bytes: inout [UInt8]) {
        head(integer, position, &bytes)
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    static func append(_ number: Double, at position: Int, to bytes: inout [UInt8]) {
        head(real, position, &bytes)
        withUnsafeBytes(of: number.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
    }

    static func append(_ value: UnsafeRawBufferPointer, isText: Bool, at position: Int, to bytes: inout [UInt8]) {
        head(isText ? text : blob, position, &bytes)
        withUnsafeBytes(of: UInt32(value.count).littleEndian) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: value)
    }

    private static func head(_ type: UInt8, _ position: Int, _ bytes: inout [UInt8]) {
        bytes.append(type)
        bytes.append(UInt8(truncatingIfNeeded: position))
        bytes.append(UInt8(truncatingIfNeeded: position >> 8))
    }

    /// Binds the values of a record to a statement.
    static func bind(_ reader: inout RecordReader, to statement: borrowing Statement) throws {
        while !reader.isAtEnd {
            let type = try reader.byte()
            let position = Int(try reader.byte()) | Int(try reader.byte()) << 8
            switch type {
            case integer: try statement.bind(Int64(bitPattern: try reader.word()), at: position)
            case real: try statement.bind(Double(bitPattern: try reader.word()), at: position)
            case text:
                let bytes = try reader.bytes(Int(try reader.half()))
                try statement.bind(String(decoding: bytes, as: UTF8.self), at: position)
            case blob:
                try statement.bind(Array(try reader.bytes(Int(try reader.half()))), at: position)
            default: throw RecordReader.damage
            }
        }
    }
}

/// Reads a record from its front.
struct RecordReader {
    private var rest: ArraySlice<UInt8>

    static var damage: SQLiteError { SQLiteError(.corrupt, "a record of what was done last cannot be read") }

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func bytes(_ count: Int) throws(SQLiteError) -> ArraySlice<UInt8> {
        guard count <= rest.count else { throw Self.damage }
        defer { rest.removeFirst(count) }
        return rest.prefix(count)
    }

    mutating func byte() throws(SQLiteError) -> UInt8 {
        guard let byte = rest.popFirst() else { throw Self.damage }
        return byte
    }

    mutating func half() throws(SQLiteError) -> UInt32 {
        try bytes(4).reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }

    mutating func word() throws(SQLiteError) -> UInt64 {
        try bytes(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
