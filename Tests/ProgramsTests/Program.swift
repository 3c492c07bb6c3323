import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// One of our programs as people call it: by its name, from a shell, with arguments.
struct Program {
    let name: String
    /// Who runs it. An ordinary user is stopped by file modes where root is not.
    var isOrdinaryUser = false
    /// A mount table of its own, in which `/dev` holds nothing but what every program needs.
    var lacksDevices = false
    /// Where its binary is.
    var folder = RunningProgram.folder

    /// Runs it to its end.
    func run(_ arguments: [String], home: String = "/nonexistent") throws -> Outcome {
        var words = ["\(folder)/\(name)"] + arguments
        if isOrdinaryUser, geteuid() == 0 {
            words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"] + words
        }
        if lacksDevices {
            let script = "mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && exec \"$@\""
            words = ["unshare", "--mount", "--", "sh", "-c", script, "sh"] + words
        }
        let environment = ["PATH": Environment.current["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": home]
        let command = Command(words[0], Array(words.dropFirst()), environment: environment, deathSignal: SIGKILL)
        let captured = try Subprocess.capture(command, timeout: .seconds(60))
        return Outcome(program: ([name] + arguments).joined(separator: " "), captured: captured)
    }

    /// What an ordinary user can run: root's own folders may be closed to him.
    static func copied(_ name: String, into scratch: ScratchFolder) throws -> Program {
        let folder = scratch.path("bin")
        let script = "chmod 755 \"$1\" && mkdir -p \"$2\" && cp \"$0\" \"$2/\" && chmod -R a+rX \"$2\""
        let copy = Command("sh", ["-c", script, "\(RunningProgram.folder)/\(name)", scratch.path, folder])
        let captured = try Subprocess.capture(copy, timeout: .seconds(30))
        guard captured.ending == .exited(0) else { throw Outcome.Failure(description: captured.errorText) }
        return Program(name: name, isOrdinaryUser: true, folder: folder)
    }
}

/// What it said and how it ended.
struct Outcome {
    struct Failure: Error, CustomStringConvertible { let description: String }

    let program: String
    let captured: Subprocess.Captured

    /// It failed with that code, and all that it wrote is one line that begins with its name and says these things.
    func expectLine(
        _ code: Int32,
        _ words: String...,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let lines = captured.errorText.split(separator: "\n")
        let said = "\(program): \(captured.ending): \(captured.errorText)"
        #expect(captured.ending == .exited(code), "\(said)", sourceLocation: sourceLocation)
        #expect(lines.count == 1 && captured.output.isEmpty, "\(said)", sourceLocation: sourceLocation)
        let name = program.prefix { $0 != " " }
        #expect(lines.first?.hasPrefix(name) == true, "\(said)", sourceLocation: sourceLocation)
        for word in words {
            #expect(captured.errorText.contains(word), "\(said)", sourceLocation: sourceLocation)
        }
    }
}
