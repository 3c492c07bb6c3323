import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksSystem
import Glibc

enum LoginVerb: Verb {
    static let name = "login"
    static let about = "Logs in at a users service and chooses the region that holds your files."

    static let options =
        [
            Option("users", .text(placeholder: "URL"), default: "http://127.0.0.1:7401", help: "The users service."),
            Option(
                "region",
                .text(placeholder: "CODE"),
                default: "auto",
                help: "The region; auto is where your files are, or the one that answers first if you have none yet."
            ),
            Option("email", .text(placeholder: "E-MAIL"), help: "Who you are; asked for on a terminal."),
            Option(
                "code",
                .text(placeholder: "CODE"),
                help: "The code of the second factor, or a recovery code; asked for on a terminal."
            ),
            Option("password-stdin", .flag, help: "Reads the password from standard input instead of asking."),
            Option(
                "device",
                .flag,
                help: "Shows letters that you type into a browser, on any machine; no password is typed here. Such a "
                    + "log-in does everything with files, and does not manage the account."
            ),
            Option("register", .flag, help: "Makes the account first."),
            Option(
                "name",
                .text(placeholder: "NAME"),
                help: "Your name, with --register; by default the e-mail's first part."
            ),
        ] + Trust.options

    static let examples: KeyValuePairs = [
        "daleks login --users https://daleks.example/users": "asks for e-mail and password",
        "daleks login --email ann@example.com --password-stdin < secret": "for a script",
        "daleks login --device": "on a server, say: you let it in with a browser elsewhere",
        "daleks login --profile work": "a second account beside the first",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let trust = try call.trust()
        // Before a password is asked for that would not be sent.
        if !trust.allowsHTTP, !Protection.covers(call.settings.text("users")) {
            throw CommandFailure(.unprotected(url: call.settings.text("users")))
        }
        if call.settings.flag("device") { return try letIn(call, trust) }
        let email = try email(call)
        let password = try password(call)
        var session = Session(
            usersURL: call.settings.text("users"),
            trust: trust,
            email: email,
            password: password,
            name: call.settings.optionalText("name"),
            code: call.settings.optionalText("code")
        )
        session.console = call.console
        let region = call.settings.text("region")
        let credentials = try session.begin(
            registers: call.settings.flag("register"),
            region: region == "auto" ? nil : region,
            store: try call.credentialStore()
        )
        tell(credentials, call)
    }

    private static func tell(_ credentials: Credentials, _ call: Call) {
        call.answer(
            "Logged in as \(credentials.user.email); your files are in region \(credentials.region.code)."
                + " Mount them with `daleks mount`.",
            JSONObject([
                ("email", .string(credentials.user.email)), ("user", .string("\(credentials.user.id)")),
                ("region", .string(credentials.region.code)), ("files_url", .string(credentials.region.filesURL)),
            ])
        )
    }

    /// By somebody with a browser, who sees the same letters there.
    private static func letIn(_ call: Call, _ trust: Trust) throws(CommandFailure) {
        let settings = call.settings
        guard settings.optionalText("email") == nil, !settings.flag("password-stdin"), !settings.flag("register") else {
            throw .usage("--device asks for no e-mail and no password: whoever opens the page says who they are")
        }
        let store = try call.credentialStore()
        let http = Call.http(trust)
        defer { http.shutdown() }
        let users = UsersClient(url: settings.text("users"), http: http)
        let resource = try resource(settings.text("region"), users, call)
        let answer = try call.asking { () throws(ClientFailure) in
            let invitation = try users.invite(device: MachineName.current)
            // Beside what a script reads.
            call.console.complain(
                "Open \(invitation.page) in a browser, on any machine, and type\n\n    \(invitation.letters)\n\n"
                    + "or open \(invitation.pageWithLetters)\nThe letters are good for "
                    + "\(Shown.duration(seconds: invitation.lifetimeSeconds)) minutes; Ctrl-C ends this."
            )
            return try users.whole(try users.logIn(invitation, resource: resource))
        }
        tell(try Session.keep(answer, users, trust, store), call)
    }

