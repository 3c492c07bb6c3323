import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// What a newcomer sees. Files of the mount are read and written by other programs, as everywhere.
@Suite(.serialized, .needs(.fuse))
struct DemoTests {
    private func shell(_ script: String, _ arguments: [String]) throws -> String {
        let captured = try Subprocess.capture(Command("sh", ["-ec", script, "sh"] + arguments), timeout: .seconds(30))
        return captured.ending == .exited(0) ? captured.outputText : "\(captured.ending): \(captured.errorText)"
    }

    @Test func `it says ready, Ctrl-C leaves no process and no mount, and the next run has the files`() throws {
        let scratch = ScratchFolder()
        let first = try Demo(scratch)
        #expect(eventually { first.said.count { $0.hasPrefix("  ") } == 3 })
        #expect(try shell("echo hello >\"$1/a\"; mkdir \"$1/b\"; mv \"$1/a\" \"$1/b/\"", [first.mount]).isEmpty)

        #expect(first.interrupt() == .exited(0))
        #expect(first.processes.isEmpty && !first.isMounted)

        let second = try Demo(scratch)
        #expect(try shell("cat \"$1/b/a\"", [second.mount]) == "hello\n")
        #expect(second.interrupt() == .exited(0) && second.processes.isEmpty && !second.isMounted)
    }

    @Test(.needs(.program("make", package: "make")))
    func `Ctrl-C in make run leaves no process and no mount either`() throws {
        let demo = try Demo(byMake: true)
        #expect(try shell("echo hello >\"$1/a\"; cat \"$1/a\"", [demo.mount]) == "hello\n")

        #expect(demo.interrupt() != nil)
        #expect(demo.processes.isEmpty && !demo.isMounted)
    }

    @Test func `killed without a word, it leaves no service behind, and the next run heals its mount`() throws {
        let scratch = ScratchFolder()
        let first = try Demo(scratch)
        _ = try shell("echo kept >\"$1/a\"; sync \"$1/a\"", [first.mount])
        let children = first.processes.filter { $0 != first.process.processID }
        #expect(children.count == 3)

        // All at once, so that nobody has time to end well.
        for child in children { kill(child, SIGKILL) }
        first.process.send(SIGKILL)
        _ = first.process.wait(timeout: .seconds(10))
        #expect(eventually { first.processes.isEmpty })
        #expect(first.isMounted)

        let second = try Demo(scratch)
        #expect(try shell("cat \"$1/a\"", [second.mount]) == "kept\n")
        #expect(second.interrupt() == .exited(0) && !second.isMounted)
    }
}
