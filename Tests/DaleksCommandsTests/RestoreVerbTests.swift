import DaleksCore
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksCommands

/// What was, is again: one content, and a folder as it was at a time.
struct RestoreVerbTests {
    private let ann: Person

    init() throws { ann = try Household.shared.get().person() }

    /// A time that lies between what was done before and what is done after.
    private func moment() -> String {
        usleep(20_000)
        let now = TimeSource.system.wall
        usleep(20_000)
        return now.rfc3339(milliseconds: true)
    }

    @Test func `a folder is as it was at a time, and nothing is lost by that`() throws {
        try ann.done("mkdir -p /desk/notes/old")
        try ann.done("put - /desk/letter", input: "one")
        try ann.done("put - /desk/same", input: "same")
        try ann.done("put - /desk/notes/first", input: "first")
        try ann.done("put - /desk/notes/old/deep", input: "deep")
        try ann.done("put - /elsewhere", input: "elsewhere")
        let then = moment()
        try ann.done("put - /desk/letter", input: "two")
        try ann.done("put - /desk/letter", input: "three")
        // Removed one by one, as `rm -r` in a mount does, after it was changed.
        try ann.done("put - /desk/notes/old/deep", input: "changed")
        try ann.done("rm /desk/notes/old/deep")
        try ann.done("rm -r /desk/notes/old")
        try ann.done("rm -r /desk/notes")
        // The name was taken anew, and something came and went.
        try ann.done("put - /desk/new", input: "new")
        try ann.done("put - /desk/passing", input: "passing")
        try ann.done("rm /desk/passing")
        try ann.done("rm /desk/same")
        try ann.done("put - /desk/same", input: "another")
        try ann.done("rm /elsewhere")

        let trial = try ann.done("restore /desk --at \(then) --dry-run")
        #expect(trial.contains("back\t/desk/notes/old/deep\t"), "\(trial)")
        #expect(try ann.done("get /desk/letter -") == "three")
        let told = try ann.done("restore /desk --at \(then)")

        #expect(try ann.done("get /desk/letter -") == "one")
        #expect(try ann.done("get /desk/notes/first -") == "first")
        #expect(try ann.done("get /desk/notes/old/deep -") == "deep")
        #expect(try ann.done("get /desk/same -") == "same")
        #expect(try ann.done("get /desk/new -") == "new")
        #expect(try ann.done("ls /desk").split(separator: "\n") == ["letter", "new", "notes/", "same"])
        #expect(try ann.refused("get /elsewhere -").contains("no such file"))
        #expect(told.contains("stays\t/desk/new\tmade "), "\(told)")
        #expect(!told.contains("passing"))
        // What was until now is kept: as a version, and in the trash.
        #expect(try ann.json("versions /desk/letter").array("versions").count == 4)
        #expect(try ann.done("trash").contains("\tsame"))

        let again = try ann.json("restore /desk --at \(then)").array("steps").map { try $0.string("kind") }
        #expect(again == ["stays"])
    }

    @Test func `one file is as it was at a time`() throws {
        try ann.done("put - /letter", input: "one")
        let then = moment()
        try ann.done("put - /letter", input: "two")

        try ann.done("restore /letter --at \(then)")

        #expect(try ann.done("get /letter -") == "one")
    }

    @Test func `what cannot be understood or was not is said in one line`() throws {
        try ann.done("put - /letter", input: "one")
        #expect(try ann.refused("restore /letter --at soon", code: 2).contains("neither a while ago such as 2h"))
        #expect(try ann.refused("restore /letter --at 2999-01-01", code: 2).contains("is to come"))
        #expect(try ann.refused("restore /letter@1 --dry-run", code: 2).contains("--at TIME"))
        #expect(try ann.refused("restore /letter", code: 2).contains("PATH --at TIME"))
        #expect(try ann.done("restore /letter --at 2h").contains("Nothing in /letter is otherwise"))
    }

    @Test(arguments: [
        ("2h", 92_800), ("2d", -72_800), ("1970-01-02Z", 86_400), ("1970-01-02 00:01Z", 86_460),
        ("1970-01-02T00:01:05Z", 86_465), ("1970-01-02 24:00Z", nil), ("1970-13-02", nil), ("1970-01-02 1:00", nil),
        ("yesterday", nil), ("", nil), ("Z", nil), ("1970-01-02 00:00:00.Z", nil), ("1970-01-02 00:00.5Z", nil),
    ])
    func `times are read as they are written`(text: String, seconds: Int64?) {
        let now = Timestamp(seconds: 100_000)
        #expect(Moment.past(text, before: now) == seconds.map { Timestamp(seconds: $0) })
    }

    @Test func `parts of a second count`() {
        let read = Moment.past("1970-01-02T00:00:00.25Z", before: .zero)
        #expect(read == Timestamp(seconds: 86_400) + .milliseconds(250))
    }
}
