import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksUsers

/// `daleks login --region auto`: the machine that logs in asks which region answers it first.
struct AutoRegionTests {
    private let folder = ScratchFolder()

    /// A files service as far as the probe sees it.
    private func filesService(delay: UInt32) throws -> HTTPServer {
        var router = Router()
        router.on(.get, "/livez") { _, _ in
            usleep(delay)
            return .text("ok\n")
        }
        let server = try HTTPServer(
            HTTPServerConfiguration(address: "127.0.0.1", port: 0),
            router: router,
            logger: .silent
        )
        try server.start()
        return server
    }

    /// The region of the log-in.
    private func logIn(_ service: TestService, _ email: String, region: String) throws -> String {
        var command = Command(
            "\(RunningProgram.folder)/daleks",
            [
                "login", "--users", service.url, "--email", email, "--password-stdin", "--region", region, "--json",
                "--credentials", folder.path("credentials.json"),
            ],
            environment: ["HOME": folder.path("home")],
            deathSignal: SIGKILL
        )
        command.input = .bytes(Array("\(TestService.password)\n".utf8))
        let captured = try Subprocess.capture(command, timeout: .seconds(30))
        guard captured.ending.isSuccess else { throw TestFailure(captured.errorText) }
        let kept = JSONReader(try JSONValue.parse(try folder.read("credentials.json")))
        return try kept.object("region").string("code")
    }

    @Test func `auto is the region that answers first, and neither a slow one nor one that is silent`() throws {
        let (slow, fast) = (try filesService(delay: 400_000), try filesService(delay: 0))
        let service = try TestService { settings in
            settings.regions = [
                RegionRecord(code: "dead", name: "Dead", filesURL: "http://127.0.0.1:9", status: "open"),
                RegionRecord(code: "slow", name: "Slow", filesURL: "http://127.0.0.1:\(slow.port)", status: "open"),
                RegionRecord(code: "fast", name: "Fast", filesURL: "http://127.0.0.1:\(fast.port)", status: "open"),
            ]
        }
        defer {
            service.stop()
            slow.stop()
            fast.stop()
        }
        for name in ["ann", "bob"] { try service.register("\(name)@example.com") }

        #expect(try logIn(service, "ann@example.com", region: "auto") == "fast")
        // Who chooses is not second-guessed, and who has a home keeps it.
        #expect(try logIn(service, "bob@example.com", region: "slow") == "slow")
        #expect(try logIn(service, "bob@example.com", region: "auto") == "slow")
    }
}
