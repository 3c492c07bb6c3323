/// What a token may be used for: words, each once, in a settled order.
struct Scopes: Hashable, Sendable {
    let words: [String]

    /// What the programs of this house ask for: everything but the account itself.
    static let all = Scopes(words: "files:read files:write files:share offline_access")

    init(words text: String) {
        var words: [String] = []
        for word in text.split(separator: " ") where !words.contains(String(word)) { words.append(String(word)) }
        self.words = words
    }

    var text: String { words.joined(separator: " ") }

    func isSubset(of other: Scopes) -> Bool { words.allSatisfy { other.words.contains($0) } }
}