    /// The files URL of the region that was named; nil where none was.
    private static func resource(_ code: String, _ users: UsersClient, _ call: Call) throws(CommandFailure) -> String? {
        guard code != "auto" else { return nil }
        let regions = try call.asking { () throws(ClientFailure) in try users.regions() }
        guard let region = regions.first(where: { $0.code == code }) else {
            throw .failed("there is no such region; there are: \(regions.map(\.code).joined(separator: ", "))")
        }
        return region.filesURL
    }

    private static func email(_ call: Call) throws(CommandFailure) -> String {
        if let email = call.settings.optionalText("email") { return email }
        guard call.console.isInteractive, !call.settings.flag("password-stdin") else {
            throw .usage("say who you are with --email")
        }
        return try call.console.prompt("E-mail:")
    }

    private static func password(_ call: Call) throws(CommandFailure) -> String {
        if call.settings.flag("password-stdin") {
            guard let line = readLine(strippingNewline: true) else { throw .failed("standard input held no password") }
            return line
        }
        guard call.console.isInteractive else {
            throw .usage("give the password on standard input, with --password-stdin")
        }
        return try call.console.promptSecretly("Password:", call.interruption)
    }
}

/// A log-in at the users service, kept on this machine.
struct Session {
    var usersURL: String
    var trust = Trust()
    var email: String
    var password: String
    var name: String?
    var code: String?
    /// Where a person can be asked for the code of the second factor; nil where nobody is there.
    var console: Console?

    /// `registers` makes the account first; one that exists already is no failure, its password decides.
    func begin(registers: Bool, region: String?, store: CredentialStore) throws(CommandFailure) -> Credentials {
        let http = Call.http(trust)
        defer { http.shutdown() }
        let users = UsersClient(url: usersURL, http: http)
        var request = LoginRequest(
            email: email,
            password: password,
            region: region,
            device: MachineName.current,
            code: code
        )
        let answer: SessionAnswer
        do throws(ClientFailure) {
            if registers { try register(users) }
            request.nearest = region == nil ? NearestRegion(users: users, http: http).find() : nil
            answer = try users.logIn(request)
        } catch {
            answer = try logInAgain(users, request, after: error)
        }
        return try Self.keep(answer, users, trust, store)
    }

    /// What a log-in gave, for later.
    static func keep(
        _ answer: SessionAnswer,
        _ users: UsersClient,
        _ trust: Trust,
        _ store: CredentialStore
    ) throws(CommandFailure) -> Credentials {
        guard let user = answer.user, let region = answer.region, let refreshToken = answer.refreshToken else {
            throw .failed(
                "\(users.url) answered a log-in without user, region or refresh token; is it a users service?"
            )
        }
        if !trust.allowsHTTP, !Protection.covers(region.filesURL) {
            throw CommandFailure(.unprotected(url: "the region \(region.code), \(region.filesURL),"))
        }
        let credentials = Credentials(
            usersURL: users.url,
            user: user,
            region: region,
            accessToken: answer.accessToken,
            accessExpires: TimeSource.system.wall + .seconds(answer.expiresInSeconds),
            refreshToken: refreshToken,
            caFile: trust.caFile,
            allowsHTTP: trust.allowsHTTP
        )
        do throws(Errno) {
            try store.save(credentials)
        } catch {
            throw .failed("the log-in cannot be kept in \(store.path): \(error)")
        }
        return credentials
    }

    /// With the code of the second factor, where that is what is missing and somebody can be asked.
    private func logInAgain(
        _ users: UsersClient,
        _ request: LoginRequest,
        after failure: ClientFailure
    ) throws(CommandFailure) -> SessionAnswer {
        guard APIError.Code.mfaRequired.explains(failure), let console, console.isInteractive else {
            throw CommandFailure(failure)
        }
        var request = request
        request.code = try console.prompt("Code of the second factor:")
        do throws(ClientFailure) { return try users.logIn(request) } catch { throw CommandFailure(error) }
    }

    private func register(_ users: UsersClient) throws(ClientFailure) {
        let ownName = name ?? String(email.prefix { $0 != "@" })
        do throws(ClientFailure) {
            _ = try users.register(RegistrationRequest(email: email, password: password, name: ownName))
        } catch {
            guard error.code == "already_exists" else { throw error }
        }
    }
}
