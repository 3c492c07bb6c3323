import DaleksCache
import DaleksCore
import DaleksSync
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// What of the cache is there after a restart, and what is believed of it.
@Suite struct LastingCacheTests {
    let storage: RegionStorage
    let owner = UserID.random(at: .zero)

    init() throws { storage = try RegionStorage() }

    private static let large: [UInt8] = {
        var random = SeededGenerator(seed: 7)
        return random.bytes(count: 3 << 20) + [1, 2, 3]
    }()

    private func machine(
        folder: ScratchFolder = ScratchFolder(),
        isConnected: Bool = true,
        _ adjust: (inout SyncEngine.Configuration) -> Void = { _ in }
    ) throws -> Machine {
        try Machine(storage, owner: owner, folder: folder, isConnected: isConnected, adjust)
    }

    @Test func `what was cached is read after a restart without asking the region`() throws {
        let before = try machine()
        try before.write(Self.large, to: "file")
        try before.drain()
        before.stop()

        let after = try machine(folder: before.folder, isConnected: false)
        defer { after.stop() }
        #expect(try after.read("file") == Self.large)
    }

    @Test func `after a daemon died, what is cached is hashed and then believed`() throws {
        let before = try machine()
        defer { before.stop() }
        try before.write(Self.large, to: "file")
        try before.drain()
        let left = try StateCopy(of: before)

        let after = try machine(folder: left.folder, isConnected: false)
        defer { after.stop() }
        #expect(try after.read("file") == Self.large)
    }

    @Test func `after a daemon died, a damaged span is fetched anew`() throws {
        let before = try machine()
        defer { before.stop() }
        try before.write(Self.large, to: "file")
        try before.drain()
        let left = try StateCopy(of: before)
        try left.flipByte(of: before.lookup("file").inode.rawValue, at: 2 << 20)

        let after = try machine(folder: left.folder)
        defer { after.stop() }
        #expect(try after.read("file") == Self.large)
    }

    @Test(arguments: [false, true])
    func `after a daemon died, a file that nobody has open can be cut`(isDamaged: Bool) throws {
        let before = try machine()
        defer { before.stop() }
        try before.write(Self.large, to: "file")
        try before.drain()
        let inode = try before.lookup("file").inode
        let left = try StateCopy(of: before)
        if isDamaged { try left.flipByte(of: inode.rawValue, at: (1 << 20) + 5) }

        let after = try machine(folder: left.folder, isConnected: isDamaged)
        defer { after.stop() }
        let size = (1 << 20) + 100
        _ = try after.doing { tree throws(Obstacle) in try tree.truncate(inode, to: Int64(size)) }
        #expect(try after.read("file") == Array(Self.large.prefix(size)))
        after.region.setUp(true)
        try after.drain()
        let elsewhere = try machine()
        defer { elsewhere.stop() }
        #expect(try elsewhere.read("file") == Array(Self.large.prefix(size)))
    }

    @Test func `what a daemon had written when it died is there and goes to the region`() throws {
        let before = try machine()
        defer { before.stop() }
        try before.write([1, 2, 3], to: "file")
        try before.drain()
        before.region.setUp(false)
        let node = try before.lookup("file")
        let content = try before.engine.tree.openContent(node.inode)
        _ = try [UInt8](repeating: 9, count: 2 << 20).withUnsafeBytes { try content.write($0, at: 1) }
        let left = try StateCopy(of: before)
        try before.engine.tree.closeContent(content)

        let after = try machine(folder: left.folder)
        defer { after.stop() }
        let expected = [1] + [UInt8](repeating: 9, count: 2 << 20)
        #expect(try after.read("file") == expected)
        try after.drain()
        let elsewhere = try machine()
        defer { elsewhere.stop() }
        #expect(try elsewhere.read("file") == expected)
    }

    @Test func `sending a file is not using it`() throws {
        let machine = try machine { $0.space = CacheSpace(bytesMax: 4 << 20, reserveBytes: 0) }
        defer { machine.stop() }
        _ = try machine.list()
        machine.region.setUp(false)
        for index in 0..<4 { try machine.write(Self.large, to: "file \(index)") }
        // The first is used once more, then all are sent, and the first of all.
        _ = try machine.read("file 0")
        let nodes = try (0..<4).map { try machine.lookup("file \($0)").inode }
        machine.region.setUp(true)
        try machine.drain()

        _ = try machine.engine.trimCache()

        // Of its own it may have begun before, and not be done.
        #expect(eventually { (try? machine.engine.cacheFigures().bytes <= 4 << 20) == true })
        #expect(try machine.engine.tree.status(of: nodes[0]) != .remote)
        #expect(try machine.engine.tree.status(of: nodes[1]) == .remote)
    }

