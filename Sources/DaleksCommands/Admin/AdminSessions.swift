import DaleksHTTP
import DaleksJSON

/// `daleks admin sessions …`.
enum AdminSessions {
    static let actions: KeyValuePairs<String, String> = [
        "WHO": "lists a user's log-ins", "end ID": "ends one log-in", "end-all WHO": "ends all of a user's log-ins",
    ]

    static func run(_ admin: AdminCall) throws(CommandFailure) {
        switch try admin.argument(0, "the user") {
        case "end":
            _ = try admin.ask(.delete, "/v1/admin/sessions/\(try admin.argument(1, "the session's id"))")
            admin.done("Ended; regions refuse its tokens within half a minute.")
        case "end-all":
            let id = try admin.user(try admin.argument(1, "the user"))
            _ = try admin.ask(.delete, "/v1/admin/users/\(id)/sessions")
            admin.done("Ended all; regions refuse their tokens within half a minute.")
        case let who:
            let answer = try admin.ask(.get, "/v1/admin/sessions?user=\(try admin.user(who))")
            let rows = try admin.rows(answer, "sessions")
            admin.show(answer) {
                rows.map { row in
                    [row.text("id"), row.time("used"), row.text("region"), row.text("client"), row.text("device")]
                        .joined(separator: "\t")
                }
            }
        }
    }
}
