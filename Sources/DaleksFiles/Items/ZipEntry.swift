import DaleksCore

/// One name in a zip archive (APPNOTE 6.3), stored without compression. Sizes are known before the bytes are sent, the
/// checksum comes behind them.
struct ZipEntry: Hashable, Sendable {
    var name: String
    var size: UInt64 = 0
    var checksum: UInt32 = 0
    private let position: UInt64
    private let mode: UInt32
    private let time: UInt32

    /// Where 32 bits do not do; the reader is told that the other fields hold it.
    private static let wide: UInt32 = 0xffff_ffff
    private static let version: UInt16 = 45
    /// Checksum and sizes behind the bytes; names in UTF-8.
    private static let flags: UInt16 = 1 << 3 | 1 << 11

    init(name: String, attributes: Attributes, position: UInt64) {
        self.name = name
        self.position = position
        let type: UInt32 =
            switch attributes.kind {
            case .folder: 0o040000
            case .symlink: 0o120000
            default: 0o100000
            }
        mode = type | attributes.mode & 0o777
        let civil = CivilTime(attributes.modified)
        let year = UInt32(min(max(civil.year, 1980), 2107) - 1980)
        let date = year << 9 | UInt32(civil.month) << 5 | UInt32(civil.day)
        let clock = UInt32(civil.hour) << 11 | UInt32(civil.minute) << 5 | UInt32(civil.second / 2)
        time = date << 16 | clock
    }

    private var isFolder: Bool { name.hasSuffix("/") }
    private var isWide: Bool { size >= UInt64(Self.wide) }

    var header: [UInt8] {
        var bytes = ZipBytes()
        bytes.word(0x0403_4b50)
        bytes.half(Self.version)
        bytes.half(isFolder ? 1 << 11 : Self.flags)
        bytes.half(0)
        bytes.word(time)
        bytes.word(0)
        // Zero while they come later; with the wide field both are wide.
        bytes.word(isWide ? Self.wide : 0)
        bytes.word(isWide ? Self.wide : 0)
        bytes.half(UInt16(clamping: name.utf8.count))
        bytes.half(isWide ? 20 : 0)
        bytes.append(Array(name.utf8.prefix(65_535)))
        if isWide {
            bytes.half(1)
            bytes.half(16)
            bytes.long(0)
            bytes.long(0)
        }
        return bytes.bytes
    }

    /// What follows a file's bytes.
    var descriptor: [UInt8] {
        guard !isFolder else { return [] }
        var bytes = ZipBytes()
        bytes.word(0x0807_4b50)
        bytes.word(checksum)
        if isWide {
            bytes.long(size)
            bytes.long(size)
        } else {
            bytes.word(UInt32(size))
            bytes.word(UInt32(size))
        }
        return bytes.bytes
    }

    private var directoryRecord: [UInt8] {
        let isFar = position >= UInt64(Self.wide)
        var extra = ZipBytes()
        if isWide || isFar {
            extra.half(1)
            extra.half((isWide ? 16 : 0) + (isFar ? 8 : 0))
            if isWide {
                extra.long(size)
                extra.long(size)
            }
            if isFar { extra.long(position) }
        }
        var bytes = ZipBytes()
        bytes.word(0x0201_4b50)
        bytes.half(3 << 8 | Self.version)
        bytes.half(Self.version)
        bytes.half(isFolder ? 1 << 11 : Self.flags)
        bytes.half(0)
        bytes.word(time)
        bytes.word(checksum)
        bytes.word(isWide ? Self.wide : UInt32(size))
        bytes.word(isWide ? Self.wide : UInt32(size))
        bytes.half(UInt16(clamping: name.utf8.count))
        bytes.half(UInt16(extra.bytes.count))
        bytes.half(0)
        bytes.half(0)
        bytes.half(0)
        bytes.word(mode << 16 | (isFolder ? 0x10 : 0))
        bytes.word(isFar ? Self.wide : UInt32(position))
        bytes.append(Array(name.utf8.prefix(65_535)))
        bytes.append(extra.bytes)
        return bytes.bytes
    }

    /// The directory of an archive and its end, wide where it has to be.
    static func end(of entries: [ZipEntry], at position: UInt64) -> [UInt8] {
        var bytes = ZipBytes()
        for entry in entries { bytes.append(entry.directoryRecord) }
        let size = UInt64(bytes.bytes.count)
        let count = UInt64(entries.count)
        if count >= 0xffff || size >= UInt64(wide) || position >= UInt64(wide) {
            bytes.word(0x0606_4b50)
            bytes.long(44)
            bytes.half(3 << 8 | version)
            bytes.half(version)
            bytes.word(0)
            bytes.word(0)
            bytes.long(count)
            bytes.long(count)
            bytes.long(size)
            bytes.long(position)
            bytes.word(0x0706_4b50)
            bytes.word(0)
            bytes.long(position + size)
            bytes.word(1)
        }
        bytes.word(0x0605_4b50)
        bytes.half(0)
        bytes.half(0)
        bytes.half(UInt16(clamping: count))
        bytes.half(UInt16(clamping: count))
        bytes.word(UInt32(clamping: size))
        bytes.word(UInt32(clamping: position))
        bytes.half(0)
        return bytes.bytes
    }
}

/// Little-endian numbers one after the other.
private struct ZipBytes {
    private(set) var bytes: [UInt8] = []

    mutating func append(_ more: [UInt8]) { bytes += more }
    mutating func half(_ value: UInt16) { add(UInt64(value), 2) }
    mutating func word(_ value: UInt32) { add(UInt64(value), 4) }
    mutating func long(_ value: UInt64) { add(value, 8) }

    private mutating func add(_ value: UInt64, _ count: Int) {
        for position in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * position))) }
    }
}

/// The checksum of zip archives.
struct CRC32: Hashable, Sendable {
    private var state: UInt32 = 0xffff_ffff

    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? 0xedb8_8320 ^ value >> 1 : value >> 1 }
    }

    var value: UInt32 { ~state }

    mutating func update(_ bytes: [UInt8]) {
        Self.table.withUnsafeBufferPointer { table in
            var state = state
            for byte in bytes { state = table[Int(UInt8(truncatingIfNeeded: state) ^ byte)] ^ state >> 8 }
            self.state = state
        }
    }

    static func of(_ bytes: [UInt8]) -> UInt32 {
        var checksum = CRC32()
        checksum.update(bytes)
        return checksum.value
    }
}
