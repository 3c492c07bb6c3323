import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksSync

/// The disk has no room for bytes, and later has: a write that got in says so, one that did not leaves nothing behind.
@Suite(.enabled(if: TinyDisk.isAvailable, "mounting a small file system needs root")) struct FullDiskTests {
    let storage: RegionStorage
    let owner = UserID.random(at: .zero)
    let here: Machine
    let disk: TinyDisk

    init() throws {
        storage = try RegionStorage()
        let folder = ScratchFolder()
        try Files.createPrivateDirectory(folder.path("state"))
        // The bytes alone: the index lies beside it and has room.
        disk = try #require(TinyDisk(bytes: 16 << 20, at: folder.path("state/content")))
        here = try Machine(storage, owner: owner, folder: folder) { configuration in
            configuration.space = CacheSpace(reserveBytes: 0)
        }
    }

    private static func bytes(_ count: Int, seed: UInt64 = 3) -> [UInt8] {
        var random = SeededGenerator(seed: seed)
        return random.bytes(count: count)
    }

    private func open(_ name: String) throws -> FileContent {
        let inode = try here.lookup(name).inode
        return try here.doing { tree throws(Obstacle) in try tree.openContent(inode) }
    }

    /// How much of it got in; nil where the disk took nothing.
    private func write(_ bytes: [UInt8], to content: FileContent, at offset: Int64?) throws -> Int? {
        do {
            return try bytes.withUnsafeBytes { bytes in
                try here.doing { _ throws(Obstacle) in try content.write(bytes, at: offset) }
            }
        } catch Obstacle.errno(.noSpace) {
            return nil
        }
    }

    /// What the file is, here and once the region has it, for others.
    private func expect(_ bytes: [UInt8], as name: String) throws {
        #expect(try here.read(name) == bytes)
        try here.drain()
        #expect(try here.engine.database.read { db throws in try ContentTable.dirtyNodes(in: db) } == [])
        let elsewhere = try Machine(storage, owner: owner, name: "elsewhere")
        defer { elsewhere.stop() }
        #expect(try elsewhere.read(name) == bytes)
    }

    @Test func `an append that gets in only in part makes the file as long as that`() throws {
        defer { here.stop() }
        var known = Self.bytes(1_000)
        try here.write(known, to: "file")
        let content = try open("file")
        let more = Self.bytes(400_000, seed: 5)
        try disk.fill(but: 100_000)

        let count = try #require(try write(more, to: content, at: nil))
        #expect(count > 0 && count < more.count)
        known += more.prefix(count)
        #expect(content.live.size == Int64(known.count))
        #expect(try write(more, to: content, at: nil) == nil)
        #expect(content.live.size == Int64(known.count))
        #expect(try Int64(content.backing.status().st_size) == Int64(known.count))

        try disk.fill(but: nil)
        #expect(try write([1, 2, 3], to: content, at: nil) == 3)
        try here.engine.tree.closeContent(content)
        try expect(known + [1, 2, 3], as: "file")
    }

    @Test(arguments: [true, false]) func `a write that does not get in leaves the file as it was`(
        isAtRegion: Bool
    ) throws {
        defer { here.stop() }
        here.engine.pause(!isAtRegion)
        // It ends where a span does: what comes next would lie in one of its own.
        let known = Self.bytes(Limits.spanBytes)
        try here.write(known, to: "file")
        if isAtRegion { try here.drain() }
        let content = try open("file")
        try disk.fill(but: 0)

        #expect(try write(Self.bytes(9_000, seed: 5), to: content, at: nil) == nil)
        #expect(try write(Self.bytes(9_000, seed: 5), to: content, at: 2 << 20) == nil)

        #expect(content.live.size == Int64(known.count))
        try disk.fill(but: nil)
        try here.engine.tree.closeContent(content)
        here.engine.pause(false)
        try expect(known, as: "file")
    }

    /// The region's bytes are not here, and what is to lie over them gets in only in part.
    @Test func `a whole span of which only a part gets in is the region's still`() throws {
        let known = Self.bytes(2 * Limits.spanBytes)
        let elsewhere = try Machine(storage, owner: owner, name: "elsewhere")
        defer { elsewhere.stop(); here.stop() }
        _ = try here.list()
        try elsewhere.write(known, to: "file")
        try elsewhere.drain()
        #expect(try eventually { try here.list() == ["file"] })
        let content = try open("file")
        // The gate has looked at the disk by now, and lets a few megabytes more through.
        #expect(try write([known[0]], to: content, at: 0) == 1)
        let more = Self.bytes(Limits.spanBytes, seed: 5)
        try disk.fill(but: 600_000)

        let count = try write(more, to: content, at: Int64(Limits.spanBytes))
        #expect(count == nil)

        try disk.fill(but: nil)
        try here.engine.tree.closeContent(content)
        try expect(known, as: "file")
    }
}

/// A disk that will not let a file be cut, as one that broke.
@Suite struct StuckDiskTests {
    private final class Marks: ContentMarks {
        func mark(_ content: FileContent, _ spans: [Int], _ change: () throws(Errno) -> Void) throws(Errno) {
            try change()
        }
        func unmark(_ inode: Inode, _ spans: Set<Int>) throws(Errno) {}
        func admit(_ count: Int) throws(Obstacle) {}
        func wrote(_ count: Int) {}
    }

    @Test func `a file whose old bytes cannot be let go of keeps nobody out`() throws {
        let folder = ScratchFolder()
        let path = try folder.write([1, 2, 3], to: "1")
        var attributes = Attributes.ofSharedFolder(at: .zero)
        (attributes.kind, attributes.size) = (.file, 3)
        var node = LocalNode(inode: Inode(rawValue: 9), id: .random(at: .zero), attributes: attributes, content: 4)
        node.contentSize = 3
        let content = try FileContent(
            KnownContent(node: node, spans: [(0, .clean)]),
            // Nothing that is opened like this can be changed.
            backing: FileDescriptor.open(path, O_RDONLY),
            time: .system,
            marks: Marks()
        )
        (node.attributes.size, node.content, node.contentSize) = (5, 6, 5)

        content.freeze()
        let failure = content.adopt(node)

        #expect(failure != nil)
        let isLetIn = Gate()
        _ = Thread(name: "reader") {
            _ = try? content.requireReadable(at: 0, count: 1)
            content.freeze()
            content.thaw { _ in }
            isLetIn.open()
        }
        #expect(isLetIn.wait(timeout: .seconds(10)))
        #expect(content.live.size == 5)
        #expect(throws: Obstacle.needs(.spans(node.inode, 0..<1))) { try content.requireReadable(at: 0, count: 5) }
        #expect(throws: Errno.self) { try content.synchronize() }
    }
}
