import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksUsers

/// `daleks admin …`, as the built program, against the service.
@Suite(.serialized)
struct AdminVerbTests {
    private let folder = ScratchFolder()

    private func run(_ arguments: [String], input: String = "") throws -> Subprocess.Captured {
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments[0]
        let programs = bundle.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        var command = Command(
            "\(programs)/daleks",
            arguments.prefix(1) + ["--credentials", folder.path("credentials.json")] + arguments.dropFirst(),
            environment: ["HOME": folder.path("home")],
            deathSignal: SIGKILL
        )
        command.input = .bytes(Array(input.utf8))
        return try Subprocess.capture(command, timeout: .seconds(30))
    }

    private func done(_ arguments: String, input: String = "") throws -> String {
        let captured = try run(arguments.split(separator: " ").map { String($0) }, input: input)
        guard captured.ending.isSuccess else { throw TestFailure("\(arguments): \(captured.errorText)") }
        return captured.outputText
    }

    @Test func `an administrator does everything from the command line`() throws {
        let service = try TestService()
        defer { service.stop() }
        let token = try required(service.service.firstAdminToken)
        let password = TestService.password + "\n"

        let first = try done(
            "admin first \(token) --email root@example.com --users \(service.url) --password-stdin",
            input: password
        )
        _ = try done(
            "login --users \(service.url) --allow-http --email root@example.com --password-stdin",
            input: password
        )
        #expect(first.contains("root@example.com is the administrator"))

        let made = try done(
            "admin users create ann@example.com --name Ann --handle ann --password-stdin",
            input: password
        )
        #expect(made.contains("Made ann@example.com"))
        let ann = try Person(loggingIn: "ann@example.com", at: service)
        #expect(try done("admin users").contains("ann@example.com"))
        #expect(try done("admin users set ann --quota 1GiB --role admin").contains("Changed"))
        #expect(try done("admin users show ann").contains("quota: 1073741824"))
        #expect(try done("admin sessions ann@example.com").contains("a laptop"))
        let inspected = try done("admin tokens inspect", input: ann.session.accessToken + "\n")
        #expect(inspected.contains("access_token: valid") && inspected.contains("for: \(TestService.here.filesURL)"))
        #expect(try done("admin users lock ann").contains("Locked"))
        #expect(try done("admin tokens inspect", input: ann.session.accessToken + "\n").contains("not valid"))
        #expect(try done("admin users unlock ann").contains("Unlocked"))
        #expect(try done("admin audit --user ann --action lock").contains("lock\tdone"))

        #expect(try done("admin regions enrol de --name Germany").contains("dle_"))
        #expect(try done("admin regions add nz --url https://nz.example").contains("Added"))
        #expect(try done("admin regions drain nz").contains("draining"))
        #expect(try done("admin regions --json").contains("\"status\":\"draining\""))
        #expect(try done("admin regions remove nz").contains("Removed"))

        #expect(try done("admin keys").contains("active"))
        #expect(try done("admin keys rotate").contains("Ordered"))
        let client = try done("admin clients add robot --name Robot --grants client_credentials --scope files:read")
        #expect(client.contains("dls_"))
        #expect(try done("admin clients").contains("robot"))
        #expect(try done("admin clients remove robot").contains("Removed"))

        #expect(try done("admin users delete ann").contains("Deleted ann"))
        #expect(try done("admin restored").contains("Log in again"))
        #expect(try run(["admin", "users"]).ending == .exited(1))
        #expect(try run(["admin", "nonsense"]).ending == .exited(2))
        #expect(try run(["admin"]).ending == .exited(2))
    }

    @Test func `a certificate of one's own is believed by --ca-file, wherever a URL is taken`() throws {
        let now = TimeSource.system.wall
        let authority = try CertificateAuthority(name: "a test", validFrom: now, validity: .seconds(3_600))
        let leaf = try authority.issue(for: [.address("127.0.0.1")], validFrom: now, validity: .seconds(3_600))
        try folder.write(leaf.certificatePEM, to: "tls.pem")
        try folder.write(leaf.keyPEM, to: "tls.key")
        try folder.write(authority.certificatePEM, to: "ca.pem")
        let program = try RunningProgram([
            "--state", folder.path("state"), "--port", "0", "--region", "local=https://files.example",
            "--tls-certificate", folder.path("tls.pem"), "--tls-key", folder.path("tls.key"),
        ])
        let service = "--users \(program.url)"
        let token = try required(Optional(program.fact("first_admin_token")).flatMap { $0.isEmpty ? nil : $0 })
        let person = "--email root@example.com --password-stdin"
        let password = TestService.password + "\n"
        for verb in ["regions \(service)", "login \(service) \(person)", "admin first \(token) \(service) \(person)"] {
            let refused = try run(verb.split(separator: " ").map { String($0) }, input: password)
            #expect(refused.errorText.contains("no trusted TLS connection"), "\(verb): \(refused.errorText)")
            let nothing = try run(
                verb.split(separator: " ").map { String($0) } + ["--ca-file", "nothing"],
                input: password
            )
            #expect(
                nothing.errorText.contains("--ca-file: nothing cannot be read: No such file"),
                "\(nothing.errorText)"
            )
        }

