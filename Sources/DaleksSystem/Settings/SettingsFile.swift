public import DaleksCore

extension Limits {
    public enum Settings {
        /// A file of settings is a page or two; more is the wrong file.
        public static let fileBytesMax = 1 << 18
        /// What an open-ended list of arguments may hold; the kernel's own bound is of this order.
        public static let argumentsMax = 100_000
    }
}

/// A file of `key = value` lines. `[section]` puts `section-` in front of the keys below it, `#` starts a comment, and
/// a value may be quoted as in TOML.
struct SettingsFile {
    struct Line {
        let key: String
        let value: String
        let number: Int
    }

    let path: String
    private(set) var lines: [Line] = []

    /// The named file, which must exist.
    init(path: String) throws(SettingsError) {
        guard let file = try Self(ifExistsAt: path) else {
            throw SettingsError("the settings file \(path) does not exist")
        }
        self = file
    }

    init?(ifExistsAt path: String) throws(SettingsError) {
        let bytes: [UInt8]
        do throws(Errno) {
            bytes = try Files.readAll(path, max: Limits.Settings.fileBytesMax)
        } catch .noEntry, .notDirectory {
            return nil
        } catch .fileTooLarge {
            throw SettingsError("the settings file \(path) is larger than \(Limits.Settings.fileBytesMax) bytes")
        } catch {
            throw SettingsError("the settings file \(path) cannot be read: \(error)")
        }
        try self.init(path: path, bytes: bytes)
    }

    init(path: String, bytes: [UInt8]) throws(SettingsError) {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw SettingsError("\(path) is not a text file in UTF-8")
        }
        self.path = path
        var section = ""
        // Split by scalar: a carriage return and its newline are one Character.
        for (index, raw) in text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = Self.trimmed(raw)
            if line.isEmpty || line.hasPrefix("#") || line.hasPrefix(";") { continue }
            if line.hasPrefix("[") {
                section = try sectionPrefix(line, number: index + 1)
            } else {
                lines.append(try parsed(line, section: section, number: index + 1))
            }
        }
    }

    private func failure(_ number: Int, _ complaint: String) -> SettingsError {
        SettingsError("\(path):\(number): \(complaint)")
    }

    private func sectionPrefix(_ line: String, number: Int) throws(SettingsError) -> String {
        let head = line.prefix { $0 != "#" }
        let trimmed = Self.trimmed(head.unicodeScalars)
        guard trimmed.hasSuffix("]"), let name = Self.key(trimmed.dropFirst().dropLast()) else {
            throw failure(number, "a section reads [name]")
        }
        return name + "-"
    }

    private func parsed(_ line: String, section: String, number: Int) throws(SettingsError) -> Line {
        guard let equals = line.firstIndex(of: "="), let key = Self.key(line[..<equals]) else {
            throw failure(number, "a line reads key = value")
        }
        let text = Self.trimmed(line[line.index(after: equals)...].unicodeScalars)
        guard let value = Self.value(text) else { throw failure(number, "the value of \(key) is quoted wrongly") }
        return Line(key: section + key, value: value, number: number)
    }

    /// Lower case; an underscore is a dash. Nil where it is no key at all.
    private static func key(_ text: some StringProtocol) -> String? {
        let key = trimmed(text.unicodeScalars).replacing("_", with: "-").lowercased()
        let isKey = key.utf8.allSatisfy {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                || $0 == UInt8(ascii: "-")
        }
        return isKey && !key.isEmpty ? key : nil
    }

    private static func value(_ text: String) -> String? {
        switch text.first {
        case "\"": quoted(text.dropFirst())
        case "'": literal(text.dropFirst())
        default: unquoted(text)
        }
    }

    /// Up to a `#` that follows a space, so that `http://host/#part` is whole.
    private static func unquoted(_ text: String) -> String {
        var kept = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if scalar == "#", kept.last.map(isSpace) ?? true { break }
            kept.append(scalar)
        }
        return trimmed(kept)
    }

    private static func literal(_ text: Substring) -> String? {
        guard let end = text.firstIndex(of: "'"), isComment(text[text.index(after: end)...]) else { return nil }
        return String(text[..<end])
    }

    private static func quoted(_ text: Substring) -> String? {
        var value = ""
        var rest = text
        while let character = rest.popFirst() {
            switch character {
            case "\"":
                return isComment(rest) ? value : nil
            case "\\":
                switch rest.popFirst() {
                case "n": value += "\n"
                case "t": value += "\t"
                case "\"": value += "\""
                case "\\": value += "\\"
                default: return nil
                }
            default:
                value.append(character)
            }
        }
        return nil
    }

    /// Nothing, or a comment: all that may follow a closing quote.
    private static func isComment(_ rest: Substring) -> Bool {
        let rest = trimmed(rest.unicodeScalars)
        return rest.isEmpty || rest.hasPrefix("#")
    }

    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool { scalar == " " || scalar == "\t" || scalar == "\r" }

    static func trimmed(_ scalars: some BidirectionalCollection<Unicode.Scalar>) -> String {
        let start = scalars.drop(while: isSpace)
        guard let last = start.lastIndex(where: { !isSpace($0) }) else { return "" }
        var result = String.UnicodeScalarView()
        result.append(contentsOf: start[...last])
        return String(result)
    }
}
