import DaleksCore
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// What `daleks` says where something is wrong, each in its own words: those that no other test provokes.
/// `SaidTests` knows which there are.
struct MessageTests {
    private let house: Household
    private let ann: Person

    init() throws {
        house = try Household.shared.get()
        ann = try house.person()
    }

    private func stranger() throws -> Person {
        let stranger = Person(name: "stranger", home: ann.path("stranger"))
        try Files.createPrivateDirectory(stranger.home, durable: false)
        return stranger
    }

    /// Changes something in the file of the log-in.
    private func rewrite(_ old: String, _ new: String) throws {
        let path = ann.path(".config/daleks/default.json")
        let text = String(decoding: try Files.readAll(path, max: 1 << 20), as: UTF8.self)
        try Files.writeAtomically(path, Array(text.replacing(old, with: new).utf8), mode: 0o600, durable: false)
    }

    @Test(arguments: [
        ("service start", "start is not one of status, install, enable and disable"),
        ("login", "say who you are with --email"),
        ("login --email a@example.com", "give the password on standard input, with --password-stdin"),
        ("umount --drain --now", "--drain and --now contradict each other"),
        ("trash lose", "lose is not one of ls, restore and empty"),
        ("trash ls more", "`trash ls` takes nothing more"),
        ("trash restore", "say what to bring back: a name or an id that `daleks trash` lists"),
        ("trash empty", "this cannot be undone; add --yes"),
        ("rm -r /", "/ is the root; it is not removed"),
        ("mv / /else", "/ is the root; it is not moved"),
        ("mkdir /", "/ is the root; name something in it"),
        ("get node:xyz -", "xyz is not an id, which is 32 digits 0-9 and a-f"),
        ("ls /a/../b", "write the path without .."),
        ("share / bob --can fly", "--can: fly is not a list of read"),
        ("share / bob --expires soon", "--expires: soon is neither a while such as 7d or 12h, nor a day"),
        ("share / bob --expires 2020-01-31", "--expires: 2020-01-31 is past"),
        ("links revoke", "say which link to end: an id that `daleks links` lists"),
        ("links / more", "`links revoke ID` ends a link"),
        ("public / maybe", "say on or off, and not maybe"),
        ("man nothing", "nothing is not a command; `daleks --help` lists them"),
        ("completion csh", "csh is not one of bash, zsh and fish"),
        ("top --interval 1ms", "--interval must be at least 100ms"),
        ("restore /a --dry-run", "--dry-run goes with --at TIME"),
        ("restore /a --at noon", "--at: noon is neither a while ago such as 2h or 3d, nor a time"),
        ("restore /a --at 2999-01-01", "--at: 2999-01-01 is to come"),
        ("restore /a", "write PATH@N, where N is a number that `daleks versions PATH` lists"),
        ("admin clients paint", "clients has no action paint; see `daleks admin`"),
        ("admin clients add robot", "a program has --name, --grants and --scope"),
        ("admin users show", "the user is missing; see `daleks admin`"),
        ("admin users paint", "users has no action paint; see `daleks admin`"),
        ("admin users set ann", "say what to change: --name, --handle, --role or --quota"),
        ("admin keys paint", "keys has no action paint; see `daleks admin`"),
        ("admin tokens paint", "tokens has one action: inspect"),
        ("admin first token", "say whose account with --email"),
        ("admin regions paint", "regions has no action paint; see `daleks admin`"),
        ("admin regions add nz", "name the files URL with --url"),
        ("admin regions set nz", "say what to change: --name or --url"),
    ])
    func `what was not understood is said, and how it is written`(line: String, words: String) throws {
        let said = try ann.refused(line, code: 2)
        #expect(said.contains(words), "\(said)")
    }

