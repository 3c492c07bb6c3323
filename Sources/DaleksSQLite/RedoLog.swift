import DaleksCore
import DaleksSystem
import Glibc

/// What the transactions of the open group did: for as long as SQLite's log does not have it, this is where it survives
/// the death of the process.
///
/// A record is written before its transaction is answered and never synchronised: the kernel keeps it, whatever becomes
/// of us, and a power cut takes what was not flushed, as it does without groups. The records of a group begin at the
/// file's start, over those of the group before; they count only if they follow what the database says it has. So the
/// log needs no order among its writes and those of SQLite, and may lose any part of itself in a power cut: what is
/// read back is always a prefix of what was done.
///
/// ## Concurrency
/// Belongs to whoever has the writer's turn.
final class RedoLog {
    /// Length, place in the group, epoch, group, and a sum over these and what follows.
    static let headerBytes = 32
    /// Set in a statement's number where its text follows.
    static let namesText: UInt32 = 1 << 31

    /// Which group of which opening of the database.
    struct Group: Hashable {
        /// Drawn at each opening, so that nothing of another life of the file can be taken for ours.
        var epoch: UInt64
        var number: UInt64
    }

    private let file: FileDescriptor
    private var offset: Int64 = 0
    private(set) var recordCount: UInt32 = 0
    private var group: Group

    init(path: String, group: Group) throws(SQLiteError) {
        do throws(Errno) {
            file = try FileDescriptor.open(path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        } catch {
            throw SQLiteError(.cannotOpen, "cannot open \(path): \(error)")
        }
        self.group = group
    }

    var byteCount: Int64 { offset }

    func begin(_ group: Group) { (self.group, offset, recordCount) = (group, 0, 0) }

    /// Nothing counts as written where this throws.
    func append(_ recorder: Recorder) throws(SQLiteError) {
        let (group, index, offset) = (group, recordCount, offset)
        let count: Int
        do throws(Errno) {
            count = try recorder.withRecord { record throws(Errno) in
                Header(count: record.count - Self.headerBytes, index: index, group: group).write(to: record)
                try file.write(UnsafeRawBufferPointer(record), at: offset)
                return record.count
            }
        } catch {
            throw SQLiteError(error == .noSpace ? .full : .ioError, "cannot write down what is being done: \(error)")
        }
        self.offset += Int64(count)
        recordCount += 1
    }

    /// The records of a group, as far as they are whole.
    func records(of group: Group) throws(SQLiteError) -> [[UInt8]] {
        do throws(Errno) {
            var records: [[UInt8]] = []
            var offset: Int64 = 0
            while let record = try record(UInt32(records.count), of: group, at: offset) {
                offset += Int64(Self.headerBytes + record.count)
                records.append(record)
            }
            return records
        } catch {
            throw SQLiteError(.ioError, "cannot read what was done last: \(error)")
        }
    }

    private func record(_ index: UInt32, of group: Group, at offset: Int64) throws(Errno) -> [UInt8]? {
        var head = [UInt8](repeating: 0, count: Self.headerBytes)
        guard try read(&head, at: offset), let count = Header.count(in: head) else { return nil }
        var record = head + [UInt8](repeating: 0, count: count)
        guard try read(&record, at: offset) else { return nil }
        let isWhole = record.withUnsafeMutableBytes { record in
            let found = Array(record[..<Self.headerBytes])
            Header(count: count, index: index, group: group).write(to: record)
            return record[..<Self.headerBytes].elementsEqual(found)
        }
        return isWhole ? Array(record[Self.headerBytes...]) : nil
    }

    /// False where the file ends before.
    private func read(_ bytes: inout [UInt8], at offset: Int64) throws(Errno) -> Bool {
        let count = bytes.count
        var failure: Errno?
        let isWhole = bytes.withUnsafeMutableBytes { buffer in
            do throws(Errno) { return try file.read(into: buffer, at: offset) == count } catch {
                failure = error
                return false
            }
        }
        if let failure { throw failure }
        return isWhole
    }
}

private struct Header {
    var count: Int
    var index: UInt32
    var group: RedoLog.Group

    /// With the sum, which covers the rest of the record.
    func write(to record: UnsafeMutableRawBufferPointer) {
        record.storeBytes(of: UInt32(count).littleEndian, toByteOffset: 0, as: UInt32.self)
        record.storeBytes(of: index.littleEndian, toByteOffset: 4, as: UInt32.self)
        record.storeBytes(of: group.epoch.littleEndian, toByteOffset: 8, as: UInt64.self)
        record.storeBytes(of: group.number.littleEndian, toByteOffset: 16, as: UInt64.self)
        record.storeBytes(of: 0, toByteOffset: 24, as: UInt64.self)
        let sum = Self.sum(UnsafeRawBufferPointer(record))
        record.storeBytes(of: sum.littleEndian, toByteOffset: 24, as: UInt64.self)
    }

    static func count(in head: [UInt8]) -> Int? {
        let count = head[0..<4].reversed().reduce(0) { $0 << 8 | Int($1) }
        return count > 0 && count <= Limits.SQLite.recordBytesMax ? count : nil
    }

    /// Tells a torn or stale record from a whole one; nobody forges these.
    private static func sum(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var sum: UInt64 = 0x9e37_79b9_7f4a_7c15
        func mix(_ word: UInt64) {
            sum = (sum ^ word) &* 0xff51_afd7_ed55_8ccd
            sum ^= sum >> 32
        }
        var position = 0
        while position + 8 <= bytes.count {
            mix(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)))
            position += 8
        }
        var last = UInt64(bytes.count) << 56
        for (shift, byte) in bytes[position...].enumerated() { last ^= UInt64(byte) << UInt64(8 * shift) }
        mix(last)
        return sum
    }
}
