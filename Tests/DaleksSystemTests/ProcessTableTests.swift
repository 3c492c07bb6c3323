import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@Suite struct ProcessTableTests {
    @Test func `a process that ended works no more, though nobody has taken note of it`() throws {
        // Its child ends at once, and it does not ask for that.
        let parent = try ChildProcess("/bin/sh", ["-c", "sh -c 'echo $$' & exec sleep 60"])
        defer { parent.stop(within: .seconds(5)) }
        let child = try #require(Int32(try parent.line(within: .seconds(10)) { Int32($0) != nil }))

        #expect(ProcessTable.isAlive(getpid()))
        #expect(eventually { !ProcessTable.isAlive(child) })
        #expect(kill(child, 0) == 0)
        #expect(!ProcessTable.isAlive(Int32.max))
    }
}
