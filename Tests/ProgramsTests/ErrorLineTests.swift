import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// What goes wrong before a program works: one line that says what to do, and 2 for wrong usage, 1 for the rest.
@Suite(.serialized)
struct ErrorLineTests {
    private let scratch = ScratchFolder()
    private let daleks = Program(name: "daleks")
    private let daleksd = Program(name: "daleksd")
    private let users = Program(name: "daleks-users")
    private let files = Program(name: "daleks-files")

    private func usersArguments(_ state: String, port: UInt16 = 0) -> [String] {
        ["--state", scratch.path(state), "--port", "\(port)", "--region", "local=http://files.example"]
    }

    private func filesArguments(_ state: String, port: UInt16 = 0) -> [String] {
        ["--state", scratch.path(state), "--port", "\(port)", "--users-url", "http://users.example"]
    }

    private func exists(_ name: String) -> Bool { access(scratch.path(name), F_OK) == 0 }

    @Test func `an unknown flag is wrong usage, for each program and each command`() throws {
        for program in [daleks, daleksd, users, files] {
            try program.run(["--no-such-flag"]).expectLine(2, "--no-such-flag", "--help")
        }
        for verb in ["demo", "login", "mount", "status"] {
            try daleks.run([verb, "--no-such-flag"]).expectLine(2, "--no-such-flag", "daleks \(verb) --help")
        }
        try daleks.run(["no-such-command"]).expectLine(2, "no-such-command", "--help")
        try daleksd.run(["-o", "no_such_option"]).expectLine(2, "no_such_option", "allow_other")
        try daleksd.run(["a", "b"]).expectLine(2, "\"b\"", "usage")
        try users.run(["b"]).expectLine(2, "\"b\"", "usage")
        try files.run(["b", "--users-url", "http://users.example"]).expectLine(2, "\"b\"", "usage")
    }

    @Test func `a port in use is said with the flag that chooses another, and nothing is made`() throws {
        let listener = try LoopbackSocket.listen()
        let taken = try LoopbackSocket.port(of: listener)
        let free = try LoopbackSocket.freePort()

        try users.run(usersArguments("users", port: taken)).expectLine(1, "port \(taken)", "--port")
        try files.run(filesArguments("files", port: taken)).expectLine(1, "port \(taken)", "--port")
        #expect(!exists("users/users.db") && !exists("files/files.db"))
        guard Requirement.fuse.isMet else { return }
        try daleks.run(Demo.arguments(scratch, (users: taken, files: free)))
            .expectLine(1, "port \(taken)", "--users-port")
        try daleks.run(Demo.arguments(scratch, (users: free, files: taken)))
            .expectLine(1, "port \(taken)", "--files-port")
    }

    @Test func `a state folder that cannot be one is said with the flag that chooses another`() throws {
        try scratch.write("text", to: "file")

        for state in ["file", "file/below"] {
            try users.run(usersArguments(state)).expectLine(1, scratch.path(state), "--state")
            try files.run(filesArguments(state)).expectLine(1, scratch.path(state), "--state")
            guard Requirement.fuse.isMet else { continue }
            try daleks.run(["demo", "--state", scratch.path(state)]).expectLine(1, scratch.path(state), "--state")
        }
    }

    @Test func `a state folder that an ordinary user may not write to is said as well`() throws {
        let folder = scratch.path("closed")
        try Files.createPrivateDirectory(folder, durable: false)
        #expect(chmod(folder, geteuid() == 0 ? 0o755 : 0o500) == 0)
        let probe = try Program.copied("daleks-users", into: scratch)
        guard try probe.run(["--version"]).captured.ending == .exited(0) else {
            print("skipped: an ordinary user cannot run what was built here")
            return
        }

        for state in ["closed", "closed/below"] {
            try probe.run(usersArguments(state)).expectLine(1, scratch.path(state), "--state")
            let files = try Program.copied("daleks-files", into: scratch)
            try files.run(filesArguments(state)).expectLine(1, scratch.path(state), "--state")
            guard Requirement.fuse.isMet else { continue }
            let daleks = try Program.copied("daleks", into: scratch)
            try daleks.run(["demo", "--state", scratch.path(state)]).expectLine(1, scratch.path(state), "--state")
        }
    }

    @Test func `a second service on the same state names the process that has it`() throws {
        let first = try RunningProgram("daleks-users", usersArguments("users"))
        try users.run(usersArguments("users")).expectLine(1, "process \(first.process.processID)", "--state")
        // The usual mistake: everything alike.
        try users.run(usersArguments("users", port: first.port)).expectLine(1, "process", "--state")

        let second = try RunningProgram("daleks-files", filesArguments("files"))
        try files.run(filesArguments("files")).expectLine(1, "process \(second.process.processID)", "--state")
    }

