import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksCommands

/// Help, completion and manual come from one table; nothing is in one and not in the others.
@Suite struct ManualTests {
    private let pages = Dictionary(uniqueKeysWithValues: ManPages.all.map { ($0.name, $0.page) })

    @Test func `each command is in the help, in each completion and in the manual`() {
        let bash = Completion.bash(CommandLineProgram.verbs)
        let zsh = Completion.zsh(CommandLineProgram.verbs)
        let fish = Completion.fish(CommandLineProgram.verbs)
        for verb in CommandLineProgram.verbs {
            #expect(CommandLineProgram.help.contains("\n  \(verb.name) "))
            #expect(bash.contains("        \(verb.name)) options="))
            #expect(zsh.contains("        '\(verb.name):") && zsh.contains("        \(verb.name)) _arguments"))
            #expect(fish.contains("-f -a \(verb.name) -d"))
            #expect(pages["daleks"]?.contains("daleks\\-\(verb.name) (1)") == true)
        }
    }

    @Test(arguments: CommandLineProgram.verbs.map(\.name))
    func `each option of a command is in its help, in each completion and in its page`(name: String) throws {
        let verb = try #require(CommandLineProgram.verbs.first { $0.name == name })
        let page = try #require(pages["daleks-\(name)"])
        let bash = Completion.bash([verb])
        let zsh = Completion.zsh([verb])
        let fish = Completion.fish([verb])

        #expect(verb.schema.help.contains("Examples:") && page.contains(".SH EXAMPLES"))
        for option in verb.schema.allOptions {
            #expect(verb.schema.help.contains("--\(option.name)"))
            #expect(bash.contains("--\(option.name)"))
            #expect(zsh.contains("--\(option.name)"))
            #expect(fish.contains("-l \(option.name) "))
            #expect(page.contains("\\-\\-\(option.name.replacing("-", with: "\\-"))\\fR"))
        }
        for word in verb.words {
            #expect(bash.contains(word) && zsh.contains(word) && fish.contains(word) && page.contains(word))
        }
    }

    @Test func `bash completes commands, options, words and choices`() throws {
        let folder = ScratchFolder()
        try folder.write(Array(Completion.bash(CommandLineProgram.verbs).utf8), to: "daleks")
        func complete(_ words: String...) throws -> [String] {
            let line = words.map { "'\($0)'" }.joined(separator: " ")
            let script = """
                . "$0"; COMP_WORDS=(\(line)); COMP_CWORD=\(words.count - 1); _daleks
                printf '%s\\n' "${COMPREPLY[@]}"
                """
            let captured = try Subprocess.capture(
                Command("bash", ["-c", script, folder.path("daleks")], environment: ["PATH": "/usr/bin:/bin"]),
                timeout: .seconds(20)
            )
            #expect(captured.errorText.isEmpty)
            return captured.outputText.split(separator: "\n").map(String.init)
        }

        #expect(try complete("daleks", "un").sorted() == ["unpin", "unshare"])
        #expect(try complete("daleks", "share", "--ca") == ["--can"])
        #expect(try complete("daleks", "trash", "re").contains("restore"))
        #expect(try complete("daleks", "trash", "restore", "--on-conflict", "re").sorted() == ["rename", "replace"])
    }

    @Test func `no line of the help is wider than a terminal`() {
        for verb in CommandLineProgram.verbs {
            for line in verb.schema.help.split(separator: "\n") where !line.hasPrefix("  daleks ") {
                #expect(line.count <= 80 || line.hasPrefix("Usage:") || line.contains("|"), "\(line)")
            }
        }
    }
}
