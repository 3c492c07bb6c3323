import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksUsers

/// `daleks login --device`, as the built program, and somebody with a browser.
struct DeviceVerbTests {
    private let folder = ScratchFolder()
    private let service: TestService

    init() throws {
        service = try TestService { settings in
            settings.oauthRule.devicePause = .seconds(1)
            settings.regions = [TestService.here]
        }
        try service.register()
    }

    private func command(_ words: [String]) -> Command {
        Command(
            "\(RunningProgram.folder)/daleks",
            words + ["--credentials", folder.path("credentials.json")],
            environment: ["HOME": folder.path("home"), "PATH": "/usr/bin:/bin"],
            deathSignal: SIGKILL
        )
    }

    /// Runs it, and gives its letters to somebody; how it ended, and what it printed.
    private func login(_ decision: String, _ more: [String] = []) throws -> (ending: Subprocess.Ending?, said: String) {
        let said = Condition("")
        var command = command(["login", "--device", "--users", service.url, "--allow-http"] + more)
        command.output = .lines { line in said.withLock { $0 += line + "\n" } }
        command.errors = .lines { line in
            said.withLock { $0 += line + "\n" }
            said.broadcast()
        }
        let process = try Subprocess.start(command)
        let letters = said.wait(timeout: .seconds(10)) { text in
            text.split(separator: "\n").map { String($0.drop { $0 == " " }) }.first {
                UserCode($0) != nil && $0.contains("-")
            }
        }
        let browser = Browser(service)
        _ = try browser.logIn(at: "/account")
        var form = try browser.get("/device").form("/device")
        form["user_code"] = try required(letters)
        var next = try browser.post("/device", form).form("/device/decision")
        next["decision"] = decision
        _ = try browser.post("/device/decision", next)
        let ending = process.wait(timeout: .seconds(20))
        // The last lines may come a moment after the end.
        _ = eventually(within: .seconds(2)) {
            said.withLock { $0.contains("Logged in") || $0.contains("daleks login:") }
        }
        return (ending, said.withLock { $0 })
    }

    @Test func `whoever types its letters lets this machine in, which works with files and not with the account`()
        throws
    {
        let outcome = try login("allow", ["--region", "here"])
        #expect(outcome.ending == .exited(0), "\(outcome.said)")
        #expect(outcome.said.contains("Open \(service.url)/device in a browser, on any machine, and type"))
        #expect(outcome.said.contains("Logged in as ann@example.com; your files are in region here."))

        func run(_ line: String) throws -> Subprocess.Captured {
            try Subprocess.capture(command(line.split(separator: " ").map(String.init)), timeout: .seconds(20))
        }
        #expect(try run("whoami").outputText.contains("ann@example.com in region here"))
        // It found out whose it is with the users service, and goes on with what it was given then.
        let admin = try run("admin users")
        #expect(admin.ending == .exited(1))
        #expect(try run("logout").ending == .exited(0))
    }

    @Test func `who is not let in hears so`() throws {
        let outcome = try login("deny")
        #expect(outcome.ending == .exited(1))
        #expect(outcome.said.contains("daleks login: the device was not let in"), "\(outcome.said)")
        let mixed = try Subprocess.capture(
            command(["login", "--device", "--email", "ann@example.com"]),
            timeout: .seconds(20)
        )
        #expect(mixed.errorText.contains("--device asks for no e-mail and no password"))
        let region = try Subprocess.capture(
            command(["login", "--device", "--users", service.url, "--region", "none"]),
            timeout: .seconds(20)
        )
        #expect(region.errorText.contains("there is no such region; there are: here"), "\(region.errorText)")
    }
}
