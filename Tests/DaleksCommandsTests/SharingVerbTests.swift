import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Testing

/// Sharing and history from the command line.
@Suite struct SharingVerbTests {
    private let ann: Person
    private let bob: Person

    init() throws {
        let house = try Household.shared.get()
        (ann, bob) = (try house.person(), try house.person())
        try ann.done("mkdir /plans")
        try ann.done("put - /plans/one.txt", input: "one")
    }

    private func node(_ path: String, of person: Person) throws -> String {
        let name = path.split(separator: "/").last.map(String.init) ?? ""
        let folder = path.split(separator: "/").dropLast().joined(separator: "/")
        let entries = try person.json("ls /\(folder)").array("entries")
        return try entries.first { try $0.string("name") == name }.map { try $0.object("node").string("id") } ?? ""
    }

    @Test func `what is shared can be seen, used within its rights, and taken back`() throws {
        #expect(
            try ann.done("share /plans \(bob.email) --can read,write --expires 7d").contains("may read,write /plans")
        )
        let plans = try node("/plans", of: ann)

        #expect(try bob.done("shared").contains("with you\tplans"))
        #expect(try bob.done("ls node:\(plans)") == "one.txt\n")
        #expect(try bob.done("get node:\(plans)/one.txt -") == "one")
        try bob.done("put - node:\(plans)/two.txt", input: "two")
        #expect(try bob.refused("rm node:\(plans)/one.txt").contains("you may not do this"))
        let who = try ann.done("who /plans")
        #expect(who.contains("owner: you") && who.contains("may: read,write, until"))
        #expect(try bob.done("who node:\(plans)").contains("you may: read,write"))
        #expect(try ann.json("shared").array("by_me").count == 1)
        try ann.done("unshare /plans \(bob.email)")
        #expect(try bob.refused("ls node:\(plans)").contains("no such file"))
    }

    @Test func `who cannot be found or given anything is named`() throws {
        #expect(try ann.refused("share /plans nobody@example.com").contains("nobody is called nobody@example.com"))
        #expect(try ann.refused("share /plans \(ann.email)").contains("owns"))
        #expect(try ann.refused("share /plans \(bob.email) --can fly", code: 2).contains("read, write, update"))
        #expect(try ann.refused("share /plans \(bob.email) --expires soon", code: 2).contains("7d"))
        #expect(try ann.refused("share /plans \(bob.email) --expires 2001-01-01", code: 2).contains("past"))
        #expect(try ann.refused("public /plans maybe", code: 2).contains("on or off"))
    }

    private func fetch(_ url: String) throws -> String {
        try Subprocess.capture(Command("curl", ["-s", url]), timeout: .seconds(20)).outputText
    }

    @Test func `what is public has an address until it is taken back`() throws {
        let url = try ann.done("public /plans/one.txt on").split(separator: "\n").map(String.init)[0]

        #expect(try fetch(url) == "one")
        #expect(try ann.json("public /plans/one.txt on").string("url") == url)
        try ann.done("public /plans/one.txt off")
        #expect(try fetch(url).contains("not_found"))
    }

    @Test func `a link leads somewhere until it is revoked`() throws {
        let link = try ann.json("link /plans/one.txt --expires 1d --downloads 5").object("link")
        let (url, id) = (try link.string("url"), try link.string("id"))

        #expect(try fetch(url + "/content") == "one")
        #expect(try ann.done("links").contains("\(id)\t/plans/one.txt"))
        #expect(try ann.done("links /plans/one.txt").contains("of 5 downloads"))
        try ann.done("links revoke \(id)")
        #expect(try fetch(url + "/content").contains("not_found"))
        #expect(try ann.refused("links revoke \(id)").contains("there is no link"))
        #expect(try ann.refused("link /plans --password", code: 2).contains("--password-stdin"))
        let locked = try ann.json("link /plans/one.txt --password-stdin", input: "sesame\n").object("link")
        #expect(try locked.bool("has_password"))
    }

    @Test func `a former content comes back, and so does what was removed`() throws {
        try ann.done("put - /plans/one.txt", input: "two")
        let versions = try ann.json("versions /plans/one.txt").array("versions")
        let first = try versions[1].integer("content")

        #expect(versions.count == 2)
        #expect(try ann.done("versions /plans/one.txt").contains("present"))
        try ann.done("restore /plans/one.txt@\(first)")
        #expect(try ann.done("get /plans/one.txt -") == "one")
        #expect(try ann.refused("restore /plans/one.txt@999999").contains("has no version"))
        #expect(try ann.refused("restore /plans/one.txt", code: 2).contains("PATH@N"))

        try ann.done("rm /plans/one.txt")
        #expect(try ann.done("trash").contains("one.txt"))
        try ann.done("put - /plans/one.txt", input: "new")
        #expect(try ann.refused("trash restore one.txt").contains("--on-conflict"))
        try ann.done("trash restore one.txt --to /old.txt")
        #expect(try ann.done("get /old.txt -") == "one")
        try ann.done("rm /old.txt")
        #expect(try ann.refused("trash empty", code: 2).contains("--yes"))
        try ann.done("trash empty --yes")
        #expect(try ann.done("trash ls").isEmpty)
        #expect(try ann.refused("trash restore old.txt").contains("not in the trash"))
    }
}
