import DaleksCore

/// A record of the database does not read as what it should be: the file is damaged, or a newer program wrote it.
struct RecordError: Error, Equatable, CustomStringConvertible {
    let record: StaticString

    var description: String { "a stored \(record) cannot be read" }

    static func == (left: Self, right: Self) -> Bool { "\(left.record)" == "\(right.record)" }
}

/// Reads what `RecordWriter` wrote, and trusts none of it.
struct RecordReader {
    private let bytes: [UInt8]
    private var position = 0
    private let record: StaticString

    /// `record` says what it is, for the error.
    init(_ bytes: [UInt8], _ record: StaticString) {
        self.bytes = bytes
        self.record = record
    }

    var isAtEnd: Bool { position == bytes.count }
    var failure: RecordError { RecordError(record: record) }

    mutating func byte() throws(RecordError) -> UInt8 {
        guard position < bytes.count else { throw failure }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func number() throws(RecordError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), through: 63, by: 7) {
            let next = try byte()
            guard shift < 63 || next < 2 else { throw failure }
            value |= UInt64(next & 0x7f) << shift
            if next < 0x80 { return value }
        }
        throw failure
    }

    mutating func count(upTo max: Int) throws(RecordError) -> Int {
        guard let count = Int(exactly: try number()), count <= max else { throw failure }
        return count
    }

    mutating func unsigned32() throws(RecordError) -> UInt32 {
        guard let value = UInt32(exactly: try number()) else { throw failure }
        return value
    }

    mutating func signed() throws(RecordError) -> Int64 {
        let value = try number()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    mutating func identifier<Kind>() throws(RecordError) -> Identifier<Kind> {
        let bytes = try take(16)
        guard let identifier = Identifier<Kind>(bytes: bytes) else { throw failure }
        return identifier
    }

    mutating func digest() throws(RecordError) -> Digest {
        guard let digest = Digest(bytes: try take(Digest.byteCount)) else { throw failure }
        return digest
    }

    mutating func blob() throws(RecordError) -> [UInt8] { Array(try take(try count(upTo: bytes.count))) }

    mutating func name() throws(RecordError) -> Name {
        do { return try Name(try blob()) } catch { throw failure }
    }

    private mutating func take(_ count: Int) throws(RecordError) -> ArraySlice<UInt8> {
        guard bytes.count - position >= count else { throw failure }
        defer { position += count }
        return bytes[position..<position + count]
    }
}
