import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// Backups that come back, of the region and of a machine, and folders that are used twice.
@Suite(.enabled(if: access("/dev/fuse", R_OK | W_OK) == 0, "needs /dev/fuse"))
struct RestoredTests {
    private static func shell(_ script: String, in folder: String = "/") throws -> String {
        let command = Command("/bin/sh", ["-euc", "cd '\(folder)'\n\(script)"], environment: ["PATH": "/usr/bin:/bin"])
        let outcome = try Subprocess.capture(command, timeout: .seconds(60))
        guard outcome.ending == .exited(0) else { throw RunningSystem.Failure(description: "\(script): \(outcome)") }
        return outcome.outputText
    }

    /// Every path with what it is, its links, and its bytes.
    private static func picture(_ mount: RunningMount) throws -> Set<String> {
        let script = """
            find . -mindepth 1 -printf '%P %y %m %n %l\\n'
            find . -type f -exec sha256sum '{}' +
            """
        return Set(try shell(script, in: mount.path).split(separator: "\n").map(String.init))
    }

    private static let firstDay = """
        mkdir letters papers
        echo one > letters/one; echo two > letters/two
        head -c 3000000 /dev/urandom > papers/large
        echo old > papers/saved; echo first > papers/edited; chmod 600 papers/edited
        """

    private static let secondDay = """
        echo new > papers/tmp; mv papers/tmp papers/saved
        echo second >> papers/edited; chmod 640 papers/edited
        printf xyz | dd of=papers/large bs=1 seek=1500000 conv=notrunc status=none
        mv letters/one papers/moved
        mkdir -p fresh/deep; head -c 200000 /dev/urandom > fresh/deep/file; ln fresh/deep/file fresh/link
        ln -s ../papers fresh/symlink
        mv letters fresh/letters
        """

    @Test func `a region that came back from a backup gets what it forgot from who has it`() throws {
        let system = try RunningSystem()
        defer { system.end() }
        try system.logIn("here", registers: true)
        let here = try system.mount("here", credentials: "here")
        _ = try Self.shell(Self.firstDay, in: here.path)
        try system.drain("here")
        system.killFiles()
        _ = try Self.shell("cp -a files backup", in: system.scratch.path)
        try system.startFiles()
        _ = try Self.shell(Self.secondDay, in: here.path)
        try system.drain("here")
        let before = try Self.picture(here)

        system.killFiles()
        _ = try Self.shell("rm -r files; cp -a backup files", in: system.scratch.path)
        let said = try RunningProgram.run("daleks-files", ["restored", "--state", system.scratch.path("files")])
        #expect(said.ending == .exited(0) && said.outputText.contains("new epoch"), "\(said)")
        try system.startFiles()

        try system.logIn("there", registers: false)
        let there = try system.mount("there", credentials: "there")
        // Longer than the slowest retry of a daemon that lost its region.
        #expect(eventually(within: .seconds(60)) { (try? Self.picture(there)) == before })
        #expect(try Self.picture(here) == before)
        try system.drain("here")
        try there.stop()
        try here.stop()
    }

    @Test func `a folder that is used twice, and one that is put back, lose nothing`() throws {
        let system = try RunningSystem()
        defer { system.end() }
        try system.logIn("here", registers: true)
        // A mount that is let go of takes the place with it: each ends before the next begins.
        try Self.using(try system.mount("here", credentials: "here")) { here in
            _ = try Self.shell(Self.firstDay, in: here.path)
            try system.drain("here")
        }
        _ = try Self.shell("cp -a here-state twin-state; cp -a here-state old-state", in: system.scratch.path)

        try system.logIn("twin", registers: false)
        let twin = try system.mount("twin", credentials: "twin")
        let before = try Self.using(try system.mount("here", credentials: "here")) { here in
            _ = try Self.shell(Self.secondDay, in: here.path)
            _ = try Self.shell("mkdir twin; echo here too > twin/file; echo more > letters-of-twin", in: twin.path)
            try system.drain("here")
            try system.drain("twin")
            #expect(eventually(within: .seconds(60)) { (try? Self.picture(twin)) == (try? Self.picture(here)) })
            return try Self.picture(here)
        }
        for name in ["fresh/letters/two ", "twin/file ", "letters-of-twin "] {
            #expect(before.contains { $0.hasPrefix(name) }, "\(name)")
        }

        _ = try Self.shell("rm -r here-state; mv old-state here-state", in: system.scratch.path)
        try Self.using(try system.mount("here", credentials: "here")) { here in
            #expect(eventually(within: .seconds(60)) { (try? Self.picture(here)) == before })
            _ = try Self.shell("echo again > after", in: here.path)
            try system.drain("here")
            #expect(eventually(within: .seconds(60)) { (try? Self.picture(twin)) == (try? Self.picture(here)) })
        }
        #expect(try Self.picture(twin).isSuperset(of: before))
        try twin.stop()
    }

    private static func using<Result>(
        _ mount: consuming RunningMount,
        _ body: (RunningMount) throws -> Result
    ) throws -> Result {
        let result = try body(mount)
        try mount.stop()
        return result
    }
}
