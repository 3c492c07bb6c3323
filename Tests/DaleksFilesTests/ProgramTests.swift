import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksFiles

/// The program itself: how it starts, fails, ends, and dies.
struct ProgramTests {
    let folder = ScratchFolder()
    let users: TestUsers

    init() throws { users = try TestUsers() }

    private func arguments(_ more: [String] = [], state: String = "state", port: UInt16 = 0) -> [String] {
        ["--state", folder.path(state), "--users-url", users.url, "--port", "\(port)"] + more
    }

    @Test func `it says ready with its port, serves, and ends with 0 when told to`() throws {
        let program = try RunningProgram(arguments(["--region", "test-1"]))

        let capabilities = try TestClient(program.url, token: "").get(Routes.Files.capabilities, as: Capabilities.self)
        #expect(capabilities.region == "test-1")
        var status = stat()
        #expect(stat(folder.path("state"), &status) == 0 && status.st_mode & 0o777 == 0o700)
        #expect(stat(folder.path("state/files.db"), &status) == 0 && status.st_mode & 0o777 == 0o600)

        program.process.send(SIGTERM)
        #expect(program.process.wait(timeout: .seconds(10)) == .exited(0))
    }

    @Test func `a parked reader is answered when the program ends`() throws {
        let program = try RunningProgram(arguments())
        let user = UserID.random(at: .zero)
        let client = TestClient(program.url, token: try users.token(for: user, audience: program.url))
        let cursor = try client.tree().cursor
        let answered = Gate()
        let thread = Thread(name: "reader") {
            if (try? client.changes(after: cursor, wait: 50))?.cursor == cursor { answered.open() }
        }
        usleep(200_000)

        program.process.send(SIGINT)

        #expect(answered.wait(timeout: .seconds(5)))
        thread.join()
        #expect(program.process.wait(timeout: .seconds(10)) == .exited(0))
    }

    @Test func `wrong usage is 2 and one line, help is 0`() throws {
        for (arguments, message) in [
            (["--no-such-flag"], "no-such-flag"), (["--users-url", "nonsense"], "users-url"), ([], "users-url"),
            (["--users-url", "http://a", "--region", "Not A Code"], "region"),
            (["--users-url", "http://a", "--tls-key", "/k"], "tls-key"),
        ] {
            let result = try RunningProgram.run(arguments)
            #expect(result.ending == .exited(2))
            #expect(result.errorText.contains(message) && result.errorText.split(separator: "\n").count == 1)
        }
        let help = try RunningProgram.run(["--help"])
        #expect(help.ending == .exited(0) && help.outputText.contains("--users-url"))
    }

    @Test func `a port or a state folder that another process has is 1 and says what to do`() throws {
        let program = try RunningProgram(arguments())

        let samePort = try RunningProgram.run(arguments(state: "other", port: program.port))
        let sameState = try RunningProgram.run(arguments())

        #expect(samePort.ending == .exited(1) && samePort.errorText.contains("port \(program.port)"))
        #expect(sameState.ending == .exited(1) && sameState.errorText.contains("process \(program.process.processID)"))
        for text in [samePort.errorText, sameState.errorText] { #expect(text.split(separator: "\n").count == 1) }
    }

    @Test func `a state folder that is a file, or is open to others and full of other things, is refused`() throws {
        try folder.write("text", to: "file")
        try Files.createPrivateDirectory(folder.path("open"), durable: false)
        try folder.write("text", to: "open/letter")
        #expect(chmod(folder.path("open"), 0o755) == 0)

        for state in ["file", "open"] {
            let result = try RunningProgram.run(arguments(state: state))
            #expect(result.ending == .exited(1) && result.errorText.contains("--state"))
        }
        var status = stat()
        #expect(stat(folder.path("open"), &status) == 0 && status.st_mode & 0o777 == 0o755)
    }
}
