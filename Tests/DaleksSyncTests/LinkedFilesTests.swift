import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksSync

/// Files with several names, some of which other machines gave them.
@Suite struct LinkedFilesTests {
    let storage: RegionStorage
    let owner = UserID.random(at: .zero)

    init() throws { storage = try RegionStorage() }

    private func link(_ path: String, as name: String, in folder: String, on machine: Machine) throws {
        let (node, home) = (try machine.lookup(path), try machine.lookup(folder))
        _ = try machine.doing { tree throws(Obstacle) in
            guard let name = try? Name(name) else { throw .errno(.invalid) }
            return try tree.link(node.inode, as: name, in: home.inode)
        }
    }

    /// The news of the file itself waits while something of ours is on its way; the name does not.
    @Test func `a file that loses the name that another machine gave it is sent on`() throws {
        let here = try Machine(storage, owner: owner)
        let elsewhere = try Machine(storage, owner: owner, name: "elsewhere")
        defer { here.stop(); elsewhere.stop() }
        try here.write([1], to: "file")
        try here.make("folder", .folder)
        try here.drain()
        _ = try here.list("folder")
        #expect(try eventually { try elsewhere.list().count == 2 })
        here.engine.pause(true)
        try here.write([2, 2], to: "file")
        try link("file", as: "other", in: "folder", on: elsewhere)
        try elsewhere.drain()
        #expect(try eventually { try here.list("folder") == ["other"] })
        #expect(try here.lookup("file").attributes.links == 2)

        try here.remove("folder/other")
        try here.write([3, 3, 3], to: "file")
        here.engine.pause(false)
        try here.drain()

        #expect(try here.lookup("file").attributes.links == 1)
        #expect(eventually { (try? elsewhere.read("file")) == [3, 3, 3] })
        #expect(try here.engine.database.read { db throws in try ContentTable.dirtyNodes(in: db) } == [])
    }

    /// The region never hears of what was made and replaced before anything was sent; what it had replaced itself it
    /// has taken away.
    @Test(arguments: [false, true])
    func `a file may take a name again that it lost to one that the region never saw`(isElsewhere: Bool) throws {
        let here = try Machine(storage, owner: owner)
        let elsewhere = try Machine(storage, owner: owner, name: "elsewhere")
        defer { here.stop(); elsewhere.stop() }
        try here.make("folder", .folder)
        try here.write([1], to: "file")
        try link("file", as: "name", in: isElsewhere ? "folder" : "", on: here)
        try here.drain()
        here.engine.pause(true)
        let name = isElsewhere ? "folder/name" : "name"

        try here.write([2], to: "new")
        try here.rename("new", to: name)
        try here.rename("file", to: name)
        try here.make("file", .folder)
        here.engine.pause(false)
        try here.drain()

        #expect(try here.lookup("file").attributes.kind == .folder)
        #expect(try here.lookup(name).attributes.links == 1)
        #expect(eventually { (try? elsewhere.read(name)) == [1] })
        #expect(eventually { (try? elsewhere.lookup("file").attributes.kind) == .folder })
        let conflicted = try here.list().filter { $0.contains("conflict") }
        #expect(conflicted.isEmpty)
    }

    /// Two steps of ours meet a file that another machine made: the link gets a name beside it, and what was renamed
    /// over the link another.
    @Test func `links are counted where a name that was replaced here is beside another at the region`() throws {
        let here = try Machine(storage, owner: owner)
        let elsewhere = try Machine(storage, owner: owner, name: "elsewhere")
        defer { here.stop(); elsewhere.stop() }
        try here.make("folder", .folder)
        try here.drain()
        _ = try here.list("folder")
        #expect(try eventually { try elsewhere.list() == ["folder"] })
        here.region.setUp(false)
        try here.write([1], to: "file")
        try link("file", as: "name", in: "folder", on: here)
        try here.write([2], to: "draft")
        try here.rename("draft", to: "folder/name")
        try elsewhere.write([3], to: "folder/name")
        try elsewhere.drain()

        here.region.setUp(true)
        try here.drain()

        #expect(try eventually { try here.list("folder").count > 1 && elsewhere.list("folder") == here.list("folder") })
        #expect(
            try eventually { try here.lookup("file").attributes.links == elsewhere.lookup("file").attributes.links }
        )
    }
}
