import DaleksSystem
import Glibc

/// An S3 service for tests on a free port of 127.0.0.1, gone with this process: `rclone serve s3` over a folder, which
/// checks signatures, or moto, which holds everything in memory and answers as AWS does.
///
/// The programs come from a virtual environment under the build folder that `Tests/venv` makes once; where that cannot
/// be made (no network, no venv module), `unavailability` says why, for a test to skip with.
public final class S3StandIn: Sendable {
    public enum Program: String, Sendable, CaseIterable {
        case rclone, moto
    }

    public let endpoint: String
    public let port: UInt16
    /// rclone refuses very short ones.
    public let accessKey = "DALEKSTESTACCESS"
    public let secretKey = "daleks-test-secret-key"
    /// Its buckets are the folders in here.
    public let folder: String
    private let process: ChildProcess

    /// Nil when it can be started.
    public static let unavailability: String? = {
        if case .failure(let failure) = program { failure.description } else { nil }
    }()

    private static let program: Result<String, ChildProcess.Failure> = PythonTools.programs

    /// Serves `folder`, which must exist, with the buckets named.
    public init(_ program: Program = .rclone, folder: String, buckets: [String] = []) throws {
        let programs = try Self.program.get()
        port = try LoopbackSocket.freePort()
        endpoint = "http://127.0.0.1:\(port)"
        self.folder = folder
        guard program == .rclone else {
            process = try ChildProcess("\(programs)/moto_server", ["-H", "127.0.0.1", "-p", "\(port)"])
            try process.listening(on: port, within: .seconds(60))
            for bucket in buckets {
                let making = try ChildProcess("/usr/bin/curl", ["-fsS", "-X", "PUT", "\(endpoint)/\(bucket)"])
                guard making.wait(within: .seconds(30)) == 0 else {
                    throw ChildProcess.Failure(description: "moto made no bucket: \(making.lines)")
                }
            }
            return
        }
        for bucket in buckets { try checking { mkdir("\(folder)/\(bucket)", 0o700) } }
        process = try ChildProcess(
            "\(programs)/rclone",
            [
                "serve", "s3", "--auth-key", "\(accessKey),\(secretKey)", "--addr", "127.0.0.1:\(port)",
                // Nobody else changes the folder, so what rclone knows of it stays true. Never shorten this time: a
                // folder's timer runs for twice as long, and at 0s rclone 1.75 starts it anew at once, millions of
                // times a minute, until requests of any client wait for seconds behind it (`kill -QUIT` shows them).
                "--vfs-cache-mode", "off", "--dir-cache-time", "1000h", folder,
            ],
            environment: ["RCLONE_CONFIG": "/dev/null"]
        )
        try process.listening(on: port, within: .seconds(20))
    }

    deinit { process.stop() }

    /// As a power cut would: no last words.
    public func kill() {
        process.send(signal: SIGKILL)
        _ = process.wait(within: .seconds(5))
    }

    public func stop() { process.stop() }
}
