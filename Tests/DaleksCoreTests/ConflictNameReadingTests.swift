import DaleksCore
import Testing

/// What is made is read back, and nothing else is.
struct ConflictNameReadingTests {
    @Test(arguments: [
        "report.txt", "report", ".hidden", "a (b).txt", "x.tar.gz", "née.txt", "one two.md",
        "a.b (conflict from other 2020-01-01).c",
    ])
    func `a name that was made is read`(plain: String) throws {
        let suffix = ConflictName.suffix(host: "my laptop", date: "2026-11-21")
        for attempt in [0, 1, 7] {
            let made = ConflictName.make(from: try Name(plain), suffix: suffix, attempt: attempt)
            let reading = try #require(ConflictName.read(made), "\(made)")
            #expect(reading.host == "my laptop" && reading.date == "2026-11-21")
            #expect(ConflictName.read(reading.settled) == nil && reading.settled != reading.plain)
            #expect(ConflictName.make(from: reading.plain, suffix: suffix, attempt: attempt) == made)
        }
    }

    @Test(arguments: [
        "report.txt", "(conflict from x 2026-11-21).txt", " (conflict from x 2026-11-21).txt",
        "a (conflict from x).txt", "a (conflict from 2026-11-21).txt", "a (conflict from x 2026-11-21",
        "a (conflict from x 2026-1-21).txt", "a (conflict from x 2026-11-21) b.txt", "a (restored).txt",
    ])
    func `another name is none`(name: String) throws {
        #expect(ConflictName.read(try Name(name)) == nil)
    }
}
