import DaleksClient
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksSystem

/// What an administrator does with the users service: `daleks admin SUBJECT ACTION …`.
enum AdminVerb: Verb {
    static let name = "admin"
    static let about = "Administers users, sessions, regions, keys, tokens and the audit log."
    static let positionals: String? = "[SUBJECT] [ACTION] [ARGUMENT]"

    static let options =
        [
            Option("email", .text(placeholder: "E-MAIL"), help: "With `admin first`: whose account it is to be."),
            Option("users", .text(placeholder: "URL"), help: "With `admin first`: the users service."),
            Option("name", .text(placeholder: "NAME"), help: "A name, of a user or of a region."),
            Option("handle", .text(placeholder: "HANDLE"), help: "A user's handle."),
            Option("role", .choice(["user", "admin"]), help: "A user's role."),
            Option("quota", .text(placeholder: "SIZE|none"), help: "How much a user may store, such as 50GiB."),
            Option("password-stdin", .flag, help: "Reads a password from standard input."),
            Option("url", .text(placeholder: "URL"), help: "A region's files URL."),
            Option("grants", .text(placeholder: "WORDS"), help: "The ways to a token that a program may take."),
            Option("scope", .text(placeholder: "WORDS"), help: "All that a program may ever ask for."),
            Option(
                "redirect",
                .text(placeholder: "URL"),
                help: "Where a program is answered; may be given more than once.",
                repeats: true
            ),
            Option(
                "id-token-alg",
                .choice(["ES256", "RS256"]),
                help: "What a program's ID tokens are signed with: ES256, or RS256 for programs that know nothing else."
            ),
            Option("public", .flag, help: "A program that can keep no secret, such as one people install."),
            Option(
                "user",
                .text(placeholder: "WHO"),
                help: "Only what concerns this user: an id or an e-mail address."
            ),
            Option("action", .text(placeholder: "WORD"), help: "Only such lines of the audit log, such as login."),
            Option("outcome", .text(placeholder: "WORD"), help: "Only lines that ended so: done, refused, reused."),
            Option("since", .duration, help: "Only lines of the last so long, such as 2h."),
            Option("limit", .integer(1...500), default: "50", help: "How many lines at most."),
        ] + Trust.options

    static let examples: KeyValuePairs = [
        "daleks admin users": "lists accounts",
        "daleks admin users lock ann@example.com": "ends her sessions and lets her in no more",
        "daleks admin tokens inspect < token": "is it valid, for what, until when",
    ]
    static var words: [String] { subjects.map(\.name) }

    /// Each subject with its actions, as the help has them.
    static let subjects: [AdminSubject] = [
        AdminSubject(
            "first",
            ["TOKEN": "makes the first administrator, with the token that the service's first start printed"],
            AdminFirst.run
        ),
        AdminSubject("users", AdminUsers.actions, AdminUsers.run),
        AdminSubject("sessions", AdminSessions.actions, AdminSessions.run),
        AdminSubject("regions", AdminRegions.actions, AdminRegions.run),
        AdminSubject("clients", AdminClients.actions, AdminClients.run),
        AdminSubject("keys", AdminKeys.actions, AdminKeys.run),
        AdminSubject("tokens", AdminTokens.actions, AdminTokens.run),
        AdminSubject("audit", ["": "lists the audit log, newest first"], AdminAudit.run),
        AdminSubject("restored", ["": "after a backup came back: everybody logs in again"], AdminRestored.run),
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        guard let word = call.settings.positionals.first else { throw .usage("say what to administer\n\n\(overview)") }
        guard let subject = subjects.first(where: { $0.name == word }) else {
            throw .usage("\(word) is nothing to administer\n\n\(overview)")
        }
        try subject.run(AdminCall(call: call, arguments: Array(call.settings.positionals.dropFirst())))
    }

    private static var overview: String {
        subjects.flatMap { subject in
            subject.actions.map { "  daleks admin \(subject.name) \($0.usage)\n      \($0.about)" }
        }.joined(separator: "\n")
    }
}

/// One word after `daleks admin`.
struct AdminSubject: Sendable {
    let name: String
    let actions: [(usage: String, about: String)]
    let run: @Sendable (AdminCall) throws(CommandFailure) -> Void

    init(
        _ name: String,
        _ actions: KeyValuePairs<String, String>,
        _ run: @escaping @Sendable (AdminCall) throws(CommandFailure) -> Void
    ) {
        self.name = name
        self.actions = actions.map { ($0.key, $0.value) }
        self.run = run
    }
}
