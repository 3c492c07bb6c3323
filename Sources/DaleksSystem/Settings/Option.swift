/// One thing a program can be told: by flag, by environment variable, by a line of its file, or by its default.
public struct Option: Sendable {
    /// What a value must look like. It is checked once, while the settings load, wherever the value came from.
    public enum Kind: Sendable, Equatable {
        /// `--name` and `--no-name`; elsewhere true or false.
        case flag
        /// Any text; the placeholder stands for it in `--help`.
        case text(placeholder: String)
        /// A whole number in a range.
        case integer(ClosedRange<Int>)
        /// Such as `10s`, `1h30m`, `250ms`.
        case duration
        /// Such as `4096`, `64MiB`, `1G`.
        case bytes
        /// One of these words.
        case choice([String])
    }

    /// Lower case with dashes: `users-port` is `--users-port`, `DALEKS_USERS_PORT` and `users-port = 1`.
    public let name: String
    public let kind: Kind
    public let defaultValue: String?
    public let help: String
    /// Never shown: neither by `--print-config` nor in an error.
    public let isSecret: Bool
    /// The letter of `-o`, where there is one.
    public let short: Character?
    /// May be given more than once; `Settings.texts` has all of them.
    public let repeats: Bool
    /// Loading fails where nobody says what it is.
    public let isRequired: Bool

    public init(
        _ name: String,
        _ kind: Kind = .text(placeholder: "TEXT"),
        default defaultValue: String? = nil,
        help: String,
        isSecret: Bool = false,
        short: Character? = nil,
        repeats: Bool = false,
        isRequired: Bool = false
    ) {
        let isWellNamed = name.utf8.allSatisfy {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                || $0 == UInt8(ascii: "-")
        }
        precondition(!name.isEmpty && isWellNamed && !name.hasPrefix("no-"), "an option's name is a-z, 0-9 and dashes")
        self.name = name
        self.kind = kind
        self.defaultValue = defaultValue
        self.help = help
        self.isSecret = isSecret
        self.short = short
        self.repeats = repeats
        self.isRequired = isRequired
    }

    public var takesValue: Bool { kind != .flag }

    /// What stands for the value in `--help`.
    public var placeholder: String {
        switch kind {
        case .flag: ""
        case .text(let placeholder): placeholder
        case .integer: "N"
        case .duration: "DURATION"
        case .bytes: "SIZE"
        case .choice(let words): words.joined(separator: "|")
        }
    }

    /// What is wrong with a value, as the end of a sentence that begins with it; nil when nothing is.
    func complaint(about value: String) -> String? {
        switch kind {
        case .text:
            return value.utf8.contains(0) ? "holds a NUL byte" : nil
        case .flag:
            return SettingsValue.boolean(value) == nil ? "is neither true nor false" : nil
        case .integer(let range):
            guard let number = Int(value), range.contains(number) else {
                return "is not a whole number from \(range.lowerBound) to \(range.upperBound)"
            }
            return nil
        case .duration:
            return SettingsValue.duration(value) == nil ? "is not a duration such as 250ms, 10s, 5m, 1h30m or 2d" : nil
        case .bytes:
            return SettingsValue.bytes(value) == nil ? "is not a size such as 4096, 64MiB or 1G" : nil
        case .choice(let words):
            return words.contains(value) ? nil : "is not one of \(words.joined(separator: ", "))"
        }
    }
}
