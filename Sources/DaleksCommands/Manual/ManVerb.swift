import DaleksCore
import DaleksSystem

enum ManVerb: Verb {
    static let name = "man"
    static let about = "Prints a page of the manual, for man(1); or writes all of them."
    static let positionals: String? = "[COMMAND]"
    static let options = [
        Option(
            "write",
            .text(placeholder: "DIR"),
            help: "Writes daleks.1 and a page for each command into this folder."
        )
    ]
    static let examples: KeyValuePairs = [
        "daleks man share | man -l -": "reads one",
        "daleks man --write /usr/local/share/man/man1": "what `make install` does",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        if let folder = call.settings.optionalText("write") {
            for (name, page) in ManPages.all {
                do throws(Errno) {
                    try Files.writeAtomically("\(folder)/\(name).1", Array(page.utf8), mode: 0o644, durable: false)
                } catch {
                    throw .failed("\(folder)/\(name).1 cannot be written: \(error)")
                }
            }
            return
        }
        guard let word = call.settings.positionals.first else { return call.console.say(ManPages.overview) }
        guard let verb = CommandLineProgram.verbs.first(where: { $0.name == word }) else {
            throw .usage("\(word) is not a command; `daleks --help` lists them")
        }
        call.console.say(ManPages.page(of: verb))
    }
}

/// The manual in troff's man macros, from the same table as the help.
enum ManPages {
    static var all: [(name: String, page: String)] {
        [("daleks", overview + "\n")] + CommandLineProgram.verbs.map { ("daleks-\($0.name)", page(of: $0) + "\n") }
    }

    static var overview: String {
        var lines = heading("DALEKS")
        lines += [
            ".SH NAME", "daleks \\- a cloud folder that behaves like a local disk", ".SH SYNOPSIS",
            ".B daleks", ".I COMMAND", "[options]", ".SH COMMANDS",
        ]
        for verb in CommandLineProgram.verbs {
            lines += [".TP", ".BR daleks\\-\(text(verb.name)) (1)", text(verb.about)]
        }
        return (lines + closing).joined(separator: "\n")
    }

    static func page(of verb: AnyVerb) -> String {
        let schema = verb.schema
        var lines = heading("DALEKS\\-" + text(verb.name.uppercased()))
        lines += [
            ".SH NAME", "daleks\\-\(text(verb.name)) \\- \(text(verb.about))", ".SH SYNOPSIS",
            ".B daleks \(text(verb.name))",
        ]
        lines.append(text((["[options]"] + [schema.positionals].compactMap(\.self)).joined(separator: " ")))
        if !verb.words.isEmpty {
            lines += [
                ".SH DESCRIPTION", "The first argument may be one of \(text(verb.words.joined(separator: ", "))).",
            ]
        }
        lines.append(".SH OPTIONS")
        for option in schema.allOptions {
            let value = option.takesValue ? " \\fI\(text(option.placeholder))\\fR" : ""
            let short = option.short.map { "\\fB\\-\($0)\\fR\(value), " } ?? ""
            lines += [".TP", "\(short)\\fB\\-\\-\(text(option.name))\\fR\(value)", text(option.help)]
            if let value = option.defaultValue, !option.isSecret { lines.append("Default: \(text(value)).") }
        }
        if !schema.examples.isEmpty {
            lines.append(".SH EXAMPLES")
            for example in schema.examples { lines += [".TP", ".B \(text(example.command))", text(example.about)] }
        }
        return (lines + closing).joined(separator: "\n")
    }

    private static func heading(_ title: String) -> [String] {
        [".TH \(title) 1 \"\" \"daleks \(Version.current)\" \"Daleks\""]
    }

    private static let closing = [
        ".SH EXIT STATUS", "0 done, 1 failed, 2 wrong usage; what a signal ended ends by that signal.", ".SH SEE ALSO",
        ".BR daleks (1)",
    ]

    /// A text of ours as troff wants it: no line of it is a request, and every dash is one that can be copied.
    private static func text(_ text: String) -> String {
        let escaped = text.replacing("\\", with: "\\e").replacing("-", with: "\\-").replacing("\n", with: " ")
        return escaped.hasPrefix(".") || escaped.hasPrefix("'") ? "\\&" + escaped : escaped
    }
}
