import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Glibc

/// The whole product as a user has it: both services, an account, and daemons that mount it. Every part is a process of
/// its own and can be killed.
///
/// The mounts belong to other processes, so this one may work on them.
final class RunningSystem {
    let scratch = ScratchFolder()
    private let usersPort: UInt16
    private let filesPort: UInt16
    private var users: RunningProgram?
    private(set) var files: RunningProgram?
    /// A region that waits for a word to begin, and one that had it.
    private var (reserve, begun): (Subprocess?, Subprocess?) = (nil, nil)

    init() throws {
        usersPort = try LoopbackSocket.freePort()
        filesPort = try LoopbackSocket.freePort()
        try startUsers()
        try startFiles()
    }

    private var usersURL: String { "http://127.0.0.1:\(usersPort)" }
    private var filesURL: String { "http://127.0.0.1:\(filesPort)" }

    private func startUsers() throws {
        users = try RunningProgram(
            "daleks-users",
            [
                "--state", scratch.path("users"), "--port", "\(usersPort)", "--issuer", usersURL, "--region",
                "local=\(filesURL)", "--registration", "open",
            ]
        )
    }

    private var filesWords: [String] {
        [
            "--state", scratch.path("files"), "--port", "\(filesPort)", "--region", "local", "--users-url", usersURL,
            "--public-url", filesURL,
        ]
    }

    func startFiles() throws { files = try RunningProgram("daleks-files", filesWords) }

    /// To be called while nothing is open in the mounts: who is forked has a copy of each open file and closes it, and
    /// where closing waits for the region, so would the region's own start.
    func prepareFiles() throws {
        let word = scratch.path("word")
        if mkfifo(word, 0o600) == -1, errno != EEXIST { throw Errno.last }
        reserve = try Subprocess.start(
            Command(
                "/bin/sh",
                ["-c", "read _ <\"$0\" && exec \"$@\"", word, "\(RunningProgram.folder)/daleks-files"] + filesWords,
                errors: .discard,
                deathSignal: SIGKILL
            )
        )
    }

    /// Begins what was prepared, and does not wait until it answers.
    func startPreparedFiles() throws {
        try FileDescriptor.open(scratch.path("word"), O_WRONLY).writeAll(Array("now\n".utf8))
        (begun, reserve) = (reserve, nil)
    }

    func killFiles() {
        files?.process.send(SIGKILL)
        _ = files?.process.wait(timeout: .seconds(10))
        files = nil
        end(&begun)
    }

    private func end(_ process: inout Subprocess?) {
        process?.send(SIGKILL)
        _ = process?.wait(timeout: .seconds(10))
        process = nil
    }

    /// Makes the account at the first call, and logs in.
    func logIn(_ name: String, registers: Bool) throws {
        let words =
            [
                "login", "--users", usersURL, "--region", "local", "--email", "crash@example.com", "--password-stdin",
                "--credentials", scratch.path("\(name).json"),
            ] + (registers ? ["--register"] : [])
        var command = Command("\(RunningProgram.folder)/daleks", words, environment: ["HOME": scratch.path])
        command.input = .bytes(Array("correct horse battery staple\n".utf8))
        let outcome = try Subprocess.capture(command, timeout: .seconds(20))
        guard outcome.ending == .exited(0) else { throw Failure(description: "login: \(outcome)") }
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// A daemon that mounts the account; its state is `name`'s, kept from one start to the next.
    func mount(_ name: String, credentials: String) throws -> RunningMount {
        try RunningMount(folder: scratch, name: name, credentials: scratch.path("\(credentials).json"))
    }

    /// Waits until the region has everything.
    func drain(_ name: String, within limit: Duration = .seconds(60)) throws {
        try drain(state: scratch.path("\(name)-state"), within: limit)
    }

    /// `daleks pause` and the like, of the daemon with that name.
    func command(_ verb: String, of name: String) throws {
        let words = [verb, "--state", scratch.path("\(name)-state")]
        let command = Command("\(RunningProgram.folder)/daleks", words, environment: ["HOME": scratch.path])
        let outcome = try Subprocess.capture(command, timeout: .seconds(20))
        guard outcome.ending == .exited(0) else { throw Failure(description: "\(verb): \(outcome)") }
    }

    func drain(state: String, within limit: Duration = .seconds(60)) throws {
        let outcome = try Subprocess.capture(
            Command(
                "\(RunningProgram.folder)/daleks",
                ["sync", "--timeout", "\(Int(limit.inSeconds))s", "--state", state],
                environment: ["HOME": scratch.path]
            ),
            timeout: limit + .seconds(30)
        )
        guard outcome.ending == .exited(0) else { throw Failure(description: "sync: \(outcome)") }
    }

    func end() {
        for program in [files, users] {
            program?.process.send(SIGTERM)
            if program?.process.wait(timeout: .seconds(20)) == nil { program?.process.send(SIGKILL) }
        }
        (files, users) = (nil, nil)
        end(&begun)
        end(&reserve)
    }

    deinit { end() }
}

/// One running `daleksd` and what it mounts.
final class RunningMount: Sendable {
    let path: String
    private let program: RunningProgram

    init(
        folder: ScratchFolder,
        name: String,
        state: String? = nil,
        credentials: String,
        options: [String] = []
    ) throws {
        path = folder.path("\(name)-mount")
        // What a dead daemon left in the way is healed by the next.
        _ = mkdir(path, 0o700)
        let state = state ?? folder.path("\(name)-state")
        program = try RunningProgram(
            "daleksd",
            ["--credentials", credentials, "--state", state] + options + ["--", path],
            // Where a sanitizer watches, it is told the same here.
            environment: Environment.current.filter { $0.key.hasSuffix("SAN_OPTIONS") }
                .merging(["HOME": folder.path, "PATH": "/usr/bin:/bin"]) { $1 }
        )
    }

    var processID: Int32 { program.process.processID }

    /// As `kill -9`. What it served is unreachable until the next daemon heals the mount.
    func kill() {
        program.process.send(SIGKILL)
        // A thread that was telling the kernel of a name waits there for the lock of the folder, which a call has that
        // waits for the daemon: until somebody ends the connection, that goes on for ever.
        if program.process.wait(timeout: .seconds(2)) == nil { _ = umount2(path, 1) }
        _ = program.process.wait(timeout: .seconds(10))
    }

    /// As an unmount does, with everything sent.
    func stop() throws {
        program.process.send(SIGTERM)
        guard program.process.wait(timeout: .seconds(60)) == .exited(0) else {
            throw RunningSystem.Failure(description: "daleksd did not end as it should")
        }
    }

    deinit {
        program.process.send(SIGKILL)
        _ = program.process.wait(timeout: .seconds(10))
        _ = umount2(path, 2)
    }
}
