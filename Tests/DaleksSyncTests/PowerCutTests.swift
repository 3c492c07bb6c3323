import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksSync

/// After a power cut: what was promised is there, and what is uncertain is not taken for anybody's bytes.
@Suite struct PowerCutTests {
    let storage: RegionStorage
    let owner = UserID.random(at: .zero)

    init() throws { storage = try RegionStorage() }

    private func machine() throws -> Machine { try Machine(storage, owner: owner) }

    /// The same folder after the machine started again.
    private func restarted(_ left: StateCopy, isConnected: Bool = true) throws -> Machine {
        try Machine(storage, owner: owner, folder: left.folder, isConnected: isConnected) { configuration in
            configuration.boot = "another"
        }
    }

    private static func bytes(_ count: Int, seed: UInt64 = 3) -> [UInt8] {
        var random = SeededGenerator(seed: seed)
        return random.bytes(count: count)
    }

    @Test func `what was made durable is there`() throws {
        let before = try machine()
        defer { before.stop() }
        _ = try before.list()
        before.region.setUp(false)
        let bytes = Self.bytes(1_500_000)
        try before.write(bytes, to: "file")
        let content = try before.engine.tree.openContent(before.lookup("file").inode)
        try before.engine.tree.synchronize(content)
        let left = try StateCopy(of: before)
        try before.engine.tree.closeContent(content)

        let after = try restarted(left)
        defer { after.stop() }
        let found = try after.read("file")
        #expect(found == bytes, "\(found.count) bytes of \(bytes.count): \(after.account(of: "file"))")
        try after.drain()
        let elsewhere = try machine()
        defer { elsewhere.stop() }
        #expect(try elsewhere.read("file") == bytes)
    }

    @Test func `an fsync makes certain what was written through a handle that is closed`() throws {
        let before = try machine()
        defer { before.stop() }
        before.engine.pause(true)
        _ = try before.list()
        try before.write(Self.bytes(50_000), to: "file")
        // The log alone, as a batch that goes to the region has it made durable.
        try before.engine.tree.database.flush()
        let inode = try before.lookup("file").inode
        let first = try before.engine.tree.openContent(inode)
        #expect(first.state.withLock { $0.isUnsynchronized })
        try before.engine.tree.synchronize(first)
        try before.engine.tree.closeContent(first)
        let left = try StateCopy(of: before)

        // Over what is dirty and vouched for: the index hears nothing of it.
        try before.write(Self.bytes(50_000, seed: 9), to: "file")
        let second = try before.engine.tree.openContent(inode)
        #expect(second.state.withLock { $0.isUnsynchronized })
        try before.engine.tree.synchronize(second)
        #expect(!second.state.withLock { $0.isUnsynchronized })
        try before.engine.tree.closeContent(second)

        let after = try restarted(left, isConnected: false)
        defer { after.stop() }
        #expect(try after.read("file") == Self.bytes(50_000))
    }

    @Test func `the region is told nothing that this machine could forget`() throws {
        let before = try machine()
        defer { before.stop() }
        _ = try before.list()
        before.engine.pause(true)
        try before.make("folder", .folder)
        try before.write(Self.bytes(1_000), to: "folder/file")
        let database = before.engine.tree.database
        let position = database.position
        let wasCertain = Lock<Bool?>(nil)
        before.region.onMutation {
            let isCertain = database.isDurable(position)
            wasCertain.withLock { $0 = $0 ?? isCertain }
        }

        before.engine.pause(false)
        try before.drain()

        #expect(wasCertain.withLock { $0 } == true)
    }

    @Test func `zeros in place of bytes that never reached the disk are not taken for the file`() throws {
        let before = try machine()
        defer { before.stop() }
        _ = try before.list()
        before.region.setUp(false)
        try before.write(Self.bytes(200_000), to: "file")
        let left = try StateCopy(of: before)
        // The log was written back by itself, the bytes were not.
        try left.forgetBytes(of: before.lookup("file").inode.rawValue, keepsSize: true)

        let after = try restarted(left)
        defer { after.stop() }
        #expect(try after.read("file") == [])
        try after.drain()
        let elsewhere = try machine()
        defer { elsewhere.stop() }
        #expect(try elsewhere.read("file") == [])
    }

