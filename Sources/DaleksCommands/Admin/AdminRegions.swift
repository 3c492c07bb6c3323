import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksSystem

/// `daleks admin regions …`.
enum AdminRegions {
    static let actions: KeyValuePairs<String, String> = [
        "[list]": "lists the regions with their users and how they are",
        "enrol CODE [--name N]": "makes a token with which a files service enrols itself, good once and for an hour",
        "add CODE --url URL [--name N]": "adds a region whose files service does not enrol itself",
        "set CODE [--name N] [--url URL]": "changes a region",
        "drain CODE": "keeps those who live there and takes nobody new", "open CODE": "takes people again",
        "close CODE": "refuses everybody, and voids the files service's credentials",
        "remove CODE": "removes a region that is nobody's home",
    ]

    static func run(_ admin: AdminCall) throws(CommandFailure) {
        let word = admin.arguments.first ?? "list"
        if word == "list" { return try list(admin) }
        let statuses = ["drain": "draining", "open": "open", "close": "closed"]
        let isKnown = ["enrol", "add", "set", "remove"].contains(word) || statuses[word] != nil
        guard isKnown else { throw .usage("regions has no action \(word); see `daleks admin`") }
        let code = try admin.argument(1, "the region's code")
        let path = "/v1/admin/regions/\(PercentEncoding.encode(code))"
        if let status = statuses[word] {
            let answer = try admin.ask(.patch, path, ["status": .string(status)])
            return admin.done("The region \(code) is \(status).", answer)
        }
        if let url = admin.settings.optionalText("url"), !admin.settings.flag("allow-http"), !Protection.covers(url) {
            throw .failed(
                "\(url) has no TLS: everybody on the way could read what people store there, and their programs refuse "
                    + "it unless they log in with --allow-http; name it with https://, or add --allow-http"
            )
        }
        switch word {
        case "enrol": try enrol(admin, code, path)
        case "add":
            guard let url = admin.settings.optionalText("url") else { throw .usage("name the files URL with --url") }
            var body: JSONObject = ["code": .string(code), "files_url": .string(url)]
            if let name = admin.settings.optionalText("name") { body["name"] = .string(name) }
            admin.done("Added the region \(code).", try admin.ask(.post, "/v1/admin/regions", body))
        case "set":
            var body = JSONObject()
            if let name = admin.settings.optionalText("name") { body["name"] = .string(name) }
            if let url = admin.settings.optionalText("url") { body["files_url"] = .string(url) }
            guard !body.isEmpty else { throw .usage("say what to change: --name or --url") }
            admin.done("Changed the region \(code).", try admin.ask(.patch, path, body))
        default:
            _ = try admin.ask(.delete, path)
            admin.done("Removed the region \(code).")
        }
    }

    private static func list(_ admin: AdminCall) throws(CommandFailure) {
        let answer = try admin.ask(.get, "/v1/admin/regions")
        let rows = try admin.rows(answer, "regions")
        admin.show(answer) {
            rows.map { row in
                let health = row.text("is_up").isEmpty ? "not asked yet" : row.flag("is_up") ? "up" : "down"
                return [
                    row.text("code"), row.text("status"), health, "\(row.text("user_count")) users",
                    row.flag("is_enrolled") ? "enrolled" : "not enrolled", row.text("files_url"), row.text("name"),
                ].joined(separator: "\t")
            }
        }
    }

    private static func enrol(
        _ admin: AdminCall,
        _ code: String,
        _ path: String
    ) throws(CommandFailure) {
        var body = JSONObject()
        if let name = admin.settings.optionalText("name") { body["name"] = .string(name) }
        let answer = try admin.ask(.post, path + "/enrolment", body)
        let row = AdminRow(answer)
        admin.show(answer) {
            [
                "Give this to the files service of \(code), before \(row.time("expires")); it is good once:",
                "", row.text("token"),
            ]
        }
    }
}