    @Test func `what is no command is said, and what there is`() throws {
        func said(_ line: String) throws -> Subprocess.Captured {
            try ann.run(line.split(separator: " ").map(String.init)).captured
        }
        #expect(try said("paint").errorText == "daleks: paint is not a command; `daleks --help` lists them\n")
        let option = try said("--json").errorText
        #expect(option.contains("--json is not an option here: a command comes first; `daleks --help`"))
        #expect(try said("admin").errorText.contains("say what to administer\n\n  daleks admin first TOKEN"))
        #expect(try said("admin paint").errorText.contains("paint is nothing to administer\n\n  daleks admin"))
        #expect(try ann.refused("admin tokens inspect", input: "").contains("standard input held no token"))
        let login = try ann.refused("login --email a --password-stdin", input: "")
        #expect(login.contains("standard input held no password"))
        let long = String(repeating: "n", count: 256)
        #expect(try ann.refused("ls /\(long)", code: 2).contains("a name has 1 to 255 bytes"))
        let homeless = try Subprocess.capture(
            Command("\(RunningProgram.folder)/daleks", ["service"], environment: ["PATH": "/usr/bin:/bin"]),
            timeout: .seconds(20)
        )
        #expect(homeless.errorText.contains("HOME is not set, so nobody knows where units are; set it"))
    }

    @Test func `nobody who is logged in, and nothing that is mounted`() throws {
        let stranger = try stranger()
        let regions = try stranger.refused("regions", code: 2)
        #expect(regions.contains("name the users service with --users, or log in first"))
        #expect(try stranger.refused("whoami").contains("nobody is logged in here; run `daleks login` first"))
        #expect(try stranger.refused("service enable").contains("nobody is logged in here; run `daleks login` first"))
        #expect(try ann.refused("status").contains("nothing is mounted for this profile; run `daleks mount`"))
        #expect(try ann.refused("status \(ann.home)").contains("\(ann.home) is not in a Daleks mount"))
        #expect(try ann.refused("whoami --profile UPPER", code: 2).contains("a profile's name is 1 to 64 of a-z, 0-9"))
        try ann.write(Array("{".utf8), to: "broken.json")
        #expect(try ann.refused("whoami --credentials broken.json").contains("broken.json is damaged"))
    }

    @Test func `a log-in that has ended`() throws {
        let kept = try ann.read(".config/daleks/default.json")
        try ann.write(kept, to: "copy.json")
        try ann.done("logout --credentials copy.json")
        // What is at hand is good for some minutes; after that another is asked for.
        try rewrite("\"access_expires\":", "\"access_expires\":1,\"was\":")

        let said = try ann.refused("ls")
        #expect(said.contains("logged out (") && said.contains("run `daleks login`"), "\(said)")
        guard Requirement.fuse.isMet else { return }
        try Files.createPrivateDirectory(ann.path("daleks"), durable: false)
        let mount = try ann.refused("mount")
        #expect(mount.contains("the log-in of \(ann.email) has ended; run `daleks login`"), "\(mount)")
    }

    @Test func `services that do not answer`() throws {
        let port = try LoopbackSocket.freePort()
        let nowhere = "http://127.0.0.1:\(port)"
        try rewrite(house.usersURL, nowhere)
        // What the region knows is still told.
        let shared = try ann.run(["shared"]).captured
        #expect(shared.ending == .exited(0))
        #expect(shared.errorText.contains("what is shared in other regions is not known: \(nowhere) cannot be reached"))
        #expect(try ann.refused("share / bob@example.com").contains("\(nowhere) cannot be reached"))
        try rewrite("\"access_expires\":", "\"access_expires\":1,\"was\":")
        #expect(try ann.refused("ls").contains("\(nowhere) cannot be reached"))
        let out = try ann.run(["logout"]).captured
        #expect(out.ending == .exited(0))
        #expect(out.errorText.contains("the users service did not hear of it: \(nowhere) cannot be reached"))

        let bob = try house.person()
        let path = bob.path(".config/daleks/default.json")
        let text = String(decoding: try Files.readAll(path, max: 1 << 20), as: UTF8.self)
        try Files.writeAtomically(path, Array(text.replacing(house.filesURL, with: nowhere).utf8), durable: false)
        let doctor = try bob.run(["doctor"]).captured
        #expect(doctor.errorText.contains("the lines above say how to mend it"), "\(doctor.errorText)")
        guard Requirement.fuse.isMet else { return }
        try Files.createPrivateDirectory(bob.path("daleks"), durable: false)
        let first = try bob.refused("mount")
        #expect(first.contains("the first mount needs region local, and \(nowhere) cannot be reached"), "\(first)")
        #expect(first.contains("try again when it answers"))
    }

