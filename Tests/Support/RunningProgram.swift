import DaleksCore
import DaleksJSON
public import DaleksSystem
import Glibc

/// One of our services as a process of its own.
public final class RunningProgram: Sendable {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    public let process: Subprocess
    public let port: UInt16
    /// What it said about itself when it was ready.
    private let facts: JSONValue

    /// Where the test bundle is, there the programs are.
    public static let folder: String = {
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments[0]
        let folder = bundle.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        // Some run from another folder than ours.
        guard !folder.hasPrefix("/"), let here = getcwd(nil, 0) else { return folder }
        defer { free(here) }
        return "\(String(cString: here))/\(folder)"
    }()

    private static func command(
        _ program: String,
        _ arguments: [String],
        _ environment: [String: String] = [:]
    ) -> Command {
        Command("\(folder)/\(program)", arguments, environment: environment, deathSignal: SIGKILL)
    }

    /// Runs a program to its end.
    public static func run(_ program: String, _ arguments: [String]) throws -> Subprocess.Captured {
        try Subprocess.capture(command(program, arguments), timeout: .seconds(20))
    }

    /// With `DALEKS_TEST_LOGS=FOLDER`, what programs say is kept there, a file for each kind.
    private static func keep(_ line: String, of program: String) {
        guard let folder = Environment.current["DALEKS_TEST_LOGS"],
            let log = try? FileDescriptor.open("\(folder)/\(program).log", O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
        else { return }
        try? log.writeAll(Array("\(line)\n".utf8))
    }

    /// Returns when the program said `ready`.
    public init(_ program: String, _ arguments: [String], environment: [String: String] = [:]) throws {
        let lines = Condition<[String]>([])
        var command = Self.command(program, arguments, environment)
        command.errors = .lines { line in
            lines.withLock { $0.append(line) }
            Self.keep(line, of: program)
            lines.broadcast()
        }
        process = try Subprocess.start(command)
        let ready = lines.wait(timeout: .seconds(20)) { $0.first { $0.contains("\"ready\"") } }
        guard let ready, let json = try? JSONValue.parse(ready) else {
            throw Failure(description: "\(program) did not start: \(lines.withLock { $0 })")
        }
        facts = json
        // A daemon has none.
        port = (try? JSONReader(json).string("port")).flatMap { UInt16($0) } ?? 0
    }

    deinit { process.send(SIGKILL) }

    public func fact(_ name: String) -> String { (try? JSONReader(facts).string(name)) ?? "" }
}
