import DaleksSystem
import Glibc
import Testing

/// What `daleks` and `daleksd` say where something is wrong: each message has a test that expects words of it. Who
/// writes one without provoking it hears of it here.
@Suite struct SaidTests {
    /// Not provoked, and why. It may become shorter.
    private static let unprovoked = [
        // Carry on what others said.
        "daleks \u{0}: \u{0}": 4,
        // Need a daemon or a service of another version.
        "the daemon is older than this command and measures nothing; mount again to renew it": 1,
        "the daemon is older than this command; `daleks umount` and `daleks mount` renew it": 1,
        "\u{0} answered a log-in without user, region or refresh token; is it a users service?": 1,
        "the service's answer cannot be read; is it of this version?": 1,
        // Come after ten seconds or thirty.
        "unmounted, but the daemon (process \u{0}) still works; see its log": 1,
        "\u{0} was not ready within 10 seconds; see \u{0}": 1,
        // A program that ends in the midst of a demonstration.
        "daleksd ended: \u{0}": 1,
        "\u{0} ended: \u{0}": 1,
        // Need systemd, and a path that nobody has.
        "\u{0}: systemd cannot start what has a `=` in its path; move it": 1,
        // Need two mounts of two people by one.
        "\u{0} and \u{0} are of two accounts; use `daleks get` and `daleks put`": 1,
        // Were never seen: they stand where the compiler wants something to stand.
        "\u{0} has no root": 1,
        "\u{0} is no file": 1,
    ]

    @Test func `each message is expected by a test`() throws {
        let files = try Repository().files()
        let expected = try ExpectedWords(files)
        var left = Self.unprovoked
        var findings: [Finding] = []
        var count = 0
        for file in files where file.path.hasPrefix("Sources/DaleksCommands/") || file.path.hasPrefix("daemon/") {
            for message in Messages.all(in: file.lines.joined(separator: "\n")) {
                count += 1
                if expected.has(wordsOf: message.text) { continue }
                if let rest = left[message.text], rest > 0 {
                    left[message.text] = rest - 1
                } else {
                    let complaint = "no test expects: \(message.text.replacing("\u{0}", with: "..."))"
                    findings.append(Finding(path: file.path, line: message.line, complaint: complaint))
                }
            }
        }
        #expect(count > 150)
        #expect(findings.isEmpty, "\n\(findings.map(\.description).joined(separator: "\n"))")
        let gone = left.filter { $0.value > 0 }.map { $0.key.replacing("\u{0}", with: "...") }
        #expect(gone.isEmpty, "provoked or gone: take them off the list: \(gone)")
    }

    @Test func `messages are found, with what is put into them left out`() {
        let source = """
            throw .failed("\\(path) is not there: \\(error.map { "\\($0)" } ?? "gone")")
            throw .usage(
                "--can: \\(text) is no "
                    + "list")
            call.say("all is well here")
            """
        let found = Messages.all(in: source)
        #expect(found.map(\.text) == ["\u{0} is not there: \u{0}", "--can: \u{0} is no list"])
        #expect(found.map(\.line) == [1, 2])
    }
}

/// What stands in calls that say what went wrong.
enum Messages {
    private static let beginnings = [".failed(", ".usage(", ".interrupted(", "Failure(description:", "complain("]
    /// Less is no message of its own.
    private static let letterCountMin = 6

    /// The literals of each call one behind the other, with a NUL for what is put in.
    static func all(in source: String) -> [(line: Int, text: String)] {
        var scanner = LiteralScanner(source)
        var found: [(line: Int, text: String)] = []
        while !scanner.isAtEnd {
            guard beginnings.contains(where: { scanner.stands($0) }) else {
                scanner.skip()
                continue
            }
            let line = scanner.line
            let text = scanner.literalsOfCall()
            if text.utf8.count(where: { $0 > 32 }) >= letterCountMin { found.append((line, text)) }
        }
        return found
    }
}

/// Reads Swift as far as literals go.
private struct LiteralScanner {
    private let bytes: [UInt8]
    private var index = 0
    private(set) var line = 1

    init(_ source: String) { bytes = Array(source.utf8) }

    var isAtEnd: Bool { index >= bytes.count }

    func stands(_ words: String) -> Bool { bytes[index...].starts(with: words.utf8) }

    mutating func skip() {
        if bytes[index] == UInt8(ascii: "\n") { line += 1 }
        index += 1
    }

    mutating func literalsOfCall() -> String {
        while !isAtEnd, bytes[index] != UInt8(ascii: "(") { skip() }
        var (depth, text): (Int, [UInt8]) = (0, [])
        while !isAtEnd {
            switch bytes[index] {
            case UInt8(ascii: "("): depth += 1
            case UInt8(ascii: ")"): depth -= 1
            case UInt8(ascii: "\""):
                text += literal()
                continue
            default: break
            }
            skip()
            if depth == 0 { break }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// From its first quote to behind its last.
    private mutating func literal() -> [UInt8] {
        var text: [UInt8] = []
        skip()
        while !isAtEnd, bytes[index] != UInt8(ascii: "\"") {
            guard bytes[index] == UInt8(ascii: "\\") else {
                text.append(bytes[index])
                skip()
                continue
            }
            skip()
            if !isAtEnd, bytes[index] == UInt8(ascii: "(") {
                interpolation()
                text.append(0)
            } else {
                text += [UInt8(ascii: "\\"), bytes[index]]
                skip()
            }
        }
        if !isAtEnd { skip() }
        return text
    }

    private mutating func interpolation() {
        var depth = 0
        while !isAtEnd {
            switch bytes[index] {
            case UInt8(ascii: "("): depth += 1
            case UInt8(ascii: ")"): depth -= 1
            case UInt8(ascii: "\""):
                _ = literal()
                continue
            default: break
            }
            skip()
            if depth == 0 { return }
        }
    }
}

/// All that tests expect to read: literals in tests, scripts that are tests, and what documents say that commands
/// print.
private struct ExpectedWords {
    /// With a NUL at its end.
    private let text: [CChar]

    init(_ files: [SourceFile]) throws {
        var text = ""
        for file in files where !file.path.hasSuffix("SaidTests.swift") {
            if file.isTest, file.isSwift {
                for line in file.lines where line.contains("\"") { text += line + "\n" }
            } else if file.path.hasSuffix(".md") {
                text += Self.printed(file.lines)
            }
        }
        let root = Repository().root
        for folder in ["Tests/scripts", "Tests/stranger"] {
            for name in try Files.entries(of: "\(root)/\(folder)") {
                text += String(decoding: try Files.readAll("\(root)/\(folder)/\(name)", max: 1 << 20), as: UTF8.self)
            }
        }
        self.text = Array(text.utf8CString)
    }

    private static func printed(_ lines: [String]) -> String {
        var (text, isPrinted) = ("", false)
        for line in lines {
            if line.hasPrefix("```") { isPrinted = line == "```text" } else if isPrinted { text += line + "\n" }
        }
        return text
    }

    /// Three words of it in a row, or all of a part that has fewer.
    func has(wordsOf message: String) -> Bool {
        message.split(separator: "\u{0}").contains { part in
            let words = part.split(separator: " ")
            let count = min(3, words.count)
            guard count > 0 else { return false }
            return (0...(words.count - count)).contains { start in
                let phrase = words[start..<(start + count)].joined(separator: " ")
                return phrase.utf8.count >= 10 && contains(phrase)
            }
        }
    }

    private func contains(_ phrase: String) -> Bool {
        text.withUnsafeBufferPointer { all in
            guard let start = all.baseAddress else { return false }
            return strstr(start, phrase) != nil
        }
    }
}
