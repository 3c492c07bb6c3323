import DaleksCache
import DaleksCore
import DaleksSync
import DaleksSystem
import DaleksTestSupport
import Testing

@Suite struct ManyChangesTests {
    @Test func `thousands of changes cost the thousandth no more stack than the first`() throws {
        let storage = try RegionStorage()
        let here = try Machine(storage, owner: .random(at: .zero))
        defer { here.stop() }
        let file = try here.make("file").inode
        here.region.setUp(false)
        let failures = Lock(0)

        let thread = Thread(name: "changes", stackBytes: 192 << 10) { [tree = here.engine.tree] in
            for count in 0..<4_000 {
                var edit = LocalTree.AttributeEdit()
                edit.mode = count % 2 == 0 ? 0o600 : 0o644
                if (try? tree.setAttributes(of: file, edit)) == nil { failures.withLock { $0 += 1 } }
            }
        }
        thread.join()

        #expect(failures.withLock { $0 } == 0)
    }
}
