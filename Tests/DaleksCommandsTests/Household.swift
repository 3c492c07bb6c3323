import DaleksCore
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Glibc

/// A users service, a region, and people who use `daleks` from shells of their own.
final class Household: Sendable {
    let scratch = ScratchFolder()
    let users: RunningProgram
    let files: RunningProgram
    let usersURL: String
    let filesURL: String
    /// What starts the region, and starts it again where a test ended it.
    let filesCommand: [String]

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Services are slow to start and quick to use: all tests share these, each with accounts of its own.
    static let shared = Result { try Household() }

    init() throws {
        let ports = (try LoopbackSocket.freePort(), try LoopbackSocket.freePort())
        usersURL = "http://127.0.0.1:\(ports.0)"
        filesURL = "http://127.0.0.1:\(ports.1)"
        users = try RunningProgram(
            "daleks-users",
            [
                "--state", scratch.path("users"), "--port", "\(ports.0)", "--issuer", usersURL, "--region",
                "local=\(filesURL)", "--registration", "open",
                // All these people come from one address.
                "--attempts-per-address", "1000", "--registrations-per-hour", "1000",
            ]
        )
        filesCommand = [
            "daleks-files", "--state", scratch.path("files"), "--port", "\(ports.1)", "--region", "local",
            "--users-url", usersURL, "--public-url", filesURL,
        ]
        files = try RunningProgram(filesCommand[0], Array(filesCommand.dropFirst()))
    }

    /// Somebody with an account and a home folder.
    func person(_ name: String = "p" + Hex.encode(Random.bytes(count: 6))) throws -> Person {
        let person = Person(name: name, home: scratch.path(name))
        try Files.createPrivateDirectory(person.home, durable: false)
        let words = "login --users \(usersURL) --region local --email \(person.email) --password-stdin --register"
        try person.run(words.split(separator: " ").map(String.init), input: Person.password + "\n").expectSuccess()
        return person
    }
}

/// One who types commands.
struct Person: Sendable {
    static let password = "correct horse battery staple"

    let name: String
    let home: String
    var environment: [String: String] = [:]
    var email: String { "\(name)@example.com" }

    /// In the person's home, where they keep files of their own.
    func command(_ words: [String]) -> Command {
        // A shell changes the folder; what it becomes then is the program.
        Command(
            "/bin/sh",
            ["-c", "cd \"$HOME\" && exec \"$0\" \"$@\"", "\(RunningProgram.folder)/daleks"] + words,
            environment: ["HOME": home, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TZ": "UTC"].merging(environment) {
                $1
            },
            deathSignal: SIGKILL
        )
    }

    func run(_ words: [String], input: String? = nil) throws -> Outcome {
        var command = command(words)
        if let input { command.input = .bytes(Array(input.utf8)) }
        return Outcome(
            words: words.joined(separator: " "),
            captured: try Subprocess.capture(command, timeout: .seconds(60))
        )
    }

    /// What it printed, where it did what it was told.
    @discardableResult
    func done(_ line: String, input: String? = nil) throws -> String {
        let outcome = try run(line.split(separator: " ").map(String.init), input: input)
        try outcome.expectSuccess()
        return outcome.captured.outputText
    }

    /// The line in which it said why it did not.
    func refused(_ line: String, code: Int32 = 1, input: String? = nil) throws -> String {
        let outcome = try run(line.split(separator: " ").map(String.init), input: input)
        let text = outcome.captured.errorText
        guard outcome.captured.ending == .exited(code), text.split(separator: "\n").count == 1,
            text.hasPrefix("daleks \(line.prefix { $0 != " " }): "), outcome.captured.outputText.isEmpty
        else { throw Household.Failure(description: "\(line): \(outcome.captured)") }
        return text
    }

    func json(_ line: String, input: String? = nil) throws -> JSONReader {
        JSONReader(try JSONValue.parse(Array(try done(line + " --json", input: input).utf8)))
    }

    func path(_ file: String) -> String { "\(home)/\(file)" }
    func write(_ bytes: [UInt8], to file: String) throws {
        try Files.writeAtomically(path(file), bytes, mode: 0o644, durable: false)
    }
    func read(_ file: String) throws -> [UInt8] { try Files.readAll(path(file), max: 1 << 30) }
}

struct Outcome {
    let words: String
    let captured: Subprocess.Captured

    func expectSuccess() throws {
        guard captured.ending == .exited(0) else {
            throw Household.Failure(description: "\(words): \(captured.ending): \(captured.errorText)")
        }
    }
}