    @Test(arguments: [20_000, 1_500_000]) func `what the region was handed before the cut is there after it`(
        _ count: Int
    ) throws {
        let before = try machine()
        defer { before.stop() }
        _ = try before.list()
        try before.make("file")
        try before.drain()
        before.region.loseAnswers(1_000)
        try before.write(Self.bytes(count), to: "file")
        let node = try before.lookup("file")
        for _ in 0..<1_000 {
            if let record = try? before.region.node(node.id), record.content > 0 { break }
            usleep(10_000)
        }
        let left = try StateCopy(of: before)
        try left.forgetBytes(of: node.inode.rawValue, keepsSize: true)

        // Small contents are in the journal itself; large ones come from the region.
        let after = try restarted(left, isConnected: count > 1 << 20)
        defer { after.stop() }
        #expect(try after.read("file") == Self.bytes(count))
        after.region.setUp(true)
        try after.drain()
        #expect(try after.read("file") == Self.bytes(count))
        let elsewhere = try machine()
        defer { elsewhere.stop() }
        #expect(try elsewhere.read("file") == Self.bytes(count))
        #expect(try elsewhere.list() == ["file"])
    }

    @Test func `an edit that is uncertain gives way to what the region has, and is put aside`() throws {
        let before = try machine()
        defer { before.stop() }
        let old = Self.bytes(2_500_000)
        try before.write(old, to: "file")
        try before.drain()
        before.region.setUp(false)
        try before.engine.tree.synchronizeJournal()
        try before.write([7, 7, 7], to: "file", at: 1_200_000)
        let left = try StateCopy(of: before)

        let after = try restarted(left)
        defer { after.stop() }
        #expect(try after.read("file") == old)
        let kept = try Files.entries(of: left.folder.path("state/set-aside"))
        #expect(kept.count == 1)
        var edited = old
        edited.replaceSubrange(1_200_000..<1_200_003, with: [7, 7, 7])
        #expect(try Files.readAll(left.folder.path("state/set-aside/\(kept[0])"), max: 3_000_000) == edited)
    }

    @Test func `bytes that never reached the disk get into no conflict copy`() throws {
        let (before, there) = (try machine(), try machine())
        defer { before.stop(); there.stop() }
        let old = Self.bytes(2_500_000)
        try there.write(old, to: "file")
        try there.drain()
        #expect(eventually { (try? before.read("file")) == old })
        let inode = try before.lookup("file").inode
        before.region.setUp(false)
        try before.write([7, 7, 7], to: "file", at: 1_200_000)
        let content = try before.engine.tree.openContent(inode)
        try before.engine.tree.synchronize(content)
        let left = try StateCopy(of: before)
        try before.engine.tree.closeContent(content)
        // What was fetched, nobody made durable: the index says that it is there, and it is not.
        let file = try FileDescriptor.open(left.backing(inode.rawValue), O_RDWR)
        try file.punchHole(0..<1_000_000)
        try there.write([8, 8], to: "file", at: 5)
        try there.drain()

        let after = try restarted(left)
        defer { after.stop() }
        try after.drain()

        var mine = old
        mine.replaceSubrange(1_200_000..<1_200_003, with: [7, 7, 7])
        let copy = try #require(eventuallyCopy(on: there), "\(after.account(of: "file"))")
        // The name comes with one change, the bytes with a later one.
        #expect(eventually { (try? there.read(copy)) == mine })
    }

    /// The name of a conflict copy, once there is one.
    private func eventuallyCopy(on machine: Machine) -> String? {
        _ = eventually { (try? machine.list().count) == 2 }
        return try? machine.list().first { $0.contains("conflict") }
    }

    @Test func `bytes stay here until it is durable that their file went`() throws {
        let here = try machine()
        defer { here.stop() }
        _ = try here.list()
        here.engine.pause(true)
        try here.write(Self.bytes(10_000), to: "file")
        let inode = try here.lookup("file").inode
        let content = try here.engine.tree.openContent(inode)
        try here.engine.tree.synchronize(content)
        try here.engine.tree.closeContent(content)
        let path = here.engine.tree.store.path(of: inode)

        try here.remove("file")
        here.engine.tree.letGo(of: inode)

        // The index has forgotten it; a power cut now would bring it back.
        #expect(eventually { (try? here.engine.tree.node(inode)) == nil })
        #expect(access(path, F_OK) == 0)
        _ = try here.engine.trimCache()
        #expect(eventually { access(path, F_OK) != 0 })
    }

