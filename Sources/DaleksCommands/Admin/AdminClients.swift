import DaleksHTTP
import DaleksJSON
import DaleksSystem

/// `daleks admin clients …`: programs that may ask people for access.
enum AdminClients {
    static let actions: KeyValuePairs<String, String> = [
        "[list]": "lists the programs that are known",
        "add [ID] --name N --grants WORDS --scope WORDS [--redirect URL]... [--public] [--id-token-alg RS256]":
            "registers a program; its secret is shown once",
        "new-secret ID": "gives a program another secret",
        "remove ID": "removes a program, and ends what people let it do",
    ]

    static func run(_ admin: AdminCall) throws(CommandFailure) {
        switch admin.arguments.first ?? "list" {
        case "list":
            let answer = try admin.ask(.get, "/v1/admin/clients")
            let rows = try admin.rows(answer, "clients")
            admin.show(answer) {
                rows.map { row in
                    let kind = row.flag("is_public") ? "public" : "confidential"
                    return [row.text("id"), kind, row.text("scope"), row.text("name")].joined(separator: "\t")
                }
            }
        case "add": try add(admin)
        case "new-secret":
            let path = try path(admin)
            let answer = try admin.ask(.post, path + "/secret")
            let secret = AdminRow(answer).text("secret")
            admin.show(answer) { ["The new secret, shown this once; the old one is void:", secret] }
        case "remove":
            _ = try admin.ask(.delete, try path(admin))
            admin.done("Removed.")
        case let word: throw .usage("clients has no action \(word); see `daleks admin`")
        }
    }

    private static func path(_ admin: AdminCall) throws(CommandFailure) -> String {
        "/v1/admin/clients/\(PercentEncoding.encode(try admin.argument(1, "the client's id")))"
    }

    private static func add(_ admin: AdminCall) throws(CommandFailure) {
        guard let name = admin.settings.optionalText("name"), let grants = admin.settings.optionalText("grants"),
            let scope = admin.settings.optionalText("scope")
        else { throw .usage("a program has --name, --grants and --scope") }
        var body: JSONObject = ["name": .string(name), "scope": .string(scope)]
        if let id = admin.arguments.dropFirst().first { body["id"] = .string(id) }
        body["is_public"] = .bool(admin.settings.flag("public"))
        body["grants"] = .array(grants.split(separator: " ").map { .string(String($0)) })
        if let algorithm = admin.settings.optionalText("id-token-alg") { body["id_token_alg"] = .string(algorithm) }
        body["redirects"] = .array(admin.settings.texts("redirect").map { .string($0) })
        let answer = try admin.ask(.post, "/v1/admin/clients", body)
        let row = AdminRow(answer)
        admin.show(answer) {
            let secret = row.text("secret")
            return ["Registered \(row.text("id"))."] + (secret.isEmpty ? [] : ["Its secret, shown this once:", secret])
        }
    }
}
