import DaleksAPI
import DaleksClient
import DaleksHTTPClient
import DaleksJSON
import DaleksSystem

enum LogoutVerb: Verb {
    static let name = "logout"
    static let about = "Ends the log-in. Unsent changes and cached files stay until you log in again."
    static let options: [Option] = []

    static let examples: KeyValuePairs = [
        "daleks logout": "this machine forgets the log-in, and the users service ends it"
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let store = try call.credentialStore()
        let credentials = try call.credentials()
        let http = Call.http(Trust(credentials))
        defer { http.shutdown() }
        // Without an answer the session ends by itself in time; this machine must forget it in any case.
        var isRevoked = true
        do throws(ClientFailure) {
            try UsersClient(url: credentials.usersURL, http: http).revoke(credentials.refreshToken)
        } catch {
            isRevoked = false
            call.console.complain("daleks: the users service did not hear of it: \(error)")
        }
        do throws(Errno) { try store.erase() } catch { throw .failed("\(store.path) cannot be removed: \(error)") }
        call.answer(
            "Logged out \(credentials.user.email).",
            JSONObject([("email", .string(credentials.user.email)), ("revoked", .bool(isRevoked))])
        )
    }
}

enum WhoamiVerb: Verb {
    static let name = "whoami"
    static let about = "Tells who is logged in here, and where the files are."
    static let options: [Option] = []

    static let examples: KeyValuePairs = [
        "daleks whoami --json": "for a script"
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let credentials = try call.credentials()
        call.answer(
            "\(credentials.user.email) in region \(credentials.region.code) (\(credentials.region.filesURL))",
            JSONObject([
                ("email", .string(credentials.user.email)), ("name", .string(credentials.user.name)),
                ("user", .string("\(credentials.user.id)")), ("region", .string(credentials.region.code)),
                ("files_url", .string(credentials.region.filesURL)), ("users_url", .string(credentials.usersURL)),
            ])
        )
    }
}

enum RegionsVerb: Verb {
    static let name = "regions"
    static let about = "Lists the regions that a users service knows."
    static let options =
        [
            Option(
                "users",
                .text(placeholder: "URL"),
                help: "The users service; by default the one you are logged in at."
            )
        ] + Trust.options

    static let examples: KeyValuePairs = [
        "daleks regions --users https://daleks.example/users": "before the first log-in"
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let known = try? call.credentials()
        guard let url = call.settings.optionalText("users") ?? known?.usersURL else {
            throw .usage("name the users service with --users, or log in first")
        }
        let http = Call.http(try call.trust(else: known))
        defer { http.shutdown() }
        let regions = try call.asking { () throws(ClientFailure) in try UsersClient(url: url, http: http).regions() }
        if call.settings.flag("json") {
            let list = regions.map { region in
                JSONValue.object(
                    JSONObject([
                        ("code", .string(region.code)), ("name", .string(region.name)),
                        ("files_url", .string(region.filesURL)), ("status", .string(region.status)),
                    ])
                )
            }
            return call.console.say(JSONObject([("regions", .array(list))]))
        }
        for region in regions {
            call.console.say("\(region.code)\t\(region.status)\t\(region.filesURL)\t\(region.name)")
        }
    }
}
