import DaleksSystem
import Glibc

/// A mounted `lossy-disk`, a process of its own.
public final class RunningDisk {
    public let path: String
    private let process: Subprocess
    private let mountedCount: Condition<Int>

    public init(path: String, seed: UInt64) throws {
        self.path = path
        try Files.createPrivateDirectory(path)
        let count = Condition(0)
        mountedCount = count
        var command = Command("\(RunningProgram.folder)/lossy-disk", [path, "\(seed)"], deathSignal: SIGTERM)
        command.output = .lines { line in
            guard line == "mounted" else { return print("lossy-disk: \(line)") }
            count.withLock { $0 += 1 }
            count.broadcast()
        }
        process = try Subprocess.start(command)
        try waitUntilMounted(1)
    }

    private func waitUntilMounted(_ times: Int) throws {
        guard mountedCount.wait(timeout: .seconds(20), until: { $0 >= times ? true : nil }) == true else {
            throw RunningProgram.Failure(description: "the lossy disk did not mount")
        }
    }

    /// What was not synchronised may be gone when this returns. Nobody may have anything open there.
    public func cutPower() throws {
        let times = mountedCount.withLock { $0 }
        process.send(SIGUSR1)
        try waitUntilMounted(times + 1)
    }

    deinit {
        process.send(SIGTERM)
        if process.wait(timeout: .seconds(10)) == nil { process.send(SIGKILL) }
        _ = umount2(path, 2)
    }
}
