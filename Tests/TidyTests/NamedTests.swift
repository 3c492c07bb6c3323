import DaleksSystem
import Glibc
import Testing

/// Documents that say which test shows what: each that they name is there. Who renames a test hears of it here.
@Suite struct NamedTests {
    private static let files = (try? Repository().files()) ?? []
    private static let names = TestNames(files)

    private func document(_ path: String) throws -> [String] {
        try #require(Self.files.first { $0.path == path }).lines
    }

    @Test(arguments: ["docs/proof.md", "docs/security-asvs.md", "docs/security.md"])
    func `each test that a table names is there`(path: String) throws {
        let citations = try document(path).map(Citations.init)
        #expect(citations.contains { !$0.suites.isEmpty }, "\(path) names no test")
        let findings = citations.enumerated().flatMap { index, line in
            Self.names.strange(in: line).map { Finding(path: path, line: index + 1, complaint: $0) }
        }
        #expect(findings.isEmpty, "\n\(findings.map(\.description).joined(separator: "\n"))")
    }

    @Test func `each promise of the mount names cases and tests that are there, and each case is a promise`() throws {
        let text = try document("docs/semantics.md").map { $0.drop { $0 == " " } }.joined(separator: " ")

        let cases = Self.names.probes
        let promised = Citations.emphasized(text)
        #expect(cases.count > 40)
        #expect(promised.subtracting(cases) == [], "no case of Tests/PosixProbe")
        #expect(cases.subtracting(promised) == [], "not in docs/semantics.md")
        // A sentence between backticks is a test; a command has flags, and a name has no gaps.
        let sentences = Citations(text).spans.filter { $0.contains(" ") && !$0.contains(" -") && !$0.hasPrefix("-") }
        #expect(sentences.count > 20)
        let strange = sentences.filter { !Self.names.tests.contains($0) && $0 != "OWNER (REGION)" }
        #expect(strange == [], "no test")
    }

    @Test func `each requirement has its test, or a reason why there is none`() throws {
        let rows = try document("docs/security-asvs.md").compactMap { line -> [Substring]? in
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).map { $0.trimmingSpaces }
            return cells.count == 5 && cells[1].first?.isNumber == true ? Array(cells[1...3]) : nil
        }

        // The requirements of levels 1 and 2, seventeen chapters.
        #expect(rows.count == 253)
        #expect(Set(rows.map { $0[0] }).count == rows.count)
        for row in rows {
            let isReasoned = ["Does not apply: ", "Short: "].contains { row[2].hasPrefix($0) }
            #expect(isReasoned || Citations(String(row[2])).namesSomething, "\(row[0]): \(row[2])")
        }
    }

    @Test(arguments: [
        ("shown by `GoneTests`", ["there is no suite GoneTests"]),
        ("shown by `NamedTests` \"each test that\"", []),
        ("shown by `NamedTests` \"a test that nobody wrote\"", ["NamedTests has no test \"a test that nobody wrote\""]),
        ("`RuleTests` \"each test that a table names\"", ["RuleTests has no test \"each test that a table names\""]),
        ("`TidyTests.NamedTests` and `TidyTests`", []),
        ("`Tests/TidyTests/NamedTests.swift`, `Tests/scripts/flags`", []),
        ("`Tests/scripts/nothing`", ["there is no Tests/scripts/nothing"]),
        ("who says \"no\" to `make fuzz`", []),
    ])
    func `a test that is not there is found`(line: String, complaints: [String]) {
        #expect(Self.names.strange(in: Citations(line)) == complaints)
    }
}

/// What a line of Markdown names.
struct Citations {
    /// Between backticks.
    private(set) var spans: [String] = []
    /// Between quotes outside of those.
    private(set) var quotes: [String] = []

    init(_ line: String) {
        for (index, part) in line.split(separator: "`", omittingEmptySubsequences: false).enumerated() {
            if index % 2 == 1 {
                spans.append(String(part))
            } else {
                let texts = part.split(separator: "\"", omittingEmptySubsequences: false)
                quotes += texts.enumerated().filter { $0.offset % 2 == 1 }.map { String($0.element) }
            }
        }
    }

    /// `NamedTests`, or `TidyTests.NamedTests`; what has a star stands for several.
    var suites: [String] {
        spans.filter { $0.hasSuffix("Tests") && $0.allSatisfy { $0.isLetter || $0.isNumber || $0 == "." } }
            .map { String($0.split(separator: ".").last ?? "") }
    }

