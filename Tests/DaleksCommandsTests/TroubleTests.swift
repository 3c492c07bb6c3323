import DaleksCore
import DaleksHTTP
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// What people meet when something is in the way: one line of its own for each, that says what to do.
struct TroubleTests {
    private let house: Household
    private let ann: Person

    init() throws {
        house = try Household.shared.get()
        ann = try house.person()
    }

    private func login(_ person: Person, _ words: String, password: String = Person.password) throws -> String {
        try person.refused("login --email \(person.email) --password-stdin \(words)", input: password + "\n")
    }

    @Test func `a wrong password, a users service that does not answer, a region that is none`() throws {
        let users = "--users \(house.usersURL)"
        #expect(try login(ann, "\(users) --region local", password: "wrong").contains("password is wrong"))
        #expect(try login(ann, "\(users) --region none").contains("there is no such region; there are: local"))
        let port = try LoopbackSocket.freePort()
        let line = try login(ann, "--users http://127.0.0.1:\(port) --region local")
        #expect(line.contains("http://127.0.0.1:\(port) cannot be reached"))
    }

    @Test func `without TLS nothing goes to another machine, unless one says so`() throws {
        let far = "http://daleks.example"
        #expect(try login(ann, "--users \(far)").contains("\(far) has no TLS, and everybody on the way could read"))
        #expect(try ann.refused("regions --users \(far)").contains("name it with https://"))
        let first = try ann.refused(
            "admin first token --users \(far) --email a@example.com --password-stdin",
            input: "x\n"
        )
        #expect(first.contains("\(far) has no TLS"))
        let region = try ann.refused("admin regions add far --url \(far)")
        #expect(region.contains("\(far) has no TLS") && region.contains("or add --allow-http"))

        // An address of this machine that nobody takes for one: all that is asked there would be answered.
        let users = house.usersURL.replacing("127.0.0.1", with: "0.0.0.0")
        #expect(try login(ann, "--users \(users)").contains("\(users) has no TLS"))
        let path = ann.path(".config/daleks/default.json")
        let text = String(decoding: try Files.readAll(path, max: 1 << 20), as: UTF8.self)
        let moved = text.replacing(house.filesURL, with: house.filesURL.replacing("127.0.0.1", with: "0.0.0.0"))
        try Files.writeAtomically(path, Array(moved.utf8), mode: 0o600, durable: false)
        #expect(try ann.refused("ls").contains("has no TLS"))
        #expect(try ann.run(["doctor"]).captured.outputText.contains("has no TLS: nothing is sent there"))
        #expect(try ann.refused("mount").contains("has no TLS"))

        let allowed = "login --email \(ann.email) --password-stdin --users \(users) --allow-http"
        try ann.done(allowed, input: Person.password + "\n")
        #expect(try ann.done("shared") == "")
        #expect(try ann.done("ls") == "")
    }

    @Test func `a region that does not answer`() throws {
        let port = try LoopbackSocket.freePort()
        let path = ann.path(".config/daleks/default.json")
        let text = String(decoding: try Files.readAll(path, max: 1 << 20), as: UTF8.self)
        let other = text.replacing(house.filesURL, with: "http://127.0.0.1:\(port)")
        try Files.writeAtomically(path, Array(other.utf8), mode: 0o600, durable: false)

        #expect(try ann.refused("ls").contains("cannot be reached"))
        #expect(try ann.refused("ls").contains("let `daleks doctor` look for the cause"))
    }

    @Test func `a quota that is used up`() throws {
        let port = try LoopbackSocket.freePort()
        let url = "http://127.0.0.1:\(port)"
        let small = try RunningProgram(
            "daleks-files",
            [
                "--state", house.scratch.path("small\(port)"), "--port", "\(port)", "--region", "local", "--users-url",
                house.usersURL, "--public-url", house.filesURL, "--quota", "1MiB",
            ]
        )
        defer { withExtendedLifetime(small) {} }
        let path = ann.path(".config/daleks/default.json")
        let text = String(decoding: try Files.readAll(path, max: 1 << 20), as: UTF8.self)
        let moved = text.replacing(house.filesURL, with: url)
        try Files.writeAtomically(path, Array(moved.utf8), mode: 0o600, durable: false)
        try ann.write([UInt8](repeating: 7, count: 2 << 20), to: "large")

        #expect(try ann.refused("put large /").contains("your quota is used up; make room with `daleks rm`"))
    }

