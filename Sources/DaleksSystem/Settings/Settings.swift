/// What a program was told, complete and checked: flag over environment over file over default.
public struct Settings: Sendable {
    /// Who said what a setting is.
    public enum Origin: Equatable, Sendable, CustomStringConvertible {
        case flag(String)
        case environment(String)
        case file(String, line: Int)
        case standard

        public var description: String {
            switch self {
            case .flag(let spelling): "flag \(spelling)"
            case .environment(let name): "environment \(name)"
            case .file(let path, let line): "\(path):\(line)"
            case .standard: "default"
            }
        }
    }

    private struct Setting {
        let values: [String]
        let origin: Origin
    }

    public let positionals: [String]
    private let schema: SettingsSchema
    private let settings: [String: Setting]

    /// `arguments` are those after the program's (or the verb's) name.
    public static func load(
        _ schema: SettingsSchema,
        arguments: [String],
        environment: [String: String]
    ) throws(SettingsError) -> SettingsOutcome {
        if SettingsArguments.contain(["--help", "-h"], arguments) { return .print(schema.help) }
        if SettingsArguments.contain(["--version"], arguments) { return .print("\(schema.program) \(schema.version)") }
        let arguments = try SettingsArguments(arguments, schema: schema)
        let settings = try Settings(schema, arguments, environment)
        if settings.flag("print-config") { return .print(settings.printedConfiguration) }
        return .run(settings)
    }

    private init(
        _ schema: SettingsSchema,
        _ arguments: SettingsArguments,
        _ environment: [String: String]
    ) throws(SettingsError) {
        self.schema = schema
        positionals = arguments.positionals
        var settings: [String: Setting] = [:]
        for option in schema.allOptions {
            if let values = arguments.values[option.name] {
                settings[option.name] = Setting(values: values, origin: .flag("--\(option.name)"))
            } else if let name = schema.environmentName(of: option), let value = environment[name], !value.isEmpty {
                // An empty variable is how units and shells spell "not set".
                settings[option.name] = Setting(
                    values: option.repeats ? Self.several(value) : [value],
                    origin: .environment(name)
                )
            }
        }
        let path = settings[SettingsSchema.configOption.name]?.values.first
        if let file = try Self.file(named: path, schema) {
            try Self.add(file, schema, to: &settings)
        }
        for option in schema.allOptions where settings[option.name] == nil {
            let value = option.defaultValue ?? (option.kind == .flag ? "false" : nil)
            settings[option.name] = value.map { Setting(values: [$0], origin: .standard) }
        }
        self.settings = settings
        for option in schema.allOptions { try check(option) }
    }

    /// A variable has one value where flags and lines of a file are repeated: semicolons stand between.
    private static func several(_ value: String) -> [String] {
        value.split(separator: ";").map { SettingsFile.trimmed($0.unicodeScalars) }.filter { !$0.isEmpty }
    }

    private static func file(named path: String?, _ schema: SettingsSchema) throws(SettingsError) -> SettingsFile? {
        if let path { return try SettingsFile(path: path) }
        for path in schema.defaultFiles {
            if let file = try SettingsFile(ifExistsAt: path) { return file }
        }
        return nil
    }

    private static func add(
        _ file: SettingsFile,
        _ schema: SettingsSchema,
        to settings: inout [String: Setting]
    ) throws(SettingsError) {
        var fromFile: [String: Setting] = [:]
        for line in file.lines {
            guard let option = schema.options.first(where: { $0.name == line.key }) else {
                if schema.keysOfOthers.contains(line.key) { continue }
                let known = schema.options.map(\.name)
                let hint = Spelling.closest(to: line.key, among: known).map { " (did you mean \($0)?)" } ?? ""
                throw SettingsError("\(file.path):\(line.number): unknown key \(line.key)\(hint)")
            }
            let earlier = fromFile[option.name]?.values ?? []
            guard option.repeats || earlier.isEmpty else {
                throw SettingsError("\(file.path):\(line.number): \(line.key) is set a second time; set it once")
            }
            fromFile[option.name] = Setting(
                values: earlier + [line.value],
                origin: .file(file.path, line: line.number)
            )
        }
        settings.merge(fromFile) { stronger, _ in stronger }
    }

    private func check(_ option: Option) throws(SettingsError) {
        guard let setting = settings[option.name] else {
            guard option.isRequired else { return }
            let name = schema.environmentName(of: option) ?? ""
            throw SettingsError(
                "--\(option.name) is required: give the flag, \(name) in the environment, or \(option.name) in a file"
            )
        }
        for value in setting.values {
            if let complaint = option.complaint(about: value) { throw error(option, complaint) }
        }
    }

