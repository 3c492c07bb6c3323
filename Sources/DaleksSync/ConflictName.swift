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
        let room = max(1, Limits.nameBytesMax - mark.count - fileExtension.count)
        while stem.count > room || (stem.count < name.bytes.count - fileExtension.count && isCut(stem, name)) {
            stem.removeLast()
        }
        return (try? Name(Array(stem) + mark + fileExtension)) ?? name
    }

    /// Whether the byte behind the stem continues a character.
    private static func isCut(_ stem: ArraySlice<UInt8>, _ name: Name) -> Bool {
        stem.endIndex < name.bytes.count && name.bytes[stem.endIndex] & 0xc0 == 0x80
    }
}
