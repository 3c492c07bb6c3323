import DaleksCore
import DaleksHTTP
import DaleksJSON
import DaleksSystem

/// `daleks admin users …`.
enum AdminUsers {
    static let actions: KeyValuePairs<String, String> = [
        "[list] [TEXT]": "lists users whose address, name or handle holds the text",
        "show WHO": "tells about one user, by id, e-mail address or handle",
        "create E-MAIL [--name N] [--handle H] [--role R] [--password-stdin]":
            "makes a user; without a password they get a link by mail",
        "set WHO [--name N] [--handle H] [--role R] [--quota SIZE|none]": "changes a user",
        "lock WHO": "keeps a user out, everywhere, within half a minute", "unlock WHO": "lets them in again",
        "delete WHO": "removes a user; regions erase their files after a grace period",
        "reset-password WHO": "mails a link to set another password",
        "no-totp WHO": "turns the second factor off, for who lost the device and the codes",
    ]

    static func run(_ admin: AdminCall) throws(CommandFailure) {
        switch admin.arguments.first ?? "list" {
        case "list": try list(admin, query: admin.arguments.dropFirst().first)
        case "show":
            let answer = try admin.ask(.get, try path(admin))
            admin.show(answer) { describe(AdminRow(answer)) }
        case "create": try create(admin)
        case "set": try change(admin, try wish(admin), "Changed")
        case "lock": try change(admin, ["is_locked": true], "Locked")
        case "unlock": try change(admin, ["is_locked": false], "Unlocked")
        case "delete":
            let who = try admin.argument(1, "the user")
            let answer = try admin.ask(.delete, try path(admin))
            admin.done(
                "Deleted \(who). Regions erase what they own after \(AdminRow(answer).time("purge_after")).",
                answer
            )
        case "reset-password":
            let answer = try admin.ask(.post, try path(admin) + "/password-reset")
            admin.done("A link was mailed.", answer)
        case "no-totp":
            _ = try admin.ask(.delete, try path(admin) + "/totp")
            admin.done("The second factor is off.")
        case let word: throw .usage("users has no action \(word); see `daleks admin`")
        }
    }

    private static func path(_ admin: AdminCall) throws(CommandFailure) -> String {
        "/v1/admin/users/\(try admin.user(try admin.argument(1, "the user")))"
    }

    private static func list(_ admin: AdminCall, query: String?) throws(CommandFailure) {
        let limit = admin.settings.text("limit")
        let filter = query.map { "&query=\(PercentEncoding.encode($0))" } ?? ""
        let answer = try admin.ask(.get, "/v1/admin/users?limit=\(limit)\(filter)")
        let rows = try admin.rows(answer, "users")
        admin.show(answer) { rows.map(line) }
    }

    private static func line(_ row: AdminRow) -> String {
        let state = row.flag("is_locked") ? "locked" : row.text("role")
        return [row.text("id"), state, row.text("email"), row.text("region"), row.text("name")].joined(separator: "\t")
    }

    private static func describe(_ row: AdminRow) -> [String] {
        let facts = [
            ("id", row.text("id")), ("e-mail", row.text("email")), ("name", row.text("name")),
            ("handle", row.text("handle")), ("role", row.text("role")), ("region", row.text("region")),
            ("locked", row.text("is_locked")), ("second factor", row.text("has_totp")),
            ("quota", row.text("quota_bytes")), ("sessions", row.text("session_count")),
            ("since", row.time("created")),
        ]
        return facts.filter { !$0.1.isEmpty }.map { "\($0.0): \($0.1)" }
    }

    private static func create(_ admin: AdminCall) throws(CommandFailure) {
        let email = try admin.argument(1, "the e-mail address")
        var body: JSONObject = ["email": .string(email)]
        body["name"] = .string(admin.settings.optionalText("name") ?? String(email.prefix { $0 != "@" }))
        if let handle = admin.settings.optionalText("handle") { body["handle"] = .string(handle) }
        if let role = admin.settings.optionalText("role") { body["role"] = .string(role) }
        if admin.settings.flag("password-stdin") { body["password"] = .string(try admin.password()) }
        let answer = try admin.ask(.post, "/v1/admin/users", body)
        let how = body["password"] == nil ? " A link to set the password was mailed." : ""
        admin.done("Made \(email), \(AdminRow(answer).text("id")).\(how)", answer)
    }

    private static func wish(_ admin: AdminCall) throws(CommandFailure) -> JSONObject {
        var wish = JSONObject()
        for key in ["name", "handle", "role"] {
            if let text = admin.settings.optionalText(key) { wish[key] = .string(text) }
        }
        if let quota = admin.settings.optionalText("quota") {
            if quota == "none" {
                wish["quota_bytes"] = .null
            } else {
                do throws(SettingsError) {
                    wish["quota_bytes"] = .integer(try admin.settings.bytes("quota"))
                } catch {
                    throw .usage(error.message)
                }
            }
        }
        guard !wish.isEmpty else { throw .usage("say what to change: --name, --handle, --role or --quota") }
        return wish
    }

    private static func change(
        _ admin: AdminCall,
        _ wish: JSONObject,
        _ done: String
    ) throws(CommandFailure) {
        let answer = try admin.ask(.patch, try path(admin), wish)
        admin.done("\(done) \(AdminRow(answer).text("email")).", answer)
    }
}
