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
        "daleks login --profile work": "a second account beside the first",
    ]

    static func run(_ call: Call) throws(CommandFailure) {
        let trust = try call.trust()
        // Before a password is asked for that would not be sent.
        if !trust.allowsHTTP, !Protection.covers(call.settings.text("users")) {
            throw CommandFailure(.unprotected(url: call.settings.text("users")))
        }
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
        call.answer(
            "Logged in as \(credentials.user.email); your files are in region \(credentials.region.code)."
                + " Mount them with `daleks mount`.",
            JSONObject([
                ("email", .string(credentials.user.email)), ("user", .string("\(credentials.user.id)")),
                ("region", .string(credentials.region.code)), ("files_url", .string(credentials.region.filesURL)),
            ])
        )
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
        guard let user = answer.user, let region = answer.region, let refreshToken = answer.refreshToken else {
            throw .failed("\(usersURL) answered a log-in without user, region or refresh token; is it a users service?")
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
