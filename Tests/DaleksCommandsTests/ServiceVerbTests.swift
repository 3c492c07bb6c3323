import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksCommands

/// `daleks service`: the unit that it writes, and what it asks of systemd. That a real systemd starts it, and again
/// after it was killed, is for `make test-stranger` to show.
struct ServiceVerbTests {
    private let ann: Person
    private let log: String

    /// A `systemctl` that notes how it was called, and says of a unit what its file says.
    init() throws {
        let home = try Household.shared.get().person()
        log = home.path("asked")
        try Files.createPrivateDirectory(home.path("bin"), durable: false)
        let script = """
            #!/bin/sh
            echo "$@" >>"$HOME/asked"
            case "$*" in
            *" show "*)
                file="$HOME/.config/systemd/user/daleks.service"
                [ -e "$file" ] || { echo LoadState=not-found; exit 0; }
                printf 'LoadState=loaded\\nFragmentPath=%s\\nUnitFileState=%s\\nActiveState=%s\\nNRestarts=2\\n' \\
                    "$file" "$(cat "$HOME/enabled" 2>/dev/null)" "$(cat "$HOME/active" 2>/dev/null || echo inactive)" ;;
            *" enable "*) echo enabled >"$HOME/enabled"; echo active >"$HOME/active" ;;
            *" disable "*) rm -f "$HOME/enabled" "$HOME/active" ;;
            *" broken"*) echo "Unit daleks.service is masked." >&2; exit 1 ;;
            esac
            """
        try home.write(Array(script.utf8), to: "bin/systemctl")
        #expect(chmod(home.path("bin/systemctl"), 0o755) == 0)
        var person = home
        person.environment["PATH"] = home.path("bin") + ":/usr/sbin:/usr/bin:/sbin:/bin"
        ann = person
    }

    private func asked() throws -> [String] {
        let text = String(decoding: try Files.readAll(log, max: 1 << 16), as: UTF8.self)
        unlink(log)
        return text.split(separator: "\n").map(String.init).filter { !$0.contains(" show ") }
    }

    @Test func `enabled it is installed and starts, and once more is no harm`() throws {
        #expect(try ann.done("service").contains("daleks.service is not installed"))
        let told = try ann.done("service enable")
        #expect(told.contains("daleks.service starts at log-in, runs, was started again 2 times. It is \(ann.home)/"))
        #expect(try asked() == ["--user daemon-reload", "--user enable --now daleks.service"])
        let unit = String(decoding: try ann.read(".config/systemd/user/daleks.service"), as: UTF8.self)
        #expect(unit.contains("ExecStart=/usr/bin/env \"/") && unit.contains("/daleksd\"\n"), "\(unit)")

        try ann.done("service enable")
        #expect(try asked() == ["--user enable --now daleks.service"])
        #expect(try ann.json("service").bool("enabled"))
        try ann.done("service disable")
        #expect(try !ann.json("service").bool("enabled"))
        #expect(try ann.done("service").contains("does not start at log-in, does not run"))
    }

    @Test func `what stands in the way is said in one line`() throws {
        #expect(try ann.refused("service explode", code: 2).contains("explode is not one of status"))
        var bare = ann
        bare.environment["PATH"] = ann.path("nothing")
        #expect(try bare.refused("service").contains("without systemd, `daleks mount`"))
        let stranger = Person(name: "stranger", home: ann.path("stranger"), environment: ann.environment)
        try Files.createPrivateDirectory(stranger.home, durable: false)
        #expect(try stranger.refused("service enable").contains("daleks login"))
    }

    @Test(.needs(.fuse)) func `what is mounted by hand is not mounted twice`() throws {
        try Files.createPrivateDirectory(ann.path("daleks"), durable: false)
        try ann.done("mount")
        defer { _ = try? ann.run(["umount"]) }
        #expect(try ann.refused("service enable").contains("run `daleks umount`, then this again"))
    }

    @Test(arguments: ["default", "work"])
    func `the unit is that of the packages, with another place of the program`(profile: String) throws {
        let name = profile == "default" ? "daleks.service" : "daleks@.service"
        let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
        let packaged = String(decoding: try Files.readAll("\(root)/systemd/\(name)", max: 1 << 16), as: UTF8.self)
        func lines(_ text: String) -> [Substring] { text.split(separator: "\n").filter { !$0.hasPrefix("#") } }
        let written = UserUnit.text(command: "/usr/bin/env daleksd", profile: profile)
        #expect(lines(written) == lines(packaged))
    }

    @Test(.needs(.program("systemd-analyze", package: "systemd")))
    func `systemd understands a path with anything in it`() throws {
        let folder = ScratchFolder()
        let program = folder.path("a \"b\" %h $HOME c\\d")
        try Files.writeAtomically(program, Array("#!/bin/sh\n".utf8), mode: 0o755, durable: false)
        let unit = UserUnit.text(command: UserUnit.command(program), profile: "default")
        try Files.writeAtomically(folder.path("daleks.service"), Array(unit.utf8), mode: 0o644, durable: false)
        let said = try Subprocess.capture(
            Command(
                "systemd-analyze",
                ["--user", "verify", "--man=no", folder.path("daleks.service")],
                environment: Environment.current.merging(["XDG_RUNTIME_DIR": folder.path]) { $1 }
            ),
            timeout: .seconds(30)
        )
        #expect(said.ending == .exited(0) && said.errorText.isEmpty, "\(said.errorText)")
    }
}
