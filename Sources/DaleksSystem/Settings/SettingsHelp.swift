/// What `--help` prints.
enum SettingsHelp {
    private static let columns = 80
    private static let indent = "        "

    static func text(of schema: SettingsSchema) -> String {
        var lines = ["Usage: \(schema.usage)", ""]
        lines += wrapped(schema.about, indent: "")
        lines += ["", "Options:"]
        for option in schema.allOptions {
            lines.append("  " + heading(of: option))
            lines += wrapped(option.help, indent: indent)
            let facts = facts(about: option, in: schema)
            if !facts.isEmpty { lines += wrapped(facts, indent: indent) }
        }
        if !schema.examples.isEmpty {
            lines += ["", "Examples:"]
            for example in schema.examples {
                lines.append("  " + example.command)
                lines += wrapped(example.about, indent: indent)
            }
        }
        lines += [""]
        lines += wrapped(
            "A flag wins over the environment, the environment over the file, the file over the default.",
            indent: ""
        )
        if !schema.defaultFiles.isEmpty {
            lines += wrapped("Without --config: \(schema.defaultFiles.joined(separator: ", then ")).", indent: "")
        }
        return lines.joined(separator: "\n")
    }

    private static func heading(of option: Option) -> String {
        let isNegatable = option.kind == .flag && option.defaultValue != nil
        let long = isNegatable ? "--[no-]\(option.name)" : "--\(option.name)"
        let value = option.takesValue ? " \(option.placeholder)" : ""
        return (option.short.map { "-\($0)\(value), " } ?? "") + long + value
    }

    private static func facts(about option: Option, in schema: SettingsSchema) -> String {
        var facts: [String] = []
        if let value = option.defaultValue {
            facts.append(option.isSecret ? "A default is built in." : "Default: \(value.isEmpty ? "empty" : value).")
        }
        if option.isRequired { facts.append("Required.") }
        if option.repeats { facts.append("May be repeated.") }
        if let name = schema.environmentName(of: option) {
            facts.append("Environment: \(name)\(option.repeats ? ", with semicolons between several" : "").")
        }
        return facts.joined(separator: " ")
    }

    /// Breaks at spaces; a word wider than the line has one to itself.
    static func wrapped(_ text: String, indent: String, columns: Int = columns) -> [String] {
        var lines: [String] = []
        for paragraph in text.split(separator: "\n", omittingEmptySubsequences: false) {
            var line = indent
            for word in paragraph.split(separator: " ") {
                let isFirst = line.count == indent.count
                if !isFirst, line.count + 1 + word.count > columns {
                    lines.append(line)
                    line = indent + word
                } else {
                    line += (isFirst ? "" : " ") + word
                }
            }
            lines.append(line.count == indent.count ? "" : line)
        }
        return lines
    }
}
