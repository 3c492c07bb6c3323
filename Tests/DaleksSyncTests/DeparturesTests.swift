import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksSync

/// A file without a name goes once nobody works with it, whoever was the last and whatever was in the way.
@Suite struct DeparturesTests {
    let here: Machine

    init() throws { here = try Machine(try RegionStorage(), owner: .random(at: .zero)) }

    private var tree: LocalTree { here.engine.tree }

    /// A file whose name is gone, here and at the region, and which a program has open.
    private func openNameless() throws -> FileContent {
        try here.write([1, 2, 3], to: "file")
        try here.drain()
        let inode = try here.lookup("file").inode
        let content = try here.doing { tree throws(Obstacle) in try tree.openContent(inode) }
        try here.remove("file")
        tree.letGo(of: inode)
        try here.drain()
        return content
    }

    private func isGone(_ inode: Inode) -> Bool { (try? tree.stored(inode)) == nil }

    @Test func `it goes where the last program closes it while news of it is taken in`() throws {
        defer { here.stop() }
        let content = try openNameless()
        let inode = content.inode
        let id = try tree.stored(inode).id

        try here.engine.news.apply(concerning: [id]) { _, _ in try tree.closeContent(content) }

        #expect(eventually { isGone(inode) })
    }

    @Test func `it goes where the last program closes it while the cache is looked through`() throws {
        defer { here.stop() }
        let content = try openNameless()
        let inode = content.inode
        // As whoever makes room does.
        let same = try tree.contents.use(inode)
        try tree.closeContent(content)
        #expect(!isGone(inode))

        tree.contents.leave(same.inode)

        #expect(eventually { isGone(inode) })
    }

    @Test func `it goes once the index takes that, where it did not at first`() throws {
        defer { here.stop() }
        let content = try openNameless()
        let inode = content.inode
        try here.engine.database.refuse(true, "DELETE", rowsOf: "nodes")
        try tree.closeContent(content)
        #expect(eventually { tree.departures.withLock { $0.waiting.isEmpty && !$0.isScheduled } })
        #expect(!isGone(inode))

        try here.engine.database.refuse(false, "DELETE", rowsOf: "nodes")

        #expect(eventually { isGone(inode) })
    }
}
