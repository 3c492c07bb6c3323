import DaleksSystem
import DaleksTestSupport
import Testing

/// docs/region-setup.md, run as it stands.
struct RegionSetupTests {
    private static let document = "\(PythonTools.tests)/../docs/region-setup.md"

    private static func commands() throws -> String {
        let captured = try Subprocess.capture(
            Command("\(PythonTools.tests)/documents", [document]),
            timeout: .seconds(10)
        )
        return captured.outputText
    }

    @Test func `a region is set up, backed up and restored by what the document says`() throws {
        let scratch = ScratchFolder()
        let users = try RunningProgram(
            "daleks-users",
            ["--state", scratch.path("users"), "--port", "0", "--region", "old=http://127.0.0.1:1=The old one"]
        )
        let port = try LoopbackSocket.freePort()
        try scratch.write("correct horse battery staple\n", to: "password")
        let script = """
            set -euo pipefail
            trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
            daleks admin first "$FIRST" --email root@example.com --users "$USERS" --password-stdin <"$PASSWORD"
            daleks login --users "$USERS" --email root@example.com --password-stdin <"$PASSWORD"
            \(try Self.commands())
            daleks admin regions
            """
        var command = Command(
            "bash",
            ["-c", script],
            environment: [
                "PATH": "\(RunningProgram.folder):\(Environment.current["PATH"] ?? "/usr/bin:/bin")",
                "HOME": scratch.path("home"), "FIRST": users.fact("first_admin_token"),
                "PASSWORD": scratch.path("password"), "USERS": users.fact("issuer"), "REGION": "new",
                "URL": "http://127.0.0.1:\(port)", "PORT": "\(port)", "STATE": scratch.path("files"),
                "CONFIG": scratch.path("files.conf"), "BACKUP": scratch.path("backup"),
            ],
            deathSignal: 9
        )
        command.input = .bytes([])

        let captured = try Subprocess.capture(command, timeout: .seconds(60))

        let said = "\(captured.outputText)\(captured.errorText)"
        #expect(captured.ending == .exited(0), "\(said)")
        #expect(captured.outputText.contains("enrolled"), "\(said)")
        #expect(captured.outputText.contains("nothing found"), "\(said)")
        #expect(!captured.outputText.contains("dle_"), "the token is printed")
    }
}
