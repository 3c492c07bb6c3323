import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksSystem

/// `daleks admin keys …`.
enum AdminKeys {
    static let actions: KeyValuePairs<String, String> = [
        "[list]": "lists the keys that are published, with their stage",
        "rotate": "makes another key, which signs once everybody can know it",
        "revoke ID": "takes a key back at once: what it signed is good no more",
    ]

    static func run(_ admin: AdminCall) throws(CommandFailure) {
        switch admin.arguments.first ?? "list" {
        case "list": try list(admin)
        case "rotate": admin.done("Ordered.", try admin.ask(.post, "/v1/admin/keys/rotate"))
        case "revoke":
            let id = PercentEncoding.encode(try admin.argument(1, "the key's id"))
            _ = try admin.ask(.delete, "/v1/admin/keys/\(id)")
            admin.done("Taken back. Regions hear of it when they ask for the keys next.")
        case let word: throw .usage("keys has no action \(word); see `daleks admin`")
        }
    }

    private static func list(_ admin: AdminCall) throws(CommandFailure) {
        let answer = try admin.ask(.get, "/v1/admin/keys")
        let rows = try admin.rows(answer, "keys")
        admin.show(answer) {
            rows.map { row in
                [row.text("id"), row.text("stage"), row.time("announced"), row.time("activated"), row.time("retired")]
                    .joined(separator: "\t")
            }
        }
    }
}

/// `daleks admin tokens …`.
enum AdminTokens {
    static let actions: KeyValuePairs<String, String> = [
        "inspect [TOKEN]":
            "says what a token is, whose, what for, until when, and if it is good; reads standard input without TOKEN"
    ]

    static func run(_ admin: AdminCall) throws(CommandFailure) {
        guard try admin.argument(0, "the action") == "inspect" else { throw .usage("tokens has one action: inspect") }
        // An argument is seen by every process of the machine; standard input is not.
        guard let token = admin.arguments.dropFirst().first ?? readLine(strippingNewline: true) else {
            throw .failed("standard input held no token")
        }
        let answer = try admin.ask(.post, "/v1/admin/tokens/inspect", ["token": .string(token)])
        let row = AdminRow(answer)
        admin.show(answer) {
            var lines = ["\(row.text("kind")): \(row.flag("is_valid") ? "valid" : "not valid")"]
            let facts = [
                ("why", row.text("reason")), ("revoked", row.text("is_revoked")), ("user", row.text("user")),
                ("who", row.text("email")), ("session", row.text("session")), ("for", row.text("audience")),
                ("scope", row.text("scope")),
                ("until", row.time("expires")),
            ]
            lines += facts.filter { !$0.1.isEmpty }.map { "\($0.0): \($0.1)" }
            return lines
        }
    }
}

/// `daleks admin audit`.
enum AdminAudit {
    static func run(_ admin: AdminCall) throws(CommandFailure) {
        var query = ["limit=\(admin.settings.text("limit"))"]
        if let who = admin.settings.optionalText("user") { query.append("user=\(try admin.user(who))") }
        for key in ["action", "outcome"] {
            if let word = admin.settings.optionalText(key) { query.append("\(key)=\(PercentEncoding.encode(word))") }
        }
        if admin.settings.optionalText("since") != nil {
            do throws(SettingsError) {
                let since = TimeSource.system.wall - (try admin.settings.duration("since"))
                query.append("since=\(since.nanoseconds)")
            } catch {
                throw .usage(error.message)
            }
        }
        let answer = try admin.ask(.get, "/v1/admin/audit?\(query.joined(separator: "&"))")
        let rows = try admin.rows(answer, "entries")
        admin.show(answer) {
            rows.map { row in
                [
                    row.time("time"), row.text("action"), row.text("outcome"), row.text("user"), row.text("client"),
                    row.text("actor"), row.text("detail"),
                ].joined(separator: "\t")
            }
        }
    }
}

/// `daleks admin restored`.
enum AdminRestored {
    static func run(_ admin: AdminCall) throws(CommandFailure) {
        let answer = try admin.ask(.post, "/v1/admin/restored")
        admin.done("Every session and app password has ended, yours too. Log in again with `daleks login`.", answer)
    }
}

/// `daleks admin first TOKEN`.
enum AdminFirst {
    static func run(_ admin: AdminCall) throws(CommandFailure) {
        let token = try admin.argument(0, "the token")
        guard let email = admin.settings.optionalText("email") else { throw .usage("say whose account with --email") }
        let url = admin.settings.optionalText("users") ?? "http://127.0.0.1:7401"
        let trust = try admin.call.trust()
        if !trust.allowsHTTP, !Protection.covers(url) { throw CommandFailure(.unprotected(url: url)) }
        let request = RegistrationRequest(
            email: email,
            password: try admin.password(),
            name: admin.settings.optionalText("name") ?? String(email.prefix { $0 != "@" }),
            handle: admin.settings.optionalText("handle")
        )
        let http = Call.http(trust)
        defer { http.shutdown() }
        let made = try admin.call.asking { () throws(ClientFailure) in
            try UsersClient(url: url, http: http).makeFirstAdmin(token: token, request)
        }
        admin.done(
            "\(made.email) is the administrator. Log in with `daleks login --users \(url) --email \(made.email)`.",
            .object(JSONObject([("id", .string("\(made.id)")), ("email", .string(made.email))]))
        )
    }
}
