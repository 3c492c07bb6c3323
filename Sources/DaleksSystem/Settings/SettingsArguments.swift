/// A command line, taken apart by a schema.
struct SettingsArguments {
    private(set) var values: [String: [String]] = [:]
    private(set) var positionals: [String] = []
    private let schema: SettingsSchema

    init(_ arguments: [String], schema: SettingsSchema) throws(SettingsError) {
        self.schema = schema
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            if argument == "--" {
                positionals += rest
                break
            }
            if argument.hasPrefix("--") {
                try takeLong(argument.dropFirst(2), &rest)
            } else if argument.hasPrefix("-"), argument.count > 1 {
                try takeShort(argument.dropFirst(), &rest)
            } else {
                positionals.append(argument)
            }
        }
        try checkPositionals()
    }

    /// Whether this flag stands among the arguments. It needs no parsing, so `--help` works beside any mistake: no
    /// option takes a separate value that begins with two dashes.
    static func contain(_ names: [String], _ arguments: [String]) -> Bool {
        arguments.prefix { $0 != "--" }.contains { names.contains($0) }
    }

    private mutating func takeLong(_ body: Substring, _ rest: inout ArraySlice<String>) throws(SettingsError) {
        let name = body.prefix { $0 != "=" }
        let attached = name.endIndex < body.endIndex ? String(body[body.index(after: name.endIndex)...]) : nil
        if let option = schema.option(named: String(name)) {
            if let attached { return try record(attached, for: option) }
            return try record(separateValue(of: option, as: "--\(name)", &rest), for: option)
        }
        if name.hasPrefix("no-"), let option = schema.option(named: String(name.dropFirst(3))), option.kind == .flag {
            guard attached == nil else { throw SettingsError("--\(name) takes no value") }
            return try record("false", for: option)
        }
        throw unknown("--\(name)", among: schema.allOptions.map { "--\($0.name)" })
    }

    private mutating func takeShort(_ body: Substring, _ rest: inout ArraySlice<String>) throws(SettingsError) {
        guard let letter = body.first, let option = schema.option(short: letter) else {
            // `-port` is more likely a forgotten dash than a letter.
            let error = unknown("-\(body.prefix { $0 != "=" })", among: schema.allOptions.map { "--\($0.name)" })
            // Names of files and keys may begin so.
            guard schema.positionals != nil else { throw error }
            throw SettingsError(error.message + "; what is no option and begins with a dash comes after --")
        }
        let attached = body.dropFirst()
        guard option.takesValue || attached.isEmpty else { throw SettingsError("-\(letter) takes no value") }
        let value = attached.isEmpty ? try separateValue(of: option, as: "-\(letter)", &rest) : String(attached)
        try record(value, for: option)
    }

    private func separateValue(
        of option: Option,
        as spelling: String,
        _ rest: inout ArraySlice<String>
    ) throws(SettingsError) -> String {
        guard option.takesValue else { return "true" }
        guard let next = rest.first, !next.hasPrefix("--"), !isShortFlag(next) else {
            throw SettingsError("\(spelling) needs a value: \(spelling) \(option.placeholder)")
        }
        rest.removeFirst()
        return next
    }

    private func isShortFlag(_ argument: String) -> Bool {
        argument.count == 2 && argument.first == "-" && argument.last.flatMap(schema.option(short:)) != nil
    }

    private mutating func record(_ value: String, for option: Option) throws(SettingsError) {
        guard option.repeats || values[option.name] == nil else {
            throw SettingsError("--\(option.name) is given more than once; give it once")
        }
        values[option.name, default: []].append(value)
    }

    private func unknown(_ spelling: String, among known: [String]) -> SettingsError {
        let hint = Spelling.closest(to: spelling, among: known).map { " (did you mean \($0)?)" }
        return SettingsError("unknown option \(spelling)\(hint ?? "; \(schema.program) --help lists them all")")
    }

    private func checkPositionals() throws(SettingsError) {
        let counts = schema.positionalCounts
        if positionals.count > counts.upperBound {
            throw SettingsError(
                "unexpected argument \"\(positionals[counts.upperBound])\"; usage: \(schema.usage)"
            )
        }
        if positionals.count < counts.lowerBound {
            throw SettingsError("an argument is missing; usage: \(schema.usage)")
        }
    }
}
