import DaleksCore
import DaleksJSON
import DaleksSystem
import Glibc
import Testing

/// The built `daleks-files` as a process of its own.
final class RunningProgram: Sendable {
    let process: Subprocess
    let port: UInt16
    let url: String

    /// Where the test bundle is, there the programs are.
    private static let program: String = {
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments[0]
        return bundle.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
            + "/daleks-files"
    }()

    private static func command(_ arguments: [String]) -> Command {
        Command(program, arguments, environment: [:], deathSignal: SIGKILL)
    }

    /// Runs to its end.
    static func run(_ arguments: [String]) throws -> Subprocess.Captured {
        try Subprocess.capture(command(arguments), timeout: .seconds(20))
    }

    /// Returns when it said `ready`.
    init(_ arguments: [String]) throws {
        let lines = Condition<[String]>([])
        var command = Self.command(arguments)
        command.errors = .lines { line in
            lines.withLock { $0.append(line) }
            lines.broadcast()
        }
        process = try Subprocess.start(command)
        let ready = lines.wait(timeout: .seconds(20)) { $0.first { $0.contains("\"ready\"") } }
        guard let ready, let json = try? JSONValue.parse(ready) else {
            throw TestFailure("daleks-files did not start: \(lines.withLock { $0 })")
        }
        let reader = JSONReader(json)
        port = UInt16(try reader.string("port")) ?? 0
        url = try reader.string("url")
    }

    deinit { process.send(SIGKILL) }
}