    @Test func `files of the log-in that cannot be written or removed`() throws {
        let login = "login --users \(house.usersURL) --region local --email \(ann.email) --password-stdin"
        let kept = try ann.refused("\(login) --credentials /proc/none/x.json", input: Person.password + "\n")
        #expect(kept.contains("the log-in cannot be kept in /proc/none/x.json: "), "\(kept)")
        guard geteuid() == 0 else { return }
        let folder = ann.path(".config")
        let script = "mount --bind '\(folder)' '\(folder)' && mount -o remount,bind,ro '\(folder)' && exec \"$@\""
        let command = Command(
            "unshare",
            ["--mount", "--", "sh", "-c", script, "sh", "\(RunningProgram.folder)/daleks", "logout"],
            environment: ["HOME": ann.home, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]
        )
        let out = try Subprocess.capture(command, timeout: .seconds(20))
        #expect(out.errorText.contains("default.json cannot be removed: Read-only file system"), "\(out.errorText)")
    }

    @Test func `the trash, and things that are no files`() throws {
        for _ in 0..<2 {
            try ann.done("put - /twice", input: "x")
            try ann.done("rm /twice")
        }
        let twice = try ann.refused("trash restore twice")
        #expect(twice.contains("2 things called twice are in the trash; say which by its id"))
        let never = try ann.refused("trash restore never")
        #expect(never.contains("never is not in the trash; `daleks trash` lists what is"))
        let script = "echo no | script -qec '\(RunningProgram.folder)/daleks trash empty' /dev/null"
        let asked = try Subprocess.capture(
            Command("/bin/sh", ["-c", script], environment: ["HOME": ann.home, "PATH": "/usr/bin:/bin"]),
            timeout: .seconds(20)
        )
        #expect(asked.outputText.contains("2 things will be gone for good. Type yes:"), "\(asked)")
        #expect(asked.outputText.contains("nothing was done"), "\(asked)")

        let silent = "script -qec '\(RunningProgram.folder)/daleks trash empty' /dev/null </dev/null"
        let nobody = try Subprocess.capture(
            Command("/bin/sh", ["-c", silent], environment: ["HOME": ann.home, "PATH": "/usr/bin:/bin"]),
            timeout: .seconds(20)
        )
        #expect(nobody.outputText.contains("no answer was given"), "\(nobody)")
        try ann.done("put - /file", input: "x")
        let link = try ann.refused("link /file --password-stdin", code: 2, input: "\n")
        #expect(link.contains("a link's password has 1 to"))
        #expect(try ann.refused("links revoke 00000000000000000000000000000001").contains("there is no link 0000"))
        #expect(try ann.refused("versions /").contains("is not a file; only files have versions"))
        let id = try ann.json("ls /").array("entries")[0].object("node").string("id")
        #expect(try ann.refused("get node:\(id)", code: 2).contains("say how the file is to be called here"))
        #expect(try ann.refused("share /file nobody@example.com").contains("nobody is called nobody@example.com"))
        #expect(try ann.refused("share /file \(ann.email)").contains("owns /file, and may do everything with it"))
    }