    @Test func `a file replaced by rename is the old one when the new one lost its bytes`() throws {
        let before = try machine()
        defer { before.stop() }
        let old = Self.bytes(100_000)
        try before.write(old, to: "file")
        try before.drain()
        try before.engine.tree.synchronizeJournal()
        before.region.setUp(false)
        try before.write(Self.bytes(100_000, seed: 5), to: "file.new")
        let fresh = try before.lookup("file.new").inode
        try before.rename("file.new", to: "file")
        let left = try StateCopy(of: before)
        try left.forgetBytes(of: fresh.rawValue, keepsSize: false)

        let after = try restarted(left)
        defer { after.stop() }
        #expect(try after.read("file") == old)
        try after.drain()
        let elsewhere = try machine()
        defer { elsewhere.stop() }
        #expect(try elsewhere.read("file") == old)
    }

    @Test func `a file that was made safe comes back when what replaced it lost its bytes`() throws {
        let before = try machine()
        defer { before.stop() }
        try before.write(Self.bytes(100_000), to: "file")
        try before.drain()
        before.region.setUp(false)
        let safe = Self.bytes(90_000, seed: 5)
        try before.write(safe, to: "file.new")
        let content = try before.engine.tree.openContent(before.lookup("file.new").inode)
        try before.engine.tree.synchronize(content)
        try before.engine.tree.closeContent(content)
        try before.rename("file.new", to: "file")
        try before.engine.tree.synchronizeJournal()
        try before.write(Self.bytes(80_000, seed: 7), to: "file.new")
        let fresh = try before.lookup("file.new").inode
        try before.rename("file.new", to: "file")
        let left = try StateCopy(of: before)
        try left.forgetBytes(of: fresh.rawValue, keepsSize: false)

        let after = try restarted(left)
        defer { after.stop() }
        #expect(try after.read("file") == safe)
        try after.drain()
        let elsewhere = try machine()
        defer { elsewhere.stop() }
        #expect(try elsewhere.read("file") == safe)
    }

    @Test(arguments: [false, true]) func `an append that was made durable without the index is there`(
        _ losesTail: Bool
    ) throws {
        let before = try machine()
        defer { before.stop() }
        _ = try before.list()
        before.region.setUp(false)
        let bytes = Self.bytes(400_000)
        try before.write(Array(bytes[..<1_000]), to: "log")
        let inode = try before.lookup("log").inode
        let content = try before.engine.tree.openContent(inode)
        try before.engine.tree.synchronize(content)
        for position in stride(from: 1_000, to: bytes.count, by: 1_000) {
            _ = try bytes[position..<min(position + 1_000, bytes.count)].withUnsafeBytes { part in
                try content.write(part, at: nil)
            }
            try before.engine.tree.synchronize(content)
        }
        let left = try StateCopy(of: before)
        try before.engine.tree.closeContent(content)
        if losesTail {
            // The disk has the index as it was in the middle of the appends, which nobody vouched for.
            let index = try ReplicaDatabase.open(at: left.folder.path("state/replica.db"), logger: .silent)
            try index.writing { db throws in
                try db.execute("UPDATE nodes SET size = 50000 WHERE inode = ?1", [.integer(Int64(inode.rawValue))])
                try db.execute(
                    "UPDATE contents SET generation = 1000000 WHERE node = ?1",
                    [.integer(Int64(inode.rawValue))]
                )
            }
            index.close()
        }

        let after = try restarted(left, isConnected: false)
        defer { after.stop() }
        let found = try after.read("log")
        #expect(found == bytes, "\(found.count) bytes: \(after.account(of: "log"))")
    }

    @Test func `what the region has is certain, whatever size was vouched for before`() throws {
        let before = try machine()
        defer { before.stop() }
        let bytes = Self.bytes(25_000)
        try before.write(Array(bytes[..<24_000]), to: "log")
        try before.drain()
        before.engine.pause(true)
        try before.write(Array(bytes[24_000...]), to: "log", at: 24_000)
        let inode = try before.lookup("log").inode
        let left = try StateCopy(of: before)
        // An append that no flush vouched for went to the region, and another one began: the last size that was vouched
        // for is that of before both.
        let index = try ReplicaDatabase.open(at: left.folder.path("state/replica.db"), logger: .silent)
        try index.writing { db throws in
            let node: [Value] = [.integer(Int64(inode.rawValue))]
            try db.execute("UPDATE contents SET generation = 1000000, kept_size = 20000 WHERE node = ?1", node)
            try db.execute("UPDATE spans SET generation = 1000000 WHERE node = ?1", node)
        }
        index.close()

        let after = try restarted(left, isConnected: false)
        defer { after.stop() }
        #expect(try after.lookup("log").attributes.size == 24_000, "\(after.account(of: "log"))")
        after.region.setUp(true)
        #expect(try after.read("log") == Array(bytes[..<24_000]))
        #expect(try Files.entries(of: left.folder.path("state/set-aside")).count == 1)
    }
}