        // By a path from where one stands, which is another place later.
        func there(_ line: String, input: String = "") throws -> Subprocess.Captured {
            var command = Command(
                "/bin/sh",
                ["-c", "cd '\(folder.path(""))' && exec \(RunningProgram.folder)/daleks \(line)"],
                environment: ["HOME": folder.path("home")],
                deathSignal: SIGKILL
            )
            command.input = .bytes(Array(input.utf8))
            return try Subprocess.capture(command, timeout: .seconds(30))
        }
        let first = try there("admin first \(token) \(service) \(person) --ca-file ca.pem", input: password)
        #expect(first.ending == .exited(0), "\(first.errorText)")
        #expect(try there("regions \(service) --ca-file ca.pem").outputText.contains("files.example"))
        let login = try there("login \(service) \(person) --ca-file ca.pem", input: password)
        #expect(login.ending == .exited(0), "\(login.errorText)")
        let later = try Subprocess.capture(
            Command("\(RunningProgram.folder)/daleks", ["admin", "users"], environment: ["HOME": folder.path("home")]),
            timeout: .seconds(30)
        )
        #expect(later.outputText.contains("root@example.com"), "\(later.errorText)")
    }

    /// The value of a member of what `--json` prints.
    private func member(_ name: String, of arguments: String) throws -> String {
        try JSONReader(try JSONValue.parse(Array(try done(arguments + " --json").utf8))).string(name)
    }

    /// What the test above leaves out.
    @Test func `each verb does what it says`() throws {
        let service = try TestService()
        defer { service.stop() }
        let root = try Person.admin(service)
        let password = TestService.password + "\n"
        _ = try done(
            "login --users \(service.url) --allow-http --email \(root.email) --password-stdin",
            input: password
        )
        let ann = try Person(service)
        let bob = try Person(service, "bob@example.com")

        _ = try done("admin users set ann@example.com --handle ann --name Anna --quota none")
        #expect(try done("admin users list anna").contains("ann@example.com"))
        #expect(try !done("admin users list anna").contains("bob@example.com"))
        #expect(try done("admin users show ann").contains("name: Anna"))
        _ = try ann.turnOnSecondFactor()
        #expect(throws: (any Error).self) { try service.logIn() }
        #expect(try done("admin users no-totp ann").contains("off"))
        #expect(throws: Never.self) { try service.logIn() }
        #expect(try done("admin users reset-password ann").contains("mailed"))
        #expect(try service.mails(atLeast: 1)[0].contains("/reset?token="))

        let sessions = try done("admin sessions bob@example.com").split(separator: "\n").compactMap {
            $0.split(separator: "\t").first.map { String($0) }
        }
        #expect(sessions.count == 1)
        #expect(try done("admin sessions end \(try required(sessions.first))").contains("Ended"))
        #expect(!bob.isIn && ann.isIn)
        #expect(try done("admin sessions end-all ann").contains("Ended all"))
        #expect(!ann.isIn)

        let key = service.service.keys.signing.id
        #expect(try done("admin keys").contains(key))
        // What the command line holds was signed with it: it asks for another token.
        #expect(try done("admin keys revoke -- \(key)").contains("Taken back"))
        let dashed = try run(["admin", "keys", "revoke", "-OxQ9"])
        #expect(dashed.ending == .exited(2))
        #expect(dashed.errorText.contains("what is no option and begins with a dash comes after --"))
        #expect(try !done("admin keys").contains(key))

        let robot = "admin clients add robot --name Robot --grants client_credentials --scope files:read"
        let secret = try member("secret", of: robot)
        let renewed = try member("secret", of: "admin clients new-secret robot")
        func grant(_ secret: String) throws -> Int {
            let form = [("grant_type", "client_credentials"), ("client_id", "robot"), ("client_secret", secret)]
            return try service.form(Routes.Users.token, form).status.code
        }
        #expect(try grant(secret) == 401 && grant(renewed) == 200)

        #expect(try done("admin regions set there --name Elsewhere --url https://else.example").contains("Changed"))
        #expect(try done("admin regions").contains("https://else.example\tElsewhere"))
        #expect(try done("admin regions close there").contains("closed"))
        #expect(try service.users.regions().map(\.code) == ["here"])
        #expect(try done("admin regions open there").contains("open"))
        #expect(try service.users.regions().count == 2)

        #expect(try done("admin audit --action key --outcome refused --since 1h").contains("key\trefused"))
        #expect(try done("admin audit --action key --limit 1").split(separator: "\n").count == 1)
        for verb in ["users", "sessions", "keys", "clients", "regions", "tokens"] {
            #expect(try run(["admin", verb, "nonsense", "x"]).ending != .exited(0), "\(verb)")
        }
    }
}
