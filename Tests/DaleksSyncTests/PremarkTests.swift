import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksSync

/// A file that is made open is told to the index as written to, before it is: the first write then needs no
/// transaction. The index must not go on saying so where nothing came, nor be silent where something came later.
@Suite struct PremarkTests {
    let storage: RegionStorage
    let owner = UserID.random(at: .zero)

    init() throws { storage = try RegionStorage() }

    private func makeOpen(_ name: String, on machine: Machine) throws -> (node: LocalNode, content: FileContent) {
        let name = try Name(name)
        let creation = LocalTree.Creation(kind: .file, mode: 0o644, uid: 0, gid: 0)
        return try machine.doing { tree throws(Obstacle) in try tree.createOpen(name, in: .root, creation) }
    }

    private func write(_ bytes: [UInt8], to content: FileContent) throws {
        let count = try bytes.withUnsafeBytes { bytes in try content.write(bytes, at: 0) }
        #expect(count == bytes.count)
    }

    /// Dirty spans in the tables, and the generation of the youngest.
    private func marks(of inode: Inode, on machine: Machine) throws -> (spans: [Int], generation: Int64) {
        try machine.engine.database.read { db throws in
            let (states, generation) = try ContentTable.spans(of: inode, in: db)
            return (states.filter { $0.state == .dirty }.map(\.span), generation)
        }
    }

    @Test func `a file that was made and closed again waits for nothing`() throws {
        let here = try Machine(storage, owner: owner)
        defer { here.stop() }
        let (node, content) = try makeOpen("file", on: here)
        #expect(try marks(of: node.inode, on: here).spans == [0])

        try here.engine.tree.closeContent(content)

        #expect(try marks(of: node.inode, on: here).spans == [])
        try here.drain()
        try here.write([7], to: "file")
        #expect(try marks(of: node.inode, on: here).spans == [0])
        try here.drain()
        #expect(try here.read("file") == [7])
    }

    @Test func `the first write to a file that was made for it needs no transaction, and is marked`() throws {
        let here = try Machine(storage, owner: owner)
        defer { here.stop() }
        here.engine.pause(true)
        let (node, content) = try makeOpen("file", on: here)
        let before = here.engine.database.position

        try write([1, 2, 3], to: content)

        #expect(here.engine.database.position == before)
        #expect(try marks(of: node.inode, on: here).spans == [0])
        try here.engine.tree.closeContent(content)
        #expect(try here.read("file") == [1, 2, 3])
    }

    @Test func `a write after a barrier is marked in its own time`() throws {
        let here = try Machine(storage, owner: owner)
        defer { here.stop() }
        let (node, content) = try makeOpen("file", on: here)
        // So that there is something to vouch for.
        try here.write([9], to: "other")
        try here.engine.tree.synchronizeJournal()
        let vouched = here.engine.tree.contents.barrier.vouched
        #expect(try marks(of: node.inode, on: here).generation <= vouched)

        try write([1], to: content)

        #expect(try marks(of: node.inode, on: here).generation > vouched)
        try here.engine.tree.closeContent(content)
    }

    @Test func `what the region has taken is marked again when it is written again`() throws {
        let here = try Machine(storage, owner: owner)
        defer { here.stop() }
        let (node, content) = try makeOpen("file", on: here)
        try write([1], to: content)
        try here.engine.tree.saveContent(content)
        try here.drain()
        #expect(try marks(of: node.inode, on: here).spans == [])

        try write([2], to: content)

        #expect(try marks(of: node.inode, on: here).spans == [0])
        try here.engine.tree.closeContent(content)
        try here.drain()
        #expect(try here.read("file") == [2])
    }

    @Test func `a file that is cut before its first write is marked by that`() throws {
        let here = try Machine(storage, owner: owner)
        defer { here.stop() }
        let (node, content) = try makeOpen("file", on: here)
        _ = try here.engine.tree.truncate(node.inode, to: 0)

        try write([1], to: content)

        #expect(try marks(of: node.inode, on: here).spans == [0])
        try here.engine.tree.closeContent(content)
    }

