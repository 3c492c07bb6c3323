import DaleksSystem

enum CompletionVerb: Verb {
    static let name = "completion"
    static let about = "Prints what a shell needs to complete `daleks` as you type."
    static let positionals: String? = "bash|zsh|fish"
    static let words = ["bash", "zsh", "fish"]
    static let options: [Option] = []
    static let examples: KeyValuePairs = [
        "daleks completion bash > ~/.local/share/bash-completion/completions/daleks": "for bash",
        "daleks completion zsh > ~/.zfunc/_daleks": "for zsh, where fpath has ~/.zfunc",
        "daleks completion fish > ~/.config/fish/completions/daleks.fish": "for fish",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let verbs = CommandLineProgram.verbs
        switch call.settings.positionals[0] {
        case "bash": call.console.say(Completion.bash(verbs))
        case "zsh": call.console.say(Completion.zsh(verbs))
        case "fish": call.console.say(Completion.fish(verbs))
        case let word: throw .usage("\(word) is not one of bash, zsh and fish")
        }
    }
}

/// Completion for shells, from the same table as the help.
enum Completion {
    // MARK: bash

    static func bash(_ verbs: [AnyVerb]) -> String {
        let cases = verbs.map { verb in
            let options = verb.schema.allOptions.flatMap(spellings).joined(separator: " ")
            return "        \(verb.name)) options=\"\(options)\"; words=\"\(verb.words.joined(separator: " "))\" ;;"
        }
        let choices = verbs.flatMap { verb in
            verb.schema.allOptions.compactMap { option -> String? in
                guard case .choice(let words) = option.kind else { return nil }
                let list = words.joined(separator: " ")
                return
                    "        \"\(verb.name) --\(option.name)\") "
                    + "COMPREPLY=($(compgen -W \"\(list)\" -- \"$cur\")); return ;;"
            }
        }
        return """
            # bash completion for daleks; made by `daleks completion bash`.
            _daleks() {
                local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]}
                local options="" words=""
                COMPREPLY=()
                if [ "$COMP_CWORD" -eq 1 ]; then
                    COMPREPLY=($(compgen -W "\(verbs.map(\.name).joined(separator: " ")) --help --version" -- "$cur"))
                    return
                fi
                case "$verb $prev" in
            \(choices.joined(separator: "\n"))
                esac
                case "$verb" in
            \(cases.joined(separator: "\n"))
                esac
                if [[ $cur == -* ]]; then
                    COMPREPLY=($(compgen -W "$options" -- "$cur"))
                    return
                fi
                [ "$COMP_CWORD" -eq 2 ] && COMPREPLY=($(compgen -W "$words" -- "$cur"))
                local IFS=$'\\n'
                COMPREPLY+=($(compgen -f -- "$cur"))
            }
            complete -o filenames -F _daleks daleks
            """
    }

    private static func spellings(_ option: Option) -> [String] {
        (option.short.map { ["-\($0)"] } ?? []) + ["--\(option.name)"]
    }

    // MARK: zsh

    static func zsh(_ verbs: [AnyVerb]) -> String {
        let list = verbs.map { "        '\($0.name):\(zshText($0.about))'" }
        let cases = verbs.map { verb in
            var specs = verb.schema.allOptions.flatMap(zshSpecs)
            if !verb.words.isEmpty { specs.append("'1:word:(\(verb.words.joined(separator: " ")))'") }
            specs.append("'*:file:_files'")
            return "        \(verb.name)) _arguments \\\n            " + specs.joined(separator: " \\\n            ")
                + " ;;"
        }
        return """
            #compdef daleks
            # zsh completion for daleks; made by `daleks completion zsh`.
            _daleks() {
                local -a verbs
                verbs=(
            \(list.joined(separator: "\n"))
                )
                if (( CURRENT == 2 )); then
                    _describe 'command' verbs
                    return
                fi
                local verb=$words[2]
                shift words
                (( CURRENT-- ))
                case $verb in
            \(cases.joined(separator: "\n"))
                esac
            }
            _daleks "$@"
            """
    }

    private static func zshSpecs(_ option: Option) -> [String] {
        let repeats = option.repeats ? "*" : ""
        let help = "[\(zshText(option.help))]"
        var value = ""
        if option.takesValue {
            value = ":\(zshText(option.placeholder)):"
            if case .choice(let words) = option.kind { value += "(\(words.joined(separator: " ")))" }
            if ["FILE", "DIR"].contains(option.placeholder) { value += "_files" }
        }
        let equals = option.takesValue ? "=" : ""
        let short = option.short.map { ["'\(repeats)-\($0)\(help)\(value)'"] } ?? []
        return short + ["'\(repeats)--\(option.name)\(equals)\(help)\(value)'"]
    }

    /// Inside single quotes, brackets and colons.
    private static func zshText(_ text: String) -> String {
        text.replacing("\\", with: "").replacing("'", with: "’").replacing("[", with: "(").replacing("]", with: ")")
            .replacing(":", with: "\\:").replacing("`", with: "")
    }

    // MARK: fish

    static func fish(_ verbs: [AnyVerb]) -> String {
        var lines = ["# fish completion for daleks; made by `daleks completion fish`."]
        for verb in verbs {
            lines.append("complete -c daleks -n __fish_use_subcommand -f -a \(verb.name) -d '\(fishText(verb.about))'")
        }
        for verb in verbs {
            let condition = "complete -c daleks -n '__fish_seen_subcommand_from \(verb.name)'"
            if !verb.words.isEmpty { lines.append("\(condition) -a '\(verb.words.joined(separator: " "))'") }
            for option in verb.schema.allOptions {
                var line = condition + (option.short.map { " -s \($0)" } ?? "") + " -l \(option.name)"
                if case .choice(let words) = option.kind {
                    line += " -x -a '\(words.joined(separator: " "))'"
                } else if option.takesValue {
                    line += " -r"
                }
                lines.append("\(line) -d '\(fishText(option.help))'")
            }
        }
        return lines.joined(separator: "\n")
    }

    private static func fishText(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
    }
}
