import DaleksJSON

/// What one look of the doctor came to.
struct Finding: Equatable {
    enum Level: String {
        case fine
        /// Worth knowing; nothing has to be done.
        case note
        /// Works for now.
        case warning
        case broken
    }

    /// What was looked at, in a word that stays.
    var check: String
    var level: Level
    var text: String
    /// The command that mends it, as it is typed.
    var cure: String?

    static func fine(_ check: String, _ text: String) -> Self { Finding(check: check, level: .fine, text: text) }

    var line: String {
        let mark =
            switch level {
            case .fine: "ok     "
            case .note: "note   "
            case .warning: "warning"
            case .broken: "BROKEN "
            }
        return "\(mark)  \(check): \(text)" + (cure.map { "\n           mend it: \($0)" } ?? "")
    }

    var object: JSONObject {
        var object = JSONObject([
            ("check", .string(check)), ("level", .string(level.rawValue)), ("text", .string(text)),
        ])
        object["cure"] = cure.map { .string($0) }
        return object
    }
}
