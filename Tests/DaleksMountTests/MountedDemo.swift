import DaleksSystem
import DaleksTestSupport
import Glibc

/// The whole system on this machine, in processes of its own: this one may use the mount without waiting for itself.
final class MountedDemo {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private let folder: ScratchFolder
    private let options: String
    private let ports: [UInt16]
    private var process: ChildProcess?

    var mountPoint: String { folder.path("mount") }

    /// Ready to be used when this returns. A second one in the same folder finds what the first left.
    init(options: String = "", folder: ScratchFolder = ScratchFolder()) throws {
        self.folder = folder
        self.options = options
        ports = [try LoopbackSocket.freePort(), try LoopbackSocket.freePort()]
        try start()
    }

    func start() throws {
        var arguments = ["demo", "--state", folder.path("state"), "--mount", mountPoint]
        arguments += ["--users-port", "\(ports[0])", "--files-port", "\(ports[1])"]
        if !options.isEmpty { arguments += ["-o", options] }
        let process = try ChildProcess("\(RunningProgram.folder)/daleks", arguments)
        self.process = process
        do {
            _ = try process.line(within: .seconds(60)) { $0.hasPrefix("ready") }
        } catch {
            stop()
            throw error
        }
    }

    /// Sends what is unsent and unmounts.
    func stop() {
        process?.stop(within: .seconds(60))
        process = nil
        // Only where the demo did not end by itself: a dead mount would keep the scratch folder from being removed.
        _ = umount2(mountPoint, Int32(MNT_DETACH))
    }

    /// Makes this machine forget everything that the region knows.
    func forgetReplica() throws {
        for name in ["replica.db", "replica.db-wal", "replica.db-shm"] {
            _ = unlink(folder.path("state/client/\(name)"))
        }
        try Files.removeTree(folder.path("state/client/content"))
    }

    /// The last that the programs said, for reports of failures.
    var said: String { process?.lines.suffix(60).joined(separator: "\n") ?? "" }

    /// Runs a script by bash in the mount; its standard error too.
    func script(_ text: String, timeout: Duration = .seconds(60)) throws -> (isSuccess: Bool, output: String) {
        let path = try folder.write(text, to: "script")
        let command = Command(
            "/bin/bash",
            ["-c", "cd \"$0\" && . \"$1\" 2>&1", mountPoint, path],
            environment: Environment.current.merging(["HOME": folder.path("."), "LC_ALL": "C"]) { _, new in new },
            deathSignal: SIGKILL
        )
        let captured = try Subprocess.capture(command, timeout: timeout)
        return (captured.ending.isSuccess, String(decoding: captured.output, as: UTF8.self))
    }
}
