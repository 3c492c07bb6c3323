import DaleksClient
import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksSystem

/// One use of `daleks admin`: the words after the subject, and the service to ask.
struct AdminCall {
    let call: Call
    let arguments: [String]

    var settings: Settings { call.settings }

    func argument(_ index: Int, _ what: String) throws(CommandFailure) -> String {
        guard arguments.indices.contains(index) else { throw .usage("\(what) is missing; see `daleks admin`") }
        return arguments[index]
    }

    /// Everything that is asked goes over one log-in, refreshed where it has to be.
    func asking<Answer>(
        _ question: (AccountClient) throws(ClientFailure) -> Answer
    ) throws(CommandFailure) -> Answer {
        let credentials = try call.credentials()
        let http = Call.http(Trust(credentials))
        defer { http.shutdown() }
        let users = UsersClient(url: credentials.usersURL, http: http)
        let tokens = AccessTokens(credentials, store: try call.credentialStore(), users: users, logger: .silent)
        let client = AccountClient(url: credentials.usersURL, http: http, tokens: tokens)
        do throws(ClientFailure) { return try question(client) } catch { throw CommandFailure(error) }
    }

    func ask(
        _ method: HTTPMethod,
        _ path: String,
        _ body: JSONObject? = nil
    ) throws(CommandFailure) -> JSONValue {
        try asking { client throws(ClientFailure) in try client.ask(method, path, body) }
    }

    /// The id of who is meant by an id or an e-mail address.
    func user(_ who: String) throws(CommandFailure) -> String {
        if UserID(who) != nil { return who }
        let answer = try ask(.get, "/v1/admin/users?query=\(PercentEncoding.encode(who))")
        let found = try rows(answer, "users").first { $0.text("email") == who.lowercased() || $0.text("handle") == who }
        guard let id = found?.text("id"), !id.isEmpty else { throw .failed("there is no user \(who)") }
        return id
    }

    func rows(_ answer: JSONValue, _ key: String) throws(CommandFailure) -> [AdminRow] {
        guard case .object(let object) = answer, case .array(let rows) = object[key] else {
            throw .failed("the service's answer cannot be read; is it of this version?")
        }
        return rows.map { AdminRow($0) }
    }

    /// Lines of text for a person, the answer as it came for a program.
    func show(_ answer: JSONValue, _ lines: () -> [String]) {
        if settings.flag("json") {
            if case .object(let object) = answer { call.console.say(object) } else { call.console.say(JSONObject()) }
        } else {
            for line in lines() { call.console.say(line) }
        }
    }

    func done(_ text: String, _ answer: JSONValue = .null) { show(answer) { [text] } }

    /// Of standard input or a terminal.
    func password() throws(CommandFailure) -> String {
        if settings.flag("password-stdin") {
            guard let line = readLine(strippingNewline: true) else { throw .failed("standard input held no password") }
            return line
        }
        guard call.console.isInteractive else {
            throw .usage("give the password on standard input, with --password-stdin")
        }
        return try call.console.promptSecretly("Password:", call.interruption)
    }
}

/// One object of an answer, as a line of a table.
struct AdminRow {
    private let object: JSONObject

    init(_ value: JSONValue) {
        if case .object(let object) = value { self.object = object } else { object = JSONObject() }
    }

    /// As people read it; empty where it is absent.
    func text(_ key: String) -> String {
        switch object[key] {
        case nil, .null: ""
        case .string(let text): text
        case .integer(let number): "\(number)"
        case .bool(let flag): flag ? "yes" : "no"
        case .double(let number): "\(number)"
        case .array, .object: "..."
        }
    }

    /// A time of the wire as a date.
    func time(_ key: String) -> String {
        guard case .integer(let nanoseconds) = object[key] else { return "" }
        return Timestamp(nanoseconds: nanoseconds).rfc3339()
    }

    func flag(_ key: String) -> Bool { object[key] == .bool(true) }
}
