import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// What others share, in a mount: two people, each with a daemon and a folder of their own.
@Suite(.needs(.fuse), .needs(.program("getfattr", package: "attr"))) struct SharedMountTests {
    private let house: Household
    private let ann: Person
    private let bob: Person

    init() throws {
        house = try Household.shared.get()
        ann = try house.person()
        bob = try house.person()
    }

    private func mounted(_ body: (_ anns: String, _ bobs: String) throws -> Void) throws {
        for person in [ann, bob] {
            try Files.createPrivateDirectory(person.path("daleks"), durable: false)
            try person.done("mount")
        }
        defer { for person in [ann, bob] { _ = try? person.run(["umount", "--now"]) } }
        try body(ann.path("daleks"), bob.path("daleks"))
    }

    private func shell(_ script: String) throws -> String {
        let captured = try Subprocess.capture(Command("sh", ["-c", script + " 2>&1"]), timeout: .seconds(60))
        return captured.outputText
    }

    /// What system calls answer, by name: shells do more than one.
    private func python(_ lines: String) throws -> String {
        let script = """
            import os, errno
            def tell(what, call):
                try: call(); print(what, "done")
                except OSError as e: print(what, errno.errorcode[e.errno])

            """
        let captured = try Subprocess.capture(Command("python3", ["-c", script + lines]), timeout: .seconds(60))
        return captured.outputText + captured.errorText
    }

    /// Ann's folder with two files, of which Bob has such rights.
    private func shared(_ rights: String, _ body: (_ anns: String, _ bobs: String) throws -> Void) throws {
        try mounted { anns, bobs throws in
            let made = try shell("cd \(anns) && mkdir plans && echo first > plans/today && echo films > plans/films")
            #expect(made == "")
            try ann.done("sync")
            try ann.done("share \(anns)/plans \(bob.email) --can \(rights)")
            let owner = try #require(
                waiting { try shell("ls \(bobs)/Shared").split(separator: "\n").first.map(String.init) }
            )
            let item = "\(bobs)/Shared/\(owner)/plans"
            #expect(eventually { (try? shell("cat \(item)/today")) == "first\n" })
            try body("\(anns)/plans", item)
        }
    }

    /// How many files of Bob's were put aside.
    private func setAside() throws -> Int { try bob.json("conflicts").strings("set_aside").count }

    private func waiting(_ body: () throws -> String?) rethrows -> String? {
        var found: String?
        _ = try eventually(within: .seconds(20)) {
            found = try body()
            return found != nil && found?.hasPrefix("ls:") == false
        }
        return found
    }

    @Test func `what others share is in the mount, and works on both sides`() throws {
        try shared("read,write,update,delete") { anns, bobs throws in
            #expect(try shell("ls \(bobs)") == "films\ntoday\n")
            #expect(
                try shell(
                    """
                    cd \(bobs) && mkdir -p a/b && echo new > a/b/file && echo second >> today && mv films a/ \
                    && ls -R . && head -c 3000000 /dev/urandom > large && stat -c '%A %n' today a
                    """
                ) == ".:\na\ntoday\n\n./a:\nb\nfilms\n\n./a/b:\nfile\n-rw------- today\ndrwx------ a\n"
            )
            try bob.done("sync")

            #expect(eventually { (try? shell("cat \(anns)/a/b/file")) == "new\n" })
            #expect(eventually { (try? shell("cat \(anns)/today")) == "first\nsecond\n" })
            #expect(eventually { (try? shell("cmp \(anns)/large \(bobs)/large")) == "" })
            #expect(try shell("ls \(anns)/a") == "b\nfilms\n")
            #expect(try shell("echo third >> \(anns)/today && mv \(anns)/a/films \(anns)/movies") == "")
            #expect(eventually { (try? shell("cat \(bobs)/today")) == "first\nsecond\nthird\n" })
            #expect(eventually { (try? shell("ls \(bobs)")) == "a\nlarge\nmovies\ntoday\n" })
            #expect(try shell("rm \(bobs)/movies") == "")
            try bob.done("sync")
            #expect(eventually { (try? shell("ls \(anns)")) == "a\nlarge\ntoday\n" })
            #expect(try ann.done("trash ls").contains("movies"))
        }
    }

    @Test func `a right that was not given is refused with EACCES, and why is told`() throws {
        try shared("read,write") { _, bobs throws in
            let answers = try python(
                """
                os.chdir("\(bobs)")
                tell("make", lambda: os.close(os.open("mine", os.O_CREAT | os.O_EXCL | os.O_WRONLY)))
                tell("change mine", lambda: os.truncate("mine", 100))
                tell("change", lambda: os.truncate("today", 0))
                tell("open", lambda: os.close(os.open("today", os.O_WRONLY)))
                tell("chmod", lambda: os.chmod("today", 0o777))
                tell("setxattr", lambda: os.setxattr("today", "user.colour", b"blue"))
                tell("rename", lambda: os.rename("today", "tomorrow"))
                tell("unlink", lambda: os.unlink("today"))
                tell("unlink mine", lambda: os.unlink("mine"))
                tell("link", lambda: os.link("today", "link"))
                tell("fifo", lambda: os.mkfifo("fifo"))
                tell("read", lambda: open("today").read())
                """
            )

            #expect(
                answers == """
                    make done
                    change mine done
                    change EACCES
                    open EACCES
                    chmod EACCES
                    setxattr EACCES
                    rename EACCES
                    unlink EACCES
                    unlink mine done
                    link EACCES
                    fifo EPERM
                    read done

                    """
            )
            #expect(try fact("rights", of: "\(bobs)/today") == "read,write")
            let why = try fact("why", of: "\(bobs)/today")
            #expect(why.hasPrefix("read,write: granted on “plans” by "))
        }
    }

    @Test func `the folders above items are looked at only, and nothing is joined with them`() throws {
        try shared("read,write,update,delete") { _, bobs throws in
            let answers = try python(
                """
                os.chdir("\(bobs)/../..")
                owner = os.listdir(".")[0]
                open("../own", "w").close()
                tell("make above", lambda: os.mkdir("x"))
                tell("make beside", lambda: os.close(os.open(owner + "/x", os.O_CREAT | os.O_WRONLY)))
                tell("rename item", lambda: os.rename(owner + "/plans", owner + "/other"))
                tell("rename in", lambda: os.rename("../own", owner + "/plans/own"))
                tell("rename out", lambda: os.rename(owner + "/plans/today", "../today"))
                tell("link in", lambda: os.link("../own", owner + "/plans/own"))
                tell("remove owner", lambda: os.rmdir(owner))
                tell("remove all", lambda: os.rmdir("../Shared"))
                tell("take the name", lambda: os.mkdir("../Shared"))
                tell("rename over", lambda: os.rename("../own", "../Shared"))
                print(os.stat("../Shared/..").st_ino == os.stat("..").st_ino)
                print(sorted(os.listdir("..")), os.stat("..").st_nlink)
                """
            )

            #expect(
                answers == """
                    make above EACCES
                    make beside EACCES
                    rename item EACCES
                    rename in EXDEV
                    rename out EXDEV
                    link in EXDEV
                    remove owner EACCES
                    remove all EBUSY
                    take the name EEXIST
                    rename over EISDIR
                    True
                    ['Shared', 'own'] 3

                    """
            )
        }
    }

    @Test func `a share that is withdrawn goes, and what was unsent in it is put aside`() throws {
        try shared("read,write,update") { anns, bobs throws in
            try bob.done("pause")
            #expect(try shell("echo edited > \(bobs)/today && echo mine > \(bobs)/mine") == "")

            try ann.done("unshare \(anns) \(bob.email)")
            let above = "\(bob.path("daleks"))/Shared"
            #expect(eventually(within: .seconds(20)) { (try? shell("ls \(above)"))?.contains("No such file") ?? false })
            try bob.done("resume")

            #expect(eventually { (try? setAside()) == 2 })
            #expect(try shell("ls \(anns) && cat \(anns)/today") == "films\ntoday\nfirst\n")
            #expect(try shell("ls \(bob.path("daleks"))") == "")
        }
    }

    @Test func `removing an item is leaving the share`() throws {
        try shared("read") { anns, bobs throws in
            #expect(try shell("rmdir \(bobs)") == "")

            #expect(try shell("ls \(bobs)").contains("No such file"))
            #expect(try shell("ls \(anns)") == "films\ntoday\n")
            #expect(try ann.done("who \(anns)").split(separator: "\n").filter { $0.contains("may:") }.count == 1)
        }
    }

    @Test func `what one's own tree has as Shared keeps a name`() throws {
        try mounted { anns, _ throws in
            try ann.done("mkdir daleks:/Shared")

            #expect(eventually { (try? shell("ls \(anns)")) == "Shared (own)\n" })
            #expect(try shell("echo x > '\(anns)/Shared (own)/file' && mv '\(anns)/Shared (own)' \(anns)/mine") == "")
            try ann.done("sync")
            #expect(try ann.done("ls daleks:/").hasPrefix("mine"))
            #expect(try shell("mkdir \(anns)/Shared").contains("Operation not permitted"))
        }
    }

    private func fact(_ name: String, of path: String) throws -> String {
        try shell("getfattr --absolute-names --only-values -n user.daleks.\(name) '\(path)'")
    }

    @Test func `facts tell who may do what`() throws {
        try shared("read") { anns, bobs throws in
            #expect(try fact("rights", of: "\(anns)/today") == "read,write,update,delete,share")
            #expect(try fact("why", of: "\(anns)/today") == "all: it is your own")
            #expect(eventually { (try? fact("visibility", of: anns)) == "shared" })
            #expect(try fact("visibility", of: "\(anns)/today") == "private")
            #expect(try fact("rights", of: "\(bobs)/today") == "read")
            #expect(try "\(bob.path("daleks"))/Shared/\(fact("owner", of: bobs))/plans" == bobs)
            #expect(try fact("region", of: bobs) == "local")
            let digest = try fact("digest", of: "\(anns)/today")
            #expect(try digest.count == 64 && digest == fact("digest", of: "\(bobs)/today"))
            #expect(try fact("digest", of: "\(anns)/films") != digest)
            #expect(try shell("getfattr -d '\(bobs)/today'") == "")

            #expect(try shell("cd \(anns) && head -c 300000 /dev/urandom > bytes && : > empty") == "")
            let change = "dd if=/dev/urandom of=\(anns)/bytes bs=4k count=1 seek=30 conv=notrunc status=none"
            for change in ["true", change] {
                #expect(try shell(change) == "")
                try ann.done("sync")
                for file in ["bytes", "today", "empty"] {
                    let sum = try shell("sha256sum < \(anns)/\(file)").prefix(64)
                    let told = try fact("sha256", of: "\(anns)/\(file)")
                    // What the region does not have is not told, and an empty file may never have come there.
                    #expect(told == sum || file == "empty" && told.contains("No such attribute"))
                }
            }
            #expect(try shell("head -c 2000000 /dev/zero > \(anns)/long") == "")
            try ann.done("sync")
            #expect(try fact("sha256", of: "\(anns)/long").contains("No such attribute"))
        }
    }

    @Test func `a file that is saved by renaming another over it stays shared under its name`() throws {
        try mounted { anns, bobs throws in
            #expect(try shell("cd \(anns) && echo first > letter") == "")
            try ann.done("sync")
            try ann.done("share \(anns)/letter \(bob.email) --can read,update")
            #expect(eventually(within: .seconds(20)) { (try? shell("cat \(bobs)/Shared/*/letter")) == "first\n" })
            for text in ["second", "third"] {
                let saved = try shell("cd \(anns) && echo \(text) > letter.new && mv letter.new letter")

                #expect(saved == "")
                let isSeen = eventually(within: .seconds(20)) {
                    (try? shell("cat \(bobs)/Shared/*/letter")) == "\(text)\n"
                }
                let listing = try shell("ls -l \(bobs)/Shared/*")
                #expect(isSeen, "\(listing)")
                #expect(try fact("grant.\(bob.email)", of: "\(anns)/letter") == "read,update")
            }
            #expect(try shell("ls \(bobs)/Shared/*") == "letter\n")
            #expect(try shell("cd \(bobs)/Shared/* && echo by bob > letter") == "")
            try bob.done("sync")
            #expect(eventually(within: .seconds(20)) { (try? shell("cat \(anns)/letter")) == "by bob\n" })
        }
    }

    @Test func `sharing is changed by attributes`() throws {
        try mounted { anns, bobs throws in
            let above = "\(bobs)/Shared"
            let grant = "user.daleks.grant.\(bob.email)"
            #expect(try shell("cd \(anns) && mkdir plans && setfattr -n \(grant) -v read,write plans") == "")
            #expect(eventually(within: .seconds(20)) { (try? shell("ls \(above)/*")) == "plans\n" })
            #expect(try fact("visibility", of: "\(anns)/plans") == "shared")
            #expect(try fact("grant.\(bob.email)", of: "\(anns)/plans") == "read,write")
            #expect(try shell("cd \(anns) && getfattr -n user.daleks.grant.nobody plans").contains("No such attribute"))
            #expect(try shell("cd \(above)/* && getfattr -n \(grant) plans").contains("Permission denied"))
            #expect(try shell("cd \(anns) && setfattr -n user.daleks.visibility -v public plans") == "")
            #expect(try fact("visibility", of: "\(anns)/plans") == "public")
            #expect(try shell("cd \(anns) && setfattr -n user.daleks.visibility -v private plans") == "")
            #expect(try fact("visibility", of: "\(anns)/plans") == "shared")
            let nobody = "user.daleks.grant.nobody-at-all"
            for refused in ["\(grant) -v anything", "\(nobody) -v read", "user.daleks.visibility -v x"] {
                #expect(try shell("cd \(anns) && setfattr -n \(refused) plans").contains("Invalid argument"))
            }
            #expect(try shell("cd \(above)/* && setfattr -n \(grant) -v read plans").contains("Permission denied"))

            #expect(try shell("cd \(anns) && setfattr -x \(grant) plans") == "")

            #expect(try shell("cd \(anns) && getfattr -n \(grant) plans").contains("No such attribute"))
            #expect(eventually(within: .seconds(20)) { (try? shell("ls \(above)"))?.contains("No such file") ?? false })
        }
    }
}
