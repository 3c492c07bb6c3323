import DaleksCore

/// `report (conflict from laptop 2026-11-21).txt`: the name that a second truth gets.
enum ConflictName {
    /// Cuts the stem so that the whole fits a name; a cut never splits a UTF-8 character.
    static func make(from name: Name, suffix: String, attempt: Int) -> Name {
        let mark = Array(" (\(suffix)\(attempt == 0 ? "" : " \(attempt + 1)"))".utf8)
        let dot = name.bytes.lastIndex(of: UInt8(ascii: ".")) ?? 0
        // A leading dot hides a file and starts no extension; a very long extension is none either.
        let hasExtension = dot > 0 && name.bytes.count - dot <= 16
        let fileExtension = hasExtension ? name.bytes[dot...] : []
        var stem = hasExtension ? name.bytes[..<dot] : name.bytes[...]
        // What has stood aside before does so under the name that it had at first.
        if let first = start(ofMark: " (conflict from ", in: stem), stem.last == UInt8(ascii: ")"), first > 0 {
            stem = stem[..<first]
        }
        let room = max(1, Limits.nameBytesMax - mark.count - fileExtension.count)
        while stem.count > room || (stem.count < name.bytes.count - fileExtension.count && isCut(stem, name)) {
            stem.removeLast()
        }
        return (try? Name(Array(stem) + mark + fileExtension)) ?? name
    }

    /// Which attempt a name is, under a suffix; the first that it is not comes after it.
    static func nextAttempt(after name: Name, suffix: String) -> Int {
        guard let first = start(ofMark: " (\(suffix)", in: name.bytes[...]) else { return 0 }
        let rest = name.bytes[(first + suffix.utf8.count + 2)...].drop { $0 == UInt8(ascii: " ") }
        let number = Int(String(decoding: rest.prefix { $0 != UInt8(ascii: ")") }, as: UTF8.self))
        return number ?? 1
    }

    private static func start(ofMark mark: String, in bytes: ArraySlice<UInt8>) -> Int? {
        let mark = Array(mark.utf8)
        return bytes.indices.first { bytes[$0...].starts(with: mark) }
    }

    /// Whether the byte behind the stem continues a character.
    private static func isCut(_ stem: ArraySlice<UInt8>, _ name: Name) -> Bool {
        stem.endIndex < name.bytes.count && name.bytes[stem.endIndex] & 0xc0 == 0x80
    }
}