    @Test func `whoever is not logged in is told to log in`() throws {
        try daleksd.run(["--credentials", scratch.path("none"), scratch.path]).expectLine(1, "daleks login")
        guard Requirement.fuse.isMet else { return }
        try daleks.run(["mount", "--credentials", scratch.path("none"), scratch.path]).expectLine(1, "daleks login")
    }

    @Test(.needs(.fuse)) func `what is in the way of a mount is said in one line`() throws {
        // One for all: it takes seconds to begin and to end.
        let demo = try Demo()
        try refuseMountPoints(demo)
        try refuseStates(demo)
        if geteuid() == 0 {
            try missDevice(demo)
            try refuseOrdinaryUser(demo)
        } else {
            print("skipped: only root can hide /dev/fuse and become somebody else")
        }
        #expect(demo.interrupt() == .exited(0))
    }

    /// The daemon and the command that starts it say the same.
    private func expectLine(_ demo: Demo, at point: String, state: String = "other", _ words: [String]) throws {
        let scratch = demo.scratch
        let arguments = ["--credentials", demo.credentials, "--state", scratch.path(state), scratch.path(point)]
        for outcome in try [daleksd.run(arguments), daleks.run(["mount"] + arguments)] {
            for word in words { outcome.expectLine(1, word) }
        }
    }

    private func refuseMountPoints(_ demo: Demo) throws {
        let scratch = demo.scratch
        try Files.createPrivateDirectory(scratch.path("full"), durable: false)
        try scratch.write("text", to: "full/letter")
        try scratch.write("text", to: "file")
        try expectLine(demo, at: "mount", [demo.mount, "already", "another folder"])
        try expectLine(demo, at: "full", [scratch.path("full"), "not empty", "name an empty folder"])
        try expectLine(demo, at: "file", [scratch.path("file"), "not a folder", "name one"])
        try expectLine(demo, at: "none", [scratch.path("none"), "mkdir -p"])
        // As mount.daleks starts it, but with nothing that is open.
        let words = ["--credentials", demo.credentials, "--state", scratch.path("other"), "--connection", "77"]
        try daleksd.run(words + [scratch.path("full")]).expectLine(1, "descriptor 77", scratch.path("full"))
    }

    private func refuseStates(_ demo: Demo) throws {
        let scratch = demo.scratch
        try Files.createPrivateDirectory(scratch.path("empty"), durable: false)
        try expectLine(demo, at: "empty", state: "file", [scratch.path("file"), "--state"])
        // A second daemon, and a second demonstration, on the state of the first.
        let state = ["--credentials", demo.credentials, "--state", scratch.path("state/client")]
        try daleksd.run(state + [scratch.path("empty")]).expectLine(1, "process", "--state")
        let second = try daleks.run(["mount"] + state + [scratch.path("empty")])
        second.expectLine(1, demo.mount, "daleks umount", "--profile")
        try daleks.run(Demo.arguments(scratch, demo.ports))
            .expectLine(1, "process \(demo.process.processID)", "end it, or choose another folder with --state")
    }

    private func missDevice(_ demo: Demo) throws {
        let scratch = demo.scratch
        let arguments = ["--credentials", demo.credentials, "--state", scratch.path("other"), scratch.path("empty")]
        let (daleks, daleksd) = (
            Program(name: "daleks", lacksDevices: true), Program(name: "daleksd", lacksDevices: true)
        )
        try daleks.run(["demo", "--state", scratch.path("third")]).expectLine(1, "/dev/fuse", "modprobe")
        try daleks.run(["mount"] + arguments)
            .expectLine(1, "/dev/fuse is missing: load the kernel's fuse module (`modprobe fuse`)", "pass the device")
        try daleksd.run(arguments).expectLine(1, "/dev/fuse", "modprobe")
    }

    /// He has a log-in and a state of his own; the folder is root's, and so may the device be.
    private func refuseOrdinaryUser(_ demo: Demo) throws {
        let scratch = demo.scratch
        let program = try Program.copied("daleksd", into: scratch)
        guard try program.run(["--version"]).captured.ending == .exited(0) else {
            print("skipped: an ordinary user cannot run what was built here")
            return
        }
        for name in ["theirs", "theirs/state"] { try Files.createPrivateDirectory(scratch.path(name), durable: false) }
        try scratch.write(Files.readAll(demo.credentials, max: 1 << 20), to: "theirs/credentials.json")
        for name in ["theirs", "theirs/state", "theirs/credentials.json"] {
            #expect(chown(scratch.path(name), 65_534, 65_534) == 0)
        }
        #expect(chmod(scratch.path("empty"), 0o755) == 0)

        try program.run([
            "--credentials", scratch.path("theirs/credentials.json"), "--state", scratch.path("theirs/state"),
            scratch.path("empty"),
        ]).expectLine(1, "daleksd: ")
    }
}