    @Test func `a share that was taken back`() throws {
        let bob = try house.person()
        try ann.done("put - /plan", input: "ours")
        try ann.done("share /plan \(bob.email) --can read")
        let node = try ann.json("ls /").array("entries")[0].object("node").string("id")
        #expect(try bob.done("get node:\(node) -") == "ours")
        try ann.done("unshare /plan \(bob.email)")

        #expect(try bob.refused("get node:\(node) -").contains("there is no such file or folder"))
    }

    @Test func `a disk without room`() throws {
        guard geteuid() == 0 else { return }
        try ann.write([UInt8](repeating: 7, count: 2 << 20), to: "large")
        try ann.done("put large /")
        try Files.createPrivateDirectory(ann.path("small"), durable: false)
        let script = "mount -t tmpfs -o size=1m none '\(ann.path("small"))' && exec \"$@\""
        let command = Command(
            "unshare",
            ["--mount", "--", "sh", "-c", script, "sh"]
                + ["\(RunningProgram.folder)/daleks", "get", "/large", ann.path("small/")],
            environment: ["HOME": ann.home, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]
        )
        let captured = try Subprocess.capture(command, timeout: .seconds(30))

        #expect(captured.ending == .exited(1))
        #expect(captured.errorText.contains("No space left on device"), "\(captured.errorText)")
    }

    @Test func `a clock that is a day off`() throws {
        // A region that is a day ahead of this machine.
        let listener = try LoopbackSocket.listen()
        let (raw, port) = (listener.raw, try LoopbackSocket.port(of: listener))
        let tomorrow = HTTPDate.text(TimeSource.system.wall + .seconds(86_400))
        let server = Thread(name: "tomorrow") {
            while let client = try? LoopbackSocket.accept(from: raw) {
                var request = [UInt8](repeating: 0, count: 4_096)
                _ = recv(client.raw, &request, request.count, 0)
                let head = "HTTP/1.1 200 OK\r\nDate: \(tomorrow)\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                try? client.writeAll(Array(head.utf8))
            }
        }
        defer {
            shutdown(raw, Int32(SHUT_RDWR))
            server.join()
        }
        let path = ann.path(".config/daleks/default.json")
        let text = String(decoding: try Files.readAll(path, max: 1 << 20), as: UTF8.self)
        let moved = text.replacing(house.filesURL, with: "http://127.0.0.1:\(port)")
        try Files.writeAtomically(path, Array(moved.utf8), mode: 0o600, durable: false)

        let report = try ann.run(["doctor"]).captured
        #expect(report.ending == .exited(1))
        let line = report.outputText.split(separator: "\n").first { $0.hasPrefix("BROKEN   clock") } ?? ""
        // The date has whole seconds.
        #expect(line.hasSuffix("is 24:00:00 slow") || line.hasSuffix("is 23:59:59 slow"), "\(report.outputText)")
        #expect(report.outputText.contains("timedatectl set-ntp true"))
    }

    @Test(.needs(.fuse)) func `a mount that is in use, and one that is there already`() throws {
        let here = ann.path("daleks")
        try Files.createPrivateDirectory(here, durable: false)
        try Files.createPrivateDirectory(ann.path("other"), durable: false)
        try ann.done("mount")
        defer { _ = try? ann.run(["umount", "--force"]) }

        #expect(try ann.done("mount").contains("\(here) is mounted already."))
        let line = try ann.refused("mount \(ann.path("other"))")
        #expect(line.contains("mounted at \(here); run `daleks umount` first"))

        let sleeper = try Subprocess.start(Command("/bin/sh", ["-c", "cd '\(here)' && exec sleep 60"]))
        defer { _ = sleeper.terminate(grace: .zero) }
        #expect(eventually { ProcessTable.users(of: here).contains { $0.name == "sleep" } })
        let refusal = try ann.refused("umount")
        #expect(refusal.contains("\(here) is in use by sleep (process "), "\(refusal)")
        #expect(try ann.done("umount --force").contains("Unmounted"))
        #expect(try ann.refused("status").contains("nothing is mounted"))
        #expect(try ann.done("mount").contains("Mounted at"))
    }
}