    @Test func `a file that was only made when the daemon died is sent empty, and waits for nothing`() throws {
        let before = try Machine(storage, owner: owner)
        before.engine.pause(true)
        let (node, _) = try makeOpen("file", on: before)
        let left = try StateCopy(of: before)
        before.stop()
        let elsewhere = try Machine(storage, owner: owner, name: "elsewhere")
        defer { elsewhere.stop() }

        let here = try Machine(storage, owner: owner, folder: left.folder)
        defer { here.stop() }
        here.engine.pause(false)
        try here.drain()

        #expect(try marks(of: node.inode, on: here).spans == [])
        #expect(try eventually { try elsewhere.list() == ["file"] })
        #expect(try elsewhere.read("file") == [])
        try elsewhere.write([4], to: "file")
        try elsewhere.drain()
        #expect(eventually { (try? here.read("file")) == [4] })
        #expect(try here.list() == ["file"])
    }

    @Test func `what another machine writes into a file that is open here and empty is no conflict`() throws {
        let here = try Machine(storage, owner: owner)
        let elsewhere = try Machine(storage, owner: owner, name: "elsewhere")
        defer { here.stop(); elsewhere.stop() }
        let (node, content) = try makeOpen("file", on: here)
        try here.drain()
        #expect(try eventually { try elsewhere.list() == ["file"] })

        try elsewhere.write([5, 5], to: "file")
        try elsewhere.drain()

        #expect(eventually { (try? here.read("file")) == [5, 5] })
        #expect(try here.list() == ["file"])
        #expect(try marks(of: node.inode, on: here).spans == [])
        try write([6], to: content)
        #expect(try marks(of: node.inode, on: here).spans == [0])
        try here.engine.tree.closeContent(content)
        try here.drain()
        #expect(try here.list() == ["file"])
        #expect(eventually { (try? elsewhere.read("file")) == [6, 5] })
    }

    /// What is kept of a node at the end of a transaction is what the tables have of it.
    @Test func `what is remembered of nodes is what the database has`() throws {
        let here = try Machine(storage, owner: owner)
        defer { here.stop() }
        let tree = here.engine.tree
        func compare() throws {
            let inodes = try here.engine.database.read { db throws in
                try db.query("SELECT inode FROM nodes", []) { row in Inode(rawValue: UInt64(try row.int64(0))) }
            }
            for inode in inodes {
                let remembered = try tree.stored(inode)
                let known = try here.engine.database.read { db throws in try NodeTable.find(inode, in: db) }
                #expect(remembered == known)
            }
        }
        here.engine.pause(true)
        try here.make("folder", .folder)
        try here.make("folder/inner", .folder)
        try compare()
        for number in 0..<8 { try here.write([UInt8(number)], to: "folder/\(number)") }
        let (_, content) = try makeOpen("open", on: here)
        try write([1, 2, 3, 4], to: content)
        try tree.saveContent(content)
        try compare()
        try here.rename("folder/1", to: "first")
        try here.rename("folder/2", to: "folder/3")
        try here.rename("folder/4", to: "folder/5", .exchange)
        try here.rename("folder/inner", to: "outer")
        try compare()
        try here.remove("folder/6")
        try here.remove("outer", isFolder: true)
        var edit = LocalTree.AttributeEdit()
        edit.mode = 0o600
        _ = try tree.setAttributes(of: try here.lookup("first").inode, edit)
        try tree.setExtended(Array("user.a".utf8), of: try here.lookup("first").inode, to: [1])
        _ = try tree.truncate(try here.lookup("open").inode, to: 2)
        let (file, home) = (try here.lookup("first"), try here.lookup("folder"))
        let name = try Name("linked")
        _ = try here.doing { tree throws(Obstacle) in try tree.link(file.inode, as: name, in: home.inode) }
        try compare()
        #expect(throws: (any Error).self) { try here.rename("folder/7", to: "folder/0", .keep) }
        try compare()
        try tree.closeContent(content)
        here.engine.pause(false)
        try here.drain()
        try compare()
    }
}