    var paths: [String] {
        spans.filter { ($0.hasPrefix("Tests/") || $0.hasPrefix("deploy/")) && !$0.contains(" ") }
    }

    var namesSomething: Bool { !suites.isEmpty || !paths.isEmpty || spans.contains { $0.hasPrefix("make test-") } }

    /// The sentences in italics, as cases are called: without their full stops and first capitals.
    static func emphasized(_ text: String) -> Set<String> {
        let plain = text.replacing("**", with: "").replacing("-*", with: "-").replacing("`*`", with: "")
        let parts = Citations.outside(plain).split(separator: "*", omittingEmptySubsequences: false)
        let inside = parts.enumerated().filter { $0.offset % 2 == 1 }.map { $0.element.trimmingSpaces }
        return Set(inside.filter { $0.hasSuffix(".") }.flatMap { sentences(of: String($0)) })
    }

    private static func sentences(of text: String) -> [String] {
        text.dropLast().split(separator: ". ").map { sentence in
            // `RENAME_EXCHANGE` and `ACLs` keep theirs.
            let isWord = sentence.dropFirst().prefix(1).allSatisfy { $0.isLowercase || $0 == " " }
            return isWord ? sentence.prefix(1).lowercased() + sentence.dropFirst() : String(sentence)
        }
    }

    /// What is in no backticks.
    private static func outside(_ text: String) -> String {
        let parts = text.split(separator: "`", omittingEmptySubsequences: false)
        return parts.enumerated().filter { $0.offset % 2 == 0 }.map { String($0.element) }.joined()
    }
}

/// The tests of the repository by their suites.
struct TestNames {
    private var bySuite: [String: Set<String>] = [:]
    let tests: Set<String>
    /// The cases of Tests/PosixProbe.
    let probes: Set<String>

    init(_ files: [SourceFile]) {
        var found: [String: Set<String>] = [:]
        var cases: Set<String> = []
        for file in files where file.path.hasPrefix("Tests/") {
            let folders = file.path.split(separator: "/")
            if folders.count > 2, folders[1].hasSuffix("Tests") { found[String(folders[1]), default: []].formUnion([]) }
            if file.path.hasPrefix("Tests/PosixProbe/") { cases.formUnion(Self.probes(in: file)) }
            var suite = ""
            for line in file.lines where file.isSwift {
                if let name = Self.type(in: line) {
                    suite = name
                    found[suite, default: []].formUnion([])
                } else if let start = line.firstRange(of: "func `"), let end = line.lastIndex(of: "`") {
                    found[suite, default: []].insert(String(line[start.upperBound..<max(end, start.upperBound)]))
                }
            }
        }
        bySuite = found
        tests = Set(found.values.joined())
        probes = cases
    }

    /// What is declared at the beginning of the line.
    private static func type(in line: String) -> String? {
        guard line.first.map({ $0.isLetter || $0 == "@" }) ?? false else { return nil }
        let words = line.split { !$0.isLetter && !$0.isNumber }
        guard let index = words.firstIndex(where: { ["struct", "class", "enum", "extension", "actor"].contains($0) }),
            index + 1 < words.count
        else { return nil }
        return String(words[index + 1])
    }

    /// `    {"a case", its_function},`
    private static func probes(in file: SourceFile) -> [String] {
        file.lines.filter { $0.hasPrefix("    {\"") }.compactMap { line in
            line.split(separator: "\"").dropFirst().first.map(String.init)
        }
    }

    /// What the line names and is not there. A name may be its beginning alone.
    func strange(in line: Citations) -> [String] {
        let suites = line.suites
        var complaints = suites.filter { bySuite[$0] == nil }.map { "there is no suite \($0)" }
        complaints += line.paths.filter { access("\(Repository().root)/\($0)", F_OK) != 0 }.map { "there is no \($0)" }
        guard complaints.isEmpty, let last = suites.last else { return complaints }
        let known = suites.flatMap { bySuite[$0] ?? [] }
        return line.quotes.filter { quote in !known.contains { $0.hasPrefix(quote) } }.map {
            "\(suites.count == 1 ? last : suites.joined(separator: ", ")) has no test \"\($0)\""
        }
    }
}

extension Substring {
    fileprivate var trimmingSpaces: Substring {
        var text = drop { $0 == " " }
        while text.last == " " { text.removeLast() }
        return text
    }
}
