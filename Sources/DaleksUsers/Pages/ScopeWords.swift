import DaleksService

/// What each word of a scope lets a program do, for people.
enum ScopeWords {
    private static let sentences = [
        "files:read": "See and read your files, and those that others share with you",
        "files:write": "Add, change and delete files",
        "files:share": "Share your files with others",
        "offline_access": "Go on when you are not there, until you end it",
        "openid": "Know which account is yours",
        "profile": "See your name",
        "email": "See your e-mail address",
    ]

    static func sentence(_ word: String) -> String { sentences[word] ?? word }

    static func list(_ scope: Scopes) -> HTML {
        let items = scope.words.map { word -> HTML in "<li>\(sentence(word))</li>" }
        return "<ul class=\"scopes\">\(items)</ul>"
    }
}
