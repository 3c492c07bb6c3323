import Testing

/// A rule that never fails is no rule: each is shown a file that breaks it, and one that only looks so.
@Suite struct RuleTests {
    private func lines(_ rule: Rule, _ text: String, in path: String = "Sources/DaleksSync/Planted.swift") -> [Int] {
        rule.check(SourceFile(path, text)).map(\.line)
    }

    @Test(arguments: [
        "final class A: @unchecked Sendable {}", "nonisolated(unsafe) var a = 1", "let a = try! b()",
        "fatalError(\"x\")",
        "let a = b.unsafelyUnwrapped", "/// Short.\nfinal class A: @unchecked Sendable {}",
        "// A sentence that explains it well.\n\nnonisolated(unsafe) var a = 1",
        "let text = \"// This is no comment at all.\"; fatalError(text)",
    ])
    func `an unexplained danger is found`(text: String) {
        #expect(lines(Rules.unexplained, text).count == 1)
    }

    @Test(arguments: [
        "// The lock guards every one of its fields.\nfinal class A: @unchecked Sendable {}",
        "// The lock guards every one of its fields.\n@frozen\nfinal class A: @unchecked Sendable {}",
        "/// A sentence that needs two lines and has one\n/// word.\nfinal class A: @unchecked Sendable {}",
        "// As above.\nnonisolated(unsafe) var a = 1",
        "fatalError(\"x\")  // The kernel broke its own promise.",
        "let text = \"try! fatalError( @unchecked Sendable\"",
        "// We never write try! in this house, ever.", "/* fatalError( */ let a = 1",
    ])
    func `an explained one, or its name alone, is not`(text: String) {
        #expect(lines(Rules.unexplained, text) == [])
    }

    @Test func `a test may stop at a surprise`() {
        #expect(lines(Rules.unexplained, "let a = try! b()", in: "Tests/DaleksSyncTests/A.swift") == [])
        #expect(lines(Rules.unexplained, "nonisolated(unsafe) var a = 1", in: "Tests/DaleksSyncTests/A.swift") == [1])
    }

    @Test(arguments: [
        "import Foundation", "public import Foundation", "@preconcurrency import Foundation",
        "import struct Foundation.Date",
        "import FoundationEssentials", "  import   FoundationNetworking // why not",
    ])
    func `Foundation is found`(text: String) {
        #expect(lines(Rules.foundation, text) == [1])
    }

    @Test(arguments: ["// import Foundation", "import Glibc", "let a = \"import Foundation\"", "struct Foundation {}"])
    func `what only mentions Foundation is not`(text: String) {
        #expect(lines(Rules.foundation, text) == [])
    }

    @Test(arguments: [
        "print(a)", "    print()", "debugPrint(a)", "let a = { print($0) }", "case print(b): print(a)", "dump(a)",
    ])
    func `printing in a library is found`(text: String) {
        #expect(lines(Rules.printing, text) == [1])
        #expect(lines(Rules.printing, text, in: "Sources/DaleksCommands/Status.swift") == [])
        #expect(lines(Rules.printing, text, in: "Sources/daleks-users/main.swift") == [])
        #expect(lines(Rules.printing, text, in: "Tests/DaleksSyncTests/A.swift") == [])
    }

    @Test(arguments: [
        "case print(String)", "return .print(text)", "func print(_ a: Int) {}", "fingerprint(a)", "// print(a)",
        "\"print(a)\"",
    ])
    func `what only looks like printing is not`(text: String) {
        #expect(lines(Rules.printing, text) == [])
    }

    @Test func `printing inside an interpolation is code`() {
        #expect(lines(Rules.printing, "let a = \"x \\(print(\"y\")) z\"") == [1])
    }

    @Test(arguments: [
        "@_cdecl(\"f\") func f() {}", "let f: @convention(c) () -> Void = {}", "let p = Unmanaged.passRetained(a)",
        "signal(SIGTERM, handler)",
    ])
    func `a C callback near a main is found`(text: String) {
        #expect(lines(Rules.callbacks, text, in: "Sources/daleks/main.swift") == [1])
        #expect(lines(Rules.callbacks, "@main struct A {}\n\(text)") == [2])
        #expect(lines(Rules.callbacks, text) == [])
    }

    @Test(arguments: ["public import CSQLite", "@preconcurrency public import CFuse"])
    func `a public import of C is found`(text: String) {
        #expect(lines(Rules.publicC, text) == [1])
    }

    @Test(arguments: [
        "import CSQLite", "public import DaleksCore", "public import Copyright", "// public import CSQLite",
    ])
    func `another import is not`(text: String) {
        #expect(lines(Rules.publicC, text) == [])
    }

    @Test func `an exported import is found`() {
        #expect(lines(Rules.exported, "@_exported import DaleksCore") == [1])
        #expect(lines(Rules.exported, "import DaleksCore // not @_exported") == [])
    }

    @Test func `a file of more than 500 lines is found`() {
        #expect(lines(Rules.length, String(repeating: "a\n", count: 500)) == [])
        #expect(lines(Rules.length, String(repeating: "a\n", count: 501)) == [0])
        #expect(lines(Rules.length, String(repeating: "a\n", count: 501), in: "docs/long.md") == [])
    }

    @Test func `a line of more than 120 columns is found`() {
        #expect(lines(Rules.width, String(repeating: "é", count: 120)) == [])
        #expect(lines(Rules.width, "a\n" + String(repeating: "é", count: 121)) == [2])
    }

    @Test(arguments: ["TODO", "FIXME", "XXX", "HACK"])
    func `what is unfinished is found in a comment`(word: String) {
        #expect(lines(Rules.unfinished, "let a = 1  // \(word): later") == [1])
        #expect(lines(Rules.unfinished, "/*\n \(word)\n*/") == [2])
        #expect(lines(Rules.unfinished, "# \(word)", in: "docs/plan.md") == [1])
        #expect(lines(Rules.unfinished, "let a = \"\(word)\"") == [])
        #expect(lines(Rules.unfinished, "// The \(word)-list is a word.".lowercased()) == [])
    }

    @Test func `a path of somebody's machine is found anywhere`() {
        let path = "/wo" + "rk/main"
        #expect(lines(Rules.machinePaths, "let a = \"\(path)\"") == [1])
        #expect(lines(Rules.machinePaths, "cd \(path)", in: "docs/numbers.md") == [1])
        #expect(lines(Rules.machinePaths, "let a = \"frame\(path)\"") == [])
    }

    @Test func `a tab is found`() {
        #expect(lines(Rules.tabs, "\tlet a = 1") == [1])
        #expect(lines(Rules.tabs, "let a = \"\\t\"") == [])
    }

    @Test func `comments, literals and code are told apart`() {
        let source = MaskedSource(
            #"""
            let a = "text // no comment" // comment
            let b = #"raw " text"# + "\(c + "nested \(d)") end" /* one /* two */ still */ + e
            let f = """
                many "lines" // no comment
                \(g)
                """ + h
            let i = "open
            let j = 1
            """#
        )
        #expect(
            source.code == [
                #"let a = "" "#, #"let b = "" + "(c + "(d)")"  + e"#, #"let f = ""#, "", "(g)", #"" + h"#,
                #"let i = ""#,
                "let j = 1",
            ]
        )
        #expect(source.comments[0] == "// comment" && source.comments[1] == "/* one /* two */ still */")
        #expect(source.comments[2...].allSatisfy { $0.isEmpty })
    }
}
