import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// `conflicts`: two machines of one account that write the same file while one of them does not send.
@Suite(.needs(.fuse), .needs(.program("getfattr", package: "attr"))) struct ConflictVerbTests {
    private let house: Household
    private let ann: Person

    init() throws {
        house = try Household.shared.get()
        ann = try house.person()
    }

    private func other(_ body: (String) throws -> Void) throws {
        // Another machine: another daemon with a cache of its own.
        try Files.createPrivateDirectory(ann.path("there"), durable: false)
        let words = "mount \(ann.path("there")) --state \(ann.path("state-there"))"
        try ann.done(words)
        defer { _ = try? ann.run(["umount", "--state", ann.path("state-there")]) }
        try body(ann.path("there"))
    }

    private func shell(_ script: String) throws -> String {
        let captured = try Subprocess.capture(Command("sh", ["-ec", script]), timeout: .seconds(30))
        return captured.ending == .exited(0) ? captured.outputText : "\(captured.ending): \(captured.errorText)"
    }

    /// Files of these names, each with bytes of both machines, and the mount in which the copies stand.
    private func quarrel(_ names: [String], _ body: (String) throws -> Void) throws {
        let here = ann.path("daleks")
        try Files.createPrivateDirectory(here, durable: false)
        try ann.done("mount")
        defer { _ = try? ann.run(["umount"]) }
        for name in names { #expect(try shell("echo both > '\(here)/\(name)'").isEmpty) }
        try ann.done("sync")
        try ann.done("pause")
        for name in names { #expect(try shell("echo mine > '\(here)/\(name)'").isEmpty) }
        try other { there in
            for name in names { #expect(try shell("echo theirs > '\(there)/\(name)'").isEmpty) }
            try ann.done("sync --state \(ann.path("state-there"))")
        }
        try ann.done("resume")
        try ann.done("sync")
        try body(here)
    }

    @Test func `what stands aside is listed and settled as one says`() throws {
        try quarrel(["a.txt", "b.txt", "c.txt"]) { here in
            let report = try ann.json("conflicts")
            let copies = try report.array("copies")
            #expect(copies.count == 3)
            for copy in copies {
                #expect(try copy.string("path").contains(" (conflict from "))
                #expect(try copy.optionalString("plain") != nil)
            }
            #expect(try ann.done("status").contains("3 files in conflict: see `daleks conflicts`"))
            #expect(try ann.json("status").integer("conflicts") == 3)

            #expect(try ann.done("conflicts keep mine \(here)/a.txt").contains("a.txt is now what"))
            #expect(try ann.done("conflicts keep theirs \(here)/b.txt").contains("b.txt stays as it is"))
            #expect(try ann.done("conflicts keep both \(here)/c.txt").contains("c (from "))

            #expect(
                try shell("cd '\(here)'; cat a.txt b.txt c.txt; cat 'c (from '*; ls | wc -l")
                    == "mine\ntheirs\ntheirs\nmine\n4\n"
            )
            #expect(try ann.done("conflicts") == "There are no conflicts.\n")
            #expect(try ann.refused("conflicts keep mine \(here)/a.txt").contains("a.txt has no conflict"))
        }
    }

    @Test func `what is pinned is here, all of it, and stays`() throws {
        let here = ann.path("daleks")
        try Files.createPrivateDirectory(here, durable: false)
        try ann.done("mount")
        defer { _ = try? ann.run(["umount"]) }
        #expect(try shell("cd '\(here)'; mkdir -p a/b; head -c 3000000 /dev/zero >a/b/large; echo x >a/small").isEmpty)
        try ann.done("sync")
        try other { (there: String) throws in
            #expect(try ann.json("pin \(there)/a").integer("files") == 2)
            let fact = "getfattr --only-values -n user.daleks"
            #expect(try shell("\(fact).pinned '\(there)/a/b/large'; \(fact).status '\(there)/a/b/large'") == "1synced")
            #expect(try ann.done("unpin \(there)/a") == "2 files are pinned no more.\n")
            #expect(try shell("\(fact).pinned '\(there)/a'") == "0")
        }
        #expect(try ann.refused("pin \(ann.home)").contains("is in no mount"))
        #expect(try ann.refused("pin \(here)/nothing").contains("No such file"))
    }

    @Test func `what cannot be settled says why`() throws {
        let usage = "write `daleks conflicts`, or `daleks conflicts keep mine|theirs|both PATH...`"
        #expect(try ann.refused("conflicts keep mine", code: 2).contains(usage))
        #expect(try ann.refused("conflicts keep all x", code: 2).contains("keep mine|theirs|both PATH"))
        #expect(try ann.refused("conflicts keep both \(ann.home)").contains("is in no mount"))
        #expect(try ann.refused("conflicts").contains("daleks mount"))
    }
}
