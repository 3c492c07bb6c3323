import DaleksAPI
import DaleksCore
import DaleksSystem
import Glibc

/// Starts a daemon for one mount.
struct DaemonLaunch {
    var credentials: String
    var stateFolder: String
    var mountPoint: String
    var options: [String]
    /// How fast it may send and receive, in bytes a second.
    var line: [(name: String, rate: Int64)] = []
    /// The daemon ends with us, however we end.
    var diesWithUs = false

    var arguments: [String] {
        var arguments = ["--credentials", credentials, "--state", stateFolder]
        for list in options { arguments += ["-o", list] }
        for (name, rate) in line { arguments += ["--\(name)", "\(rate)"] }
        return arguments + ["--", mountPoint]
    }

    /// A program of ours: beside this one, where packages and builds put them, else wherever PATH says.
    static func program(_ name: String) -> String {
        var buffer = [CChar](repeating: 0, count: Limits.pathBytesMax + 1)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        guard count > 0 else { return name }
        let own = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let slash = own.lastIndex(of: "/") else { return name }
        let beside = own[...slash] + name
        return access(String(beside), X_OK) == 0 ? String(beside) : name
    }

    /// Becomes the daemon. Returns only when that failed.
    func runInstead() throws(CommandFailure) -> CommandFailure {
        let program = Self.program("daleksd")
        var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
        words.append(nil)
        // The daemon sets its own; blocked signals would be inherited.
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
        execvp(program, words)
        return .failed("\(program) could not be started: \(Errno.last)")
    }

    /// Starts it in the background and waits until it serves, or says why it does not.
    func startDetached() throws(CommandFailure) -> ControlAnswer {
        try Self.requireDevice()
        do throws(Errno) { try Files.createPrivateDirectory(stateFolder) } catch {
            throw .failed("\(stateFolder) cannot be made or written to: \(error); choose another with --state")
        }
        let log = LogFile(path: stateFolder + "/daleksd.log")
        let child = try start(log)
        return try waitUntilServing(child, log)
    }

    func start(_ log: LogFile) throws(CommandFailure) -> Subprocess {
        try log.begin()
        // A child whose output goes to a file does not need us: a shell is not needed for that, a redirecting exec is.
        let command = Command(
            "/bin/sh",
            ["-c", "exec \"$0\" \"$@\" >>\"$DALEKS_LOG\" 2>&1", Self.program("daleksd")] + arguments,
            environment: Environment.current.merging(["DALEKS_LOG": log.path]) { _, new in new },
            output: .discard,
            errors: .discard,
            deathSignal: diesWithUs ? SIGTERM : nil,
            startsGroup: true
        )
        do throws(SubprocessError) { return try Subprocess.start(command) } catch { throw .failed("\(error)") }
    }

    func waitUntilServing(_ child: Subprocess, _ log: LogFile) throws(CommandFailure) -> ControlAnswer {
        let client = ControlClient(stateFolder: stateFolder)
        let pause = Gate()
        for _ in 0..<1_500 {
            if let ending = child.ending {
                throw .failed(log.lastWord(of: "daleksd") ?? "daleksd ended at once: \(ending)")
            }
            if let answer = try? client.ask(ControlRequest(.status)), answer.processID == Int64(child.processID) {
                return answer
            }
            pause.wait(timeout: .milliseconds(20))
        }
        child.send(SIGTERM)
        throw .failed("daleksd did not mount within 30 seconds; see \(log.path)")
    }

    static func requireDevice() throws(CommandFailure) {
        guard access("/dev/fuse", F_OK) == 0 else {
            throw .failed(
                "/dev/fuse is missing: load the kernel's fuse module (`modprobe fuse`), or pass the device in"
            )
        }
    }
}

/// What a child of ours writes.
struct LogFile {
    let path: String

    /// Starts empty: what matters is why this child, not an earlier one, did not start.
    func begin() throws(CommandFailure) {
        do throws(Errno) {
            try Files.writeAtomically(path, [], mode: 0o600, durable: false)
        } catch {
            throw .failed("\(path) cannot be written: \(error)")
        }
    }

    /// The line in which a program said why it ended, without its name.
    func lastWord(of program: String) -> String? {
        guard let bytes = try? Files.readAll(path, max: 1 << 20) else { return nil }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        return lines.last { $0.hasPrefix("\(program): ") }.map { String($0.dropFirst(program.utf8.count + 2)) }
    }
}
