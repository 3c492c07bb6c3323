import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// `doctor`: each finding that can be provoked.
@Suite struct DoctorTests {
    private let house: Household
    private let ann: Person

    init() throws {
        house = try Household.shared.get()
        ann = try house.person()
    }

    private func broken(_ person: Person, _ words: [String] = []) throws -> [String: String] {
        let outcome = try person.run(["doctor", "--json"] + words)
        let report = JSONReader(try JSONValue.parse(outcome.captured.output))
        var broken: [String: String] = [:]
        for finding in try report.array("findings") where try finding.string("level") == "broken" {
            let cure = try finding.optionalString("cure") ?? ""
            #expect(!cure.isEmpty, "a finding without a cure: \(finding)")
            broken[try finding.string("check")] = try finding.string("text") + " | " + cure
        }
        #expect(outcome.captured.ending == .exited(broken.isEmpty ? 0 : 1))
        return broken
    }

    /// Changes something in the file of the log-in.
    private func rewrite(_ old: String, _ new: String) throws {
        let path = ann.path(".config/daleks/default.json")
        let text = String(decoding: try Files.readAll(path, max: 1 << 20), as: UTF8.self)
        try Files.writeAtomically(path, Array(text.replacing(old, with: new).utf8), mode: 0o600, durable: false)
    }

    @Test func `the way to the services is fine where they answer`() throws {
        let found = try broken(ann)

        for check in ["login", "dns", "tls", "users", "region", "clock", "token", "cache", "daemon"] {
            #expect(found[check] == nil, "\(found)")
        }
    }

    @Test func `nobody logged in`() throws {
        let stranger = Person(name: "stranger", home: ann.path("stranger"))
        try Files.createPrivateDirectory(stranger.home, durable: false)

        #expect(try broken(stranger)["login"]?.contains("daleks login") == true)
    }

    @Test func `a service that nobody finds or reaches`() throws {
        let port = try LoopbackSocket.freePort()
        try rewrite(house.usersURL, "http://127.0.0.1:\(port)")
        #expect(try broken(ann)["users"]?.contains("127.0.0.1:\(port) cannot be reached") == true)

        try rewrite("http://127.0.0.1:\(port)", "http://users.invalid")
        #expect(try broken(ann)["dns"]?.contains("users.invalid has no address") == true)
    }

    @Test func `a log-in that has ended`() throws {
        let text = String(decoding: try ann.read(".config/daleks/default.json"), as: UTF8.self)
        try ann.done("logout")
        // As it was, with a token that the service has forgotten and one that is of no use either.
        let ended = text.replacing(/"access_token":"[^"]*"/, with: "\"access_token\":\"x\"")
        try Files.writeAtomically(ann.path(".config/daleks/default.json"), Array(ended.utf8), durable: false)

        #expect(try broken(ann)["token"]?.contains("daleks login") == true)
    }

    @Test func `a machine without the device`() throws {
        guard geteuid() == 0 else { return }
        let script = "mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && cd \"$HOME\" && exec \"$@\""
        let command = Command(
            "unshare",
            ["--mount", "--", "sh", "-c", script, "sh", "\(RunningProgram.folder)/daleks", "doctor"],
            environment: ["HOME": ann.home, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]
        )
        let captured = try Subprocess.capture(command, timeout: .seconds(30))

        #expect(captured.ending == .exited(1))
        #expect(captured.outputText.contains("BROKEN   fuse: /dev/fuse cannot be opened"))
        #expect(captured.outputText.contains("modprobe fuse"))
    }

    @Test func `an ordinary user without the helper, and with a state folder of somebody else`() throws {
        guard geteuid() == 0 else { return }
        let folder = ann.path("closed")
        try Files.createPrivateDirectory(folder, durable: false)
        var command = ann.command(["doctor", "--all", "--state", folder])
        command = Command(
            "/usr/bin/setpriv",
            ["--reuid=65534", "--regid=65534", "--clear-groups", "--", command.program] + command.arguments,
            environment: ["HOME": ann.home, "PATH": "/nonexistent"]
        )
        let captured = try Subprocess.capture(command, timeout: .seconds(30))
        // Where an ordinary user cannot even run what was built here, there is nothing to see.
        guard captured.ending == .exited(1), captured.outputText.contains("fusermount3") else { return }
        #expect(captured.outputText.contains("sudo apt install fuse3"))
    }
}
