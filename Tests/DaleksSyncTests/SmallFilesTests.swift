import DaleksCache
import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksSync

/// What many small files cost.
@Suite struct SmallFilesTests {
    private func machine(_ storage: RegionStorage, _ owner: UserID = .random(at: .zero)) throws -> Machine {
        try Machine(storage, owner: owner)
    }

    @Test func `a small file takes a tenth of a request or less`() throws {
        let here = try machine(try RegionStorage())
        defer { here.stop() }
        here.engine.pause(true)
        for number in 0..<200 { try here.write([UInt8](repeating: 1, count: 4_096), to: "file \(number)") }
        let before = here.region.batchCount

        here.engine.pause(false)
        try here.drain()

        #expect(here.region.batchCount - before <= 20)
        // They rode in the batches.
        #expect(here.region.putBytes == 0)
    }

    @Test func `a file that is opened again soon is not read from the index again`() throws {
        let here = try machine(try RegionStorage())
        defer { here.stop() }
        try here.write([1, 2, 3], to: "file")
        let inode = try here.lookup("file").inode
        let tree = here.engine.tree
        let first = try tree.openContent(inode)
        try tree.closeContent(first)

        let second = try tree.openContent(inode)
        defer { try? tree.closeContent(second) }

        #expect(first === second)
    }

    @Test func `files that nobody works with any more do not keep descriptors for ever`() throws {
        let here = try machine(try RegionStorage())
        defer { here.stop() }
        for number in 0..<400 { try here.write([1], to: "file \(number)") }
        try here.drain()
        let content = here.folder.path("state/content/")

        let isBounded = eventually {
            let descriptors = (try? Files.entries(of: "/proc/self/fd")) ?? []
            return descriptors.count { Self.target(of: $0).hasPrefix(content) } <= 256
        }

        #expect(isBounded)
    }

    private static func target(of descriptor: String) -> String {
        var target = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink("/proc/self/fd/\(descriptor)", &target, target.count)
        return String(decoding: target.prefix(max(0, length)).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    @Test func `a time that was set elsewhere shows for a file that was just closed`() throws {
        let (storage, owner) = (try RegionStorage(), UserID.random(at: .zero))
        let (here, there) = (try machine(storage, owner), try machine(storage, owner))
        defer { here.stop(); there.stop() }
        try here.write([1], to: "file")
        try here.drain()
        #expect(try there.read("file") == [1])
        let time = Timestamp(seconds: 1_000_000_000)

        var edit = LocalTree.AttributeEdit()
        edit.modified = time
        let inode = try here.lookup("file").inode
        _ = try here.doing { tree throws(Obstacle) in try tree.setAttributes(of: inode, edit) }
        try here.drain()

        #expect(eventually { (try? there.lookup("file").attributes.modified) == time })
        #expect(try there.read("file") == [1])
        #expect(try there.lookup("file").attributes.modified == time)
    }

    @Test func `a file that was replaced while its making was on the line has no name`() throws {
        let here = try machine(try RegionStorage())
        defer { here.stop() }
        _ = try here.list()
        here.engine.pause(true)
        try here.write([1], to: "new")
        try here.write([2], to: "old")
        let old = try here.lookup("old").inode
        let content = try here.doing { tree throws(Obstacle) in try tree.openContent(old) }
        let renamed = Lock(false)
        let cursor = try here.engine.tree.database.reading { db throws in try MetaTable.text(.cursor, in: db) }
        let (engine, from, to) = (here.engine, try Name("new"), try Name("old"))
        here.region.onMutation {
            guard renamed.withLock({ $0 }) == false else { return }
            engine.pause(true)
            do throws(Obstacle) {
                _ = try engine.tree.rename(from, in: .root, to: to, in: .root, .replace)
            } catch {
                Issue.record("\(error)")
            }
            renamed.withLock { $0 = true }
        }

        here.engine.pause(false)
        // The region's word of what it was sent before the rename has been heard.
        #expect(
            eventually {
                let now = try? here.engine.tree.database.reading { db throws in try MetaTable.text(.cursor, in: db) }
                return now != cursor && renamed.withLock { $0 }
            }
        )

        #expect(try here.engine.tree.node(old).attributes.links == 0)
        here.engine.pause(false)
        try here.drain()
        #expect(try here.engine.tree.node(old).attributes.links == 0)
        try here.engine.tree.closeContent(content)
    }
}
