/// `report (conflict from laptop 2026-11-21).txt`: the name that a second truth gets.
public enum ConflictName {
    /// Between the name and who wrote it, and when.
    public static let mark = " (conflict from "

    /// What goes between the brackets.
    public static func suffix(host: String, date: some StringProtocol) -> String { "conflict from \(host) \(date)" }

    /// Cuts the stem so that the whole fits a name; a cut never splits a UTF-8 character.
    public static func make(from name: Name, suffix: String, attempt: Int) -> Name {
        let words = Array(" (\(suffix)\(attempt == 0 ? "" : " \(attempt + 1)"))".utf8)
        var (stem, fileExtension) = parts(of: name)
        // What has stood aside before does so under the name that it had at first.
        if let first = start(ofMark: mark, in: stem), stem.last == UInt8(ascii: ")"), first > 0 {
            stem = stem[..<first]
        }
        let room = max(1, Limits.nameBytesMax - words.count - fileExtension.count)
        while stem.count > room || (stem.count < name.bytes.count - fileExtension.count && isCut(stem, name)) {
            stem.removeLast()
        }
        return (try? Name(Array(stem) + words + fileExtension)) ?? name
    }

    /// Which attempt a name is, under a suffix; the first that it is not comes after it.
    public static func nextAttempt(after name: Name, suffix: String) -> Int {
        guard let first = start(ofMark: " (\(suffix)", in: name.bytes[...]) else { return 0 }
        let rest = name.bytes[(first + suffix.utf8.count + 2)...].drop { $0 == UInt8(ascii: " ") }
        let number = Int(String(decoding: rest.prefix { $0 != UInt8(ascii: ")") }, as: UTF8.self))
        return number ?? 1
    }

    /// What a conflict name says.
    public struct Reading: Hashable, Sendable {
        /// What the file was called; where that was too long, its beginning.
        public var plain: Name
        public var host: String
        public var date: String
        /// A name without the mark, for whoever keeps both: `report (from laptop 2026-11-21).txt`.
        public var settled: Name
    }

    /// Nil where it is none.
    public static func read(_ name: Name) -> Reading? {
        let (stem, fileExtension) = parts(of: name)
        guard let first = start(ofMark: mark, in: stem), first > 0, stem.last == UInt8(ascii: ")"),
            let words = String(validating: stem[(first + mark.utf8.count)...].dropLast(), as: UTF8.self)
        else { return nil }
        var parts = words.split(separator: " ", omittingEmptySubsequences: false)
        if parts.count > 2, let last = parts.last, last.utf8.count < 5, Int(last) != nil { parts.removeLast() }
        guard let date = parts.popLast(), isDate(date), !parts.isEmpty,
            let plain = try? Name(stem[..<first] + fileExtension),
            let settled = try? Name(stem[..<first] + Array(" (from \(words))".utf8) + fileExtension)
        else { return nil }
        return Reading(plain: plain, host: parts.joined(separator: " "), date: String(date), settled: settled)
    }

    private static func isDate(_ text: Substring) -> Bool {
        let digits = text.split(separator: "-", omittingEmptySubsequences: false)
        return digits.map(\.utf8.count) == [4, 2, 2] && digits.allSatisfy { Int($0) != nil }
    }

    private static func parts(of name: Name) -> (stem: ArraySlice<UInt8>, fileExtension: ArraySlice<UInt8>) {
        let dot = name.bytes.lastIndex(of: UInt8(ascii: ".")) ?? 0
        // A leading dot hides a file and starts no extension; a very long extension is none either.
        let hasExtension = dot > 0 && name.bytes.count - dot <= 16
        return hasExtension ? (name.bytes[..<dot], name.bytes[dot...]) : (name.bytes[...], [])
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