    @Test func `the longest unused goes when the cache is full, and comes back when it is read`() throws {
        let machine = try machine { configuration in
            configuration.space = CacheSpace(bytesMax: 4 << 20, reserveBytes: 0)
        }
        defer { machine.stop() }
        for index in 0..<4 { try machine.write(Self.large, to: "file \(index)") }
        try machine.drain()
        let first = try machine.lookup("file 0").inode

        _ = try machine.engine.trimCache()

        // Of its own it may have begun before, and not be done.
        #expect(eventually { (try? machine.engine.cacheFigures().bytes <= 4 << 20) == true })
        #expect(try machine.engine.tree.status(of: first) == .remote)
        let backing = machine.folder.path("state/content/0\(first.rawValue)/\(first.rawValue)")
        #expect(access(backing, F_OK) != 0)
        for index in 0..<4 { #expect(try machine.read("file \(index)") == Self.large) }
    }

    @Test func `however small they are, as many files go as the limit asks for`() throws {
        let machine = try machine { $0.space = CacheSpace(bytesMax: 1 << 20, reserveBytes: 0) }
        defer { machine.stop() }
        let content = [UInt8](repeating: 5, count: 8 << 10)
        for index in 0..<600 { try machine.write(content, to: "file \(index)") }
        try machine.drain()

        _ = try machine.engine.trimCache()

        #expect(try machine.engine.cacheFigures().bytes <= 1 << 20)
        // What is not here takes no file of the disk's either.
        let buckets = machine.folder.path("state/content")
        let held = try Files.entries(of: buckets).reduce(0) { try $0 + Files.entries(of: "\(buckets)/\($1)").count }
        #expect(held <= 1 + (1 << 20) / content.count)
        for index in [0, 1, 300, 599] { #expect(try machine.read("file \(index)") == content) }
    }

    @Test(.enabled(if: TinyDisk.isAvailable, "mounting a small file system needs root"))
    func `a disk that has room for bytes and none for files is given some back`() throws {
        let folder = ScratchFolder()
        try Files.createPrivateDirectory(folder.path("state"))
        let disk = try #require(TinyDisk(bytes: 64 << 20, files: 2_000, at: folder.path("state/content")))
        let machine = try machine(folder: folder) { $0.space = CacheSpace(reserveBytes: 0) }
        defer { machine.stop() }
        for index in 0..<2_000 where try Files.space(at: disk.path).freeFiles > 30 {
            try machine.write([UInt8](repeating: 1, count: 100), to: "\(index)")
        }
        try machine.drain()

        _ = try machine.engine.trimCache()

        #expect(try Files.space(at: disk.path).freeFiles >= 2 * 2_000 / 32)
        for index in 0..<100 { try machine.write([2], to: "more \(index)") }
        #expect(try machine.read("0") == [UInt8](repeating: 1, count: 100))
        try machine.drain()
    }

    @Test func `what the region does not have yet is never let go`() throws {
        let machine = try machine { configuration in
            configuration.space = CacheSpace(bytesMax: 1 << 20, reserveBytes: 0)
        }
        defer { machine.stop() }
        try machine.write([1], to: "known")
        try machine.drain()
        machine.region.setUp(false)
        try machine.write(Self.large, to: "file")

        _ = try machine.engine.trimCache()

        #expect(try machine.read("file") == Self.large)
    }

    @Test func `what is pinned stays`() throws {
        let machine = try machine { configuration in
            configuration.space = CacheSpace(bytesMax: 1 << 20, reserveBytes: 0)
        }
        defer { machine.stop() }
        try machine.write(Self.large, to: "file")
        try machine.drain()
        let inode = try machine.lookup("file").inode
        try machine.engine.pin(true, inode)

        #expect(try machine.engine.trimCache() == 0)
        try machine.engine.pin(false, inode)
        #expect(try machine.engine.trimCache() > 0)
    }

    @Test func `what comes into a pinned folder stays`() throws {
        let machine = try machine { configuration in
            configuration.space = CacheSpace(bytesMax: 1 << 20, reserveBytes: 0)
        }
        defer { machine.stop() }
        let folder = try machine.make("folder", .folder).inode
        try machine.make("folder/inner", .folder)
        try machine.engine.pin(true, folder)
        try machine.write(Self.large, to: "folder/inner/file")
        try machine.write(Self.large, to: "other")
        try machine.drain()

        for _ in 0..<2 { _ = try machine.engine.trimCache() }

        // The other file gave way.
        let here = machine.engine.status.cacheBytes
        #expect(here >= Int64(Self.large.count) && here < Int64(2 * Self.large.count))

        machine.region.setUp(false)
        #expect(try machine.read("folder/inner/file") == Self.large)
    }

    @Test func `a file that is cut and grows again has zeros there, at the region too`() throws {
        let machine = try machine()
        defer { machine.stop() }
        try machine.write(Self.large, to: "file")
        try machine.drain()
        let inode = try machine.lookup("file").inode

        _ = try machine.doing { tree throws(Obstacle) in try tree.truncate(inode, to: 10) }
        _ = try machine.doing { tree throws(Obstacle) in try tree.truncate(inode, to: Int64(Self.large.count)) }
        try machine.drain()

        let expected = Self.large[..<10] + [UInt8](repeating: 0, count: Self.large.count - 10)
        #expect(try machine.read("file") == Array(expected))
        let elsewhere = try self.machine()
        defer { elsewhere.stop() }
        #expect(try elsewhere.read("file") == Array(expected))
    }

    @Test func `a file that is cut and grows again during its upload has zeros there, at the region too`() throws {
        let machine = try machine()
        defer { machine.stop() }
        _ = try machine.list()
        machine.region.setUp(false)
        try machine.write(Self.large, to: "file")
        let inode = try machine.lookup("file").inode
        // The upload has begun, and waits for the region.
        usleep(300_000)
        _ = try machine.doing { tree throws(Obstacle) in try tree.truncate(inode, to: 10) }
        _ = try machine.doing { tree throws(Obstacle) in try tree.truncate(inode, to: 2_500_000) }
        machine.region.setUp(true)
        try machine.drain()

        let expected = Array(Self.large[..<10] + [UInt8](repeating: 0, count: 2_500_000 - 10))
        #expect(try machine.read("file") == expected)
        let elsewhere = try self.machine()
        defer { elsewhere.stop() }
        #expect(try elsewhere.read("file") == expected)
    }
}
