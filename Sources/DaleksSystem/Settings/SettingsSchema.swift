public import DaleksCore

/// What one program, or one verb of the command line, can be told.
public struct SettingsSchema: Sendable {
    public let program: String
    public let about: String
    public let usage: String
    public let options: [Option]
    /// How the arguments without a flag read in the usage line, `PATH [DIR]` or `[PATH...]`; nil where there are none.
    public let positionals: String?
    /// Ways to use it, shown after the options.
    public let examples: [Example]
    public let environmentPrefix: String
    public let version: String
    /// The first of these that exists is read when no file is named. None of them needs to exist.
    public let defaultFiles: [String]
    /// Keys that a file may hold because another program or verb that shares the file understands them.
    public let keysOfOthers: Set<String>

    /// A command as somebody would type it, and what it does.
    public struct Example: Sendable, Hashable {
        public let command: String
        public let about: String

        public init(_ command: String, _ about: String) {
            self.command = command
            self.about = about
        }
    }

    public init(
        program: String,
        about: String,
        usage: String? = nil,
        options: [Option],
        positionals: String? = nil,
        examples: [Example] = [],
        environmentPrefix: String = "DALEKS_",
        version: String = Version.current,
        defaultFiles: [String] = [],
        keysOfOthers: Set<String> = []
    ) {
        self.program = program
        self.about = about
        self.usage = usage ?? [program, "[options]", positionals].compactMap(\.self).joined(separator: " ")
        self.options = options
        self.positionals = positionals
        self.examples = examples
        self.environmentPrefix = environmentPrefix
        self.version = version
        self.defaultFiles = defaultFiles
        self.keysOfOthers = keysOfOthers
        let names = allOptions.map(\.name)
        precondition(Set(names).count == names.count, "an option is declared twice, or takes a name that is built in")
        let shorts = allOptions.compactMap(\.short)
        precondition(Set(shorts).count == shorts.count, "two options share a letter")
        for option in options {
            if let value = option.defaultValue {
                let complaint = option.complaint(about: value)
                precondition(complaint == nil, "the default of --\(option.name) \(complaint ?? "")")
            }
        }
    }

    /// Every option and what it is when nobody says anything, at 80 columns.
    public var help: String { SettingsHelp.text(of: self) }

    static let configOption = Option(
        "config",
        .text(placeholder: "FILE"),
        help: "Reads settings from this file: lines of `key = value`, where a key is a flag's name without its dashes."
    )

    public static let builtIn: [Option] = [
        configOption,
        Option("print-config", .flag, help: "Prints the settings in effect and where each came from, then exits."),
        Option("help", .flag, help: "Prints this, then exits.", short: "h"),
        Option("version", .flag, help: "Prints the version, then exits."),
    ]

    /// Its own and those that every program has.
    public var allOptions: [Option] { options + Self.builtIn }

    func option(named name: String) -> Option? { allOptions.first { $0.name == name } }

    func option(short: Character) -> Option? { allOptions.first { $0.short == short } }

    /// The environment variable for an option. The three that print something have none.
    func environmentName(of option: Option) -> String? {
        if ["help", "version", "print-config"].contains(option.name) { return nil }
        return environmentPrefix + option.name.uppercased().replacing("-", with: "_")
    }

    /// How many arguments without a flag there may be, by the words of `positionals`.
    var positionalCounts: ClosedRange<Int> {
        let words = (positionals ?? "").split(separator: " ")
        let required = words.count { !$0.hasPrefix("[") }
        return required...(words.contains { $0.contains("...") } ? Limits.Settings.argumentsMax : words.count)
    }
}

extension SettingsSchema {
    /// Text for a terminal of eighty columns, each line behind `indent`.
    public static func wrapped(_ text: String, indent: String) -> [String] {
        SettingsHelp.wrapped(text, indent: indent)
    }
}
