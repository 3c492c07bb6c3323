import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// The tests that are shell scripts, since what they test is: `deploy/`, `systemd/`, documents.
@Suite(.serialized)
struct ScriptTests {
    static let folder = "\(PythonTools.tests)/scripts"
    static let names = ((try? Files.entries(of: folder)) ?? []).filter { $0 != "common" }.sorted()
    /// What a script ends with that cannot run on this machine.
    private static let skipped: Int32 = 77

    @Test(arguments: names)
    func `the script ends well`(name: String) throws {
        let path = Environment.current["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin"
        var environment = Environment.current.filter { !$0.key.hasPrefix("DALEKS_") }
        environment["PATH"] = "\(RunningProgram.folder):\(path)"
        var command = Command(
            "bash",
            ["-c", "cd \"$0/..\" && exec bash \"$1\"", PythonTools.tests, "\(Self.folder)/\(name)"],
            environment: environment,
            deathSignal: SIGTERM
        )
        command.input = .bytes([])

        let captured = try Subprocess.capture(command, timeout: .seconds(240))

        let said = "\(captured.outputText)\(captured.errorText)"
        if captured.ending == .exited(Self.skipped) {
            print("skipped \(name): \(said)")
            return
        }
        #expect(captured.ending == .exited(0), "\(name): \(said)")
    }

    @Test func `the scripts were found`() {
        #expect(Self.names.contains("documents") && Self.names.count >= 5)
    }
}
