/// What a token may be used for: words, each once, in a settled order.
struct Scopes: Hashable, Sendable {
    let words: [String]

    /// What the programs of this house ask for: everything but the account itself.
    static let all = Scopes(words: "files:read files:write files:share offline_access")

    /// About who somebody is, for programs that only want to know that (OpenID Connect).
    static let identity = Scopes(words: "openid profile email")

    /// Every word that means something here.
    static let known = Scopes(words: all.text + " " + identity.text)

    static let none = Scopes(words: "")

    /// A log-in that may be refreshed.
    static let offline = "offline_access"
    static let openID = "openid"

    init(words text: String) {
        var words: [String] = []
        for word in text.split(separator: " ") where !words.contains(String(word)) { words.append(String(word)) }
        self.words = words
    }

    var text: String { words.joined(separator: " ") }
    var isEmpty: Bool { words.isEmpty }

    func contains(_ word: String) -> Bool { words.contains(word) }

    func isSubset(of other: Scopes) -> Bool { words.allSatisfy { other.words.contains($0) } }

    /// Whether a token of it is good for anything at a region.
    var concernsFiles: Bool { words.contains { $0.hasPrefix("files:") } }
}
