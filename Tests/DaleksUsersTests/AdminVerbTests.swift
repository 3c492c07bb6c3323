import DaleksAPI
import DaleksCore
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
            arguments + ["--credentials", folder.path("credentials.json")],
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
        _ = try done("login --users \(service.url) --email root@example.com --password-stdin", input: password)
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
}