    @Test(.needs(.fuse)) func `what a mount says`() throws {
        let here = ann.path("daleks")
        try Files.createPrivateDirectory(here, durable: false)
        try ann.done("mount")
        defer { _ = try? ann.run(["umount", "--now"]) }
        #expect(mkfifo("\(here)/fifo", 0o600) == 0)
        try ann.done("sync")
        #expect(try ann.refused("get \(here)/fifo").contains("is a fifo, and only files are got"))
        #expect(try ann.refused("pin \(here)/fifo").contains("fifo is neither a file nor a folder"))
        let copy = "\(here)/a (conflict from x 2026-11-21).txt"
        try Files.writeAtomically(copy, [1], mode: 0o644, durable: false)
        let said = try ann.run(["conflicts", "keep", "mine", copy]).captured.errorText
        try Files.writeAtomically("\(here)/b (conflict from x 2026-11-21).txt", [1], mode: 0o644, durable: false)
        try Files.writeAtomically("\(here)/b (from x 2026-11-21).txt", [1], mode: 0o644, durable: false)
        let both = try ann.run(["conflicts", "keep", "both", "\(here)/b (conflict from x 2026-11-21).txt"]).captured
        #expect(both.errorText.contains("could not become `b (from x 2026-11-21).txt`: File exists"))
        try Files.writeAtomically("\(here)/b (conflict from y 2026-11-21).txt", [1], mode: 0o644, durable: false)
        let several = try ann.refused("conflicts keep mine \(here)/b.txt")
        #expect(several.contains("b.txt has several copies; name one of `b (conflict from x"), "\(several)")
        #expect(said.contains("a.txt is not there any more; keep the copy, or remove it yourself"), "\(said)")

        try ann.done("pause")
        try Files.writeAtomically("\(here)/unsent", [1], mode: 0o644, durable: false)
        let unsent = try ann.refused("sync --timeout 1s")
        #expect(unsent.contains("the region does not know everything yet: ") && unsent.contains(" changes are left"))
        let who = try ann.refused("who \(here)/unsent")
        #expect(who.contains("unsent has changes that wait here: `daleks resume` sends them"), "\(who)")

        // A socket's path may not be that long.
        let deep = ann.path(String(repeating: "s", count: 120))
        try Files.createPrivateDirectory(ann.path("other"), durable: false)
        let socket = try ann.refused("mount \(ann.path("other")) --state \(deep)")
        #expect(socket.contains("the control socket in \(deep) failed: "), "\(socket)")
    }

    @Test func `programs beside it that end at once`() throws {
        let folder = ann.path("bin")
        try Files.createPrivateDirectory(folder, durable: false)
        let copy = try Subprocess.capture(
            Command("cp", ["\(RunningProgram.folder)/daleks", folder]),
            timeout: .seconds(30)
        )
        #expect(copy.ending == .exited(0))
        for name in ["daleksd", "daleks-users"] {
            let script = Array("#!/bin/sh\nexit 3\n".utf8)
            try Files.writeAtomically("\(folder)/\(name)", script, mode: 0o755, durable: false)
        }
        func said(_ words: [String]) throws -> String {
            let environment = ["HOME": ann.home, "PATH": "/usr/bin:/bin"]
            return try Subprocess.capture(
                Command("\(folder)/daleks", words, environment: environment),
                timeout: .seconds(30)
            ).errorText
        }
        guard Requirement.fuse.isMet else { return }
        try Files.createPrivateDirectory(ann.path("daleks"), durable: false)
        let ports = try said(["demo", "--users-port", "7500", "--files-port", "7500"])
        #expect(ports.contains("the two services need two ports"))
        #expect(try said(["mount"]).contains("daleksd ended at once: "))
        #expect(try said(["demo", "--state", ann.path("demo")]).contains("daleks-users ended at once: "))
    }

    @Test func `nothing that is said needs more than ASCII, a colour, or eighty columns`() throws {
        try ann.done("put - /file", input: "x")
        var lines: [String] = []
        let commands = [
            "--help", "whoami", "regions", "ls", "ls -l", "who /file", "versions /file", "shared", "doctor --all",
            "links",
        ]
        for line in commands {
            for locale in ["C", "C.UTF-8"] {
                var person = ann
                person.environment = ["LC_ALL": locale, "TERM": "xterm-256color", "COLUMNS": "80"]
                let said = try person.run(line.split(separator: " ").map(String.init)).captured
                lines += (said.outputText + said.errorText).split(separator: "\n").map(String.init)
            }
        }
        for line in lines {
            #expect(line.utf8.allSatisfy { $0 == 9 || (32..<127).contains($0) }, "\(line)")
            // Names, addresses and ids are as long as they are.
            let isOurs = !line.contains("/") && !line.contains("@") && !line.contains("\t")
            #expect(line.utf8.count <= 80 || !isOurs, "\(line)")
        }
    }
}
