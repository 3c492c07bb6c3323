import DaleksSystem
import DaleksTestSupport
import Glibc

/// `daleks demo` in the foreground of a terminal of its own, over a scratch folder.
final class Demo: Sendable {
    static let timeout = Duration.seconds(60)

    let scratch: ScratchFolder
    let process: Subprocess
    let ports: (users: UInt16, files: UInt16)
    private let lines: Condition<[String]>

    var mount: String { scratch.path("mount") }
    var state: String { scratch.path("state") }
    /// What its own daemon works with.
    var client: String { "\(state)/client" }
    var credentials: String { "\(client)/credentials.json" }

    /// Returns when it said `ready`. By make, it is `make run` with what is built already, in a terminal's group.
    init(_ scratch: ScratchFolder = ScratchFolder(), byMake: Bool = false) throws {
        self.scratch = scratch
        let ports = try (users: LoopbackSocket.freePort(), files: LoopbackSocket.freePort())
        let lines = Condition<[String]>([])
        let words = Self.arguments(scratch, ports)
        var command = Command(
            byMake ? "make" : "\(RunningProgram.folder)/daleks",
            byMake ? try Self.makeArguments(scratch, words.dropFirst().joined(separator: " ")) : words,
            environment: ["PATH": Environment.current["PATH"] ?? "", "HOME": scratch.path],
            deathSignal: SIGTERM,
            startsGroup: byMake
        )
        let note: @Sendable (String) -> Void = { line in
            lines.withLock { $0.append(line) }
            lines.broadcast()
        }
        command.output = .lines(note)
        command.errors = .lines(note)
        process = try Subprocess.start(command)
        self.ports = ports
        self.lines = lines
        let ready = lines.wait(timeout: Self.timeout) { lines -> Bool? in
            lines.contains { $0.hasPrefix("ready") } ? true : nil
        }
        guard ready == true else { throw Outcome.Failure(description: "no demo: \(lines.withLock { $0 })") }
    }

    deinit { _ = process.terminate(grace: Self.timeout) }

    static func arguments(_ scratch: ScratchFolder, _ ports: (users: UInt16, files: UInt16)) -> [String] {
        [
            "demo", "--state", scratch.path("state"), "--mount", scratch.path("mount"), "--users-port",
            "\(ports.users)", "--files-port", "\(ports.files)",
        ]
    }

    private static func makeArguments(_ scratch: ScratchFolder, _ options: String) throws -> [String] {
        try Files.createPrivateDirectory(scratch.path("build"), durable: false)
        guard let programs = realpath(RunningProgram.folder, nil) else { throw Errno.last }
        defer { free(programs) }
        guard symlink(programs, scratch.path("build/release")) == 0 else { throw Errno.last }
        let repository = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
        return ["-C", repository, "-o", "release", "run", "BUILD=\(scratch.path("build"))", "DEMO=\(options)"]
    }

    /// As Ctrl-C does. How it ended.
    func interrupt() -> Subprocess.Ending? {
        process.send(SIGINT)
        return process.wait(timeout: Self.timeout)
    }

    var said: [String] { lines.withLock { $0 } }

    /// Processes that were started with something of this demo among their arguments.
    var processes: [Int32] {
        ((try? Files.entries(of: "/proc")) ?? []).compactMap { Int32($0) }.filter { id in
            let words = (try? Files.readAll("/proc/\(id)/cmdline", max: 1 << 16)) ?? []
            return id != getpid() && String(decoding: words, as: UTF8.self).contains(scratch.path)
        }
    }

    /// Whether something is mounted there, dead or alive.
    var isMounted: Bool {
        let table = (try? Files.readAll("/proc/self/mountinfo", max: 1 << 20)) ?? []
        return String(decoding: table, as: UTF8.self).contains(" \(mount) ")
    }
}
