import DaleksSystem
import Glibc

/// A file of the repository, by its path from the top.
struct SourceFile {
    let path: String
    let lines: [String]
    private let masked: MaskedSource?
    /// Code of the main actor: `main.swift`, or a file with a `@main` type.
    let isMain: Bool

    init(_ path: String, _ text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        masked = path.hasSuffix(".swift") ? MaskedSource(text) : nil
        // Asked once a file: every line of it asks.
        isMain = path.hasSuffix("/main.swift") || (masked?.code ?? []).contains { strstr($0, "@main") != nil }
    }

    /// What is code in a line of Swift, without comments and the contents of literals.
    var code: [String] { masked?.code ?? [] }

    /// What is comment. In a file that is not Swift, everything may be.
    var comments: [String] { masked?.comments ?? lines }

    var isSwift: Bool { masked != nil }
    var isTest: Bool { path.hasPrefix("Tests/") }

    /// Whether a sentence stands on this line or ends right above it. Attributes may stand between.
    func isExplained(_ index: Int) -> Bool {
        if isSentence(comments[index]) { return true }
        var above = index - 1
        while above >= 0, comments[above].isEmpty, code[above].drop(while: { $0 == " " }).hasPrefix("@") { above -= 1 }
        // A comment of several lines may end with one word.
        let block = comments[...max(above, -1)].reversed().prefix { !$0.isEmpty }
        return block.contains(where: isSentence)
    }

    /// A word is no reason; `As above.` points to one.
    private func isSentence(_ comment: String) -> Bool {
        comment.split { $0 == " " || $0 == "/" }.count >= 2
    }
}

/// One thing that is not as it should be.
struct Finding: Equatable, CustomStringConvertible {
    let path: String
    /// Counted from 1; 0 where the whole file is meant.
    let line: Int
    let complaint: String

    var description: String { "\(path):\(line): \(complaint)" }
}