    private func error(_ option: Option, _ complaint: String) -> SettingsError {
        let setting = settings[option.name]
        let value = option.isSecret ? "its value" : "\"\(setting?.values.last ?? "")\""
        let origin = setting.map { " (from \($0.origin))" } ?? ""
        return SettingsError("--\(option.name): \(value) \(complaint)\(origin)")
    }
}

extension Settings {
    /// A setting that has a default or is required. Asking for another one is our mistake.
    public func text(_ name: String) -> String {
        guard let text = optionalText(name) else {
            preconditionFailure("--\(name) has no default: it is read by optionalText")
        }
        return text
    }

    public func optionalText(_ name: String) -> String? {
        _ = declared(name)
        return settings[name]?.values.last
    }

    /// Whether it was said in this very command, and not once for all of them in the environment or a file.
    public func isFlagged(_ name: String) -> Bool {
        _ = declared(name)
        if case .flag? = settings[name]?.origin { return true }
        return false
    }

    /// All values of an option that may be repeated, in their order.
    public func texts(_ name: String) -> [String] {
        _ = declared(name)
        return settings[name]?.values ?? []
    }

    public func flag(_ name: String) -> Bool {
        let option = declared(name)
        precondition(option.kind == .flag, "--\(name) is not a flag")
        return settings[name]?.values.last.flatMap(SettingsValue.boolean) ?? false
    }

    public func integer(_ name: String, in range: ClosedRange<Int> = .min ... .max) throws(SettingsError) -> Int {
        let option = declared(name)
        guard let number = Int(text(name)), range.contains(number) else {
            throw error(option, "is not a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    public func duration(_ name: String) throws(SettingsError) -> Duration {
        guard let duration = SettingsValue.duration(text(name)) else {
            throw error(declared(name), Option(name, .duration, help: "").complaint(about: text(name)) ?? "")
        }
        return duration
    }

    public func bytes(_ name: String) throws(SettingsError) -> Int64 {
        guard let bytes = SettingsValue.bytes(text(name)) else {
            throw error(declared(name), Option(name, .bytes, help: "").complaint(about: text(name)) ?? "")
        }
        return bytes
    }

    public func choice<Choice: CaseIterable & RawRepresentable>(
        _ name: String,
        _ type: Choice.Type
    ) throws(SettingsError) -> Choice where Choice.RawValue == String {
        guard let choice = Choice(rawValue: text(name)) else {
            let words = type.allCases.map(\.rawValue).joined(separator: ", ")
            throw error(declared(name), "is not one of \(words)")
        }
        return choice
    }

    /// Where a setting came from; nil where nobody set it.
    public func origin(of name: String) -> Origin? {
        _ = declared(name)
        return settings[name]?.origin
    }

    /// An error about a setting's value that only the program could find, spelt like the others.
    public func refusing(_ name: String, _ complaint: String) -> SettingsError { error(declared(name), complaint) }

    private func declared(_ name: String) -> Option {
        guard let option = schema.option(named: name) else { preconditionFailure("--\(name) is not in the schema") }
        return option
    }
}

extension Settings {
    /// What `--print-config` prints: a file that could be read back, each line saying who set it. A secret's line is a
    /// comment without its value.
    public var printedConfiguration: String {
        var lines = ["# \(schema.program) \(schema.version)"]
        for option in schema.options {
            guard let setting = settings[option.name] else {
                lines.append("# \(option.name) is not set")
                continue
            }
            for value in setting.values {
                lines.append(
                    option.isSecret
                        ? "# \(option.name) = (redacted)  # \(setting.origin)"
                        : "\(option.name) = \(Self.printed(value, option))  # \(setting.origin)"
                )
            }
        }
        return lines.joined(separator: "\n")
    }

    private static func printed(_ value: String, _ option: Option) -> String {
        switch option.kind {
        case .text: quoted(withoutPassword(value))
        case .flag: SettingsValue.boolean(value) == true ? "true" : "false"
        case .integer, .duration, .bytes, .choice: value
        }
    }

    private static func quoted(_ value: String) -> String {
        "\""
            + value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
            .replacing("\t", with: "\\t") + "\""
    }

    /// A password between `://user:` and `@` is nobody's to read, whether or not its option was declared secret.
    private static func withoutPassword(_ value: String) -> String {
        guard let scheme = value.firstRange(of: "://") else { return value }
        let authority = value[scheme.upperBound...].prefix { !"/?#".contains($0) }
        guard let at = authority.lastIndex(of: "@"), let colon = authority[..<at].firstIndex(of: ":") else {
            return value
        }
        return value[...colon] + "(redacted)" + value[at...]
    }
}
