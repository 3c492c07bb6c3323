import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksSync

/// The disk has no room for the index to grow, and later has.
@Suite struct FullIndexTests {
    let storage: RegionStorage
    let owner = UserID.random(at: .zero)

    init() throws { storage = try RegionStorage() }

    @Test func `a file that was about to go when there was no room for its number goes when there is`() throws {
        let here = try Machine(storage, owner: owner)
        defer { here.stop() }
        _ = try here.list()
        here.engine.pause(true)
        let bytes = [UInt8](repeating: 7, count: 60 << 10)
        try here.write(bytes, to: "draft")
        try here.rename("draft", to: "file")

        try here.engine.database.setFull(true)
        here.engine.pause(false)
        #expect(eventually { here.engine.pusher.lastFailure != nil })
        try here.engine.database.setFull(false)

        try here.drain()
        try expect(bytes, as: "file")
    }

    /// What is done to a file after it was cut.
    enum Sequel: CaseIterable { case nothing, growth, write }

    @Test(arguments: Sequel.allCases, [(true, true), (true, false), (false, true), (false, false)])
    func `a file that was cut when the index could not hear of it is as it shows, here and elsewhere`(
        sequel: Sequel,
        _ past: (isAtRegion: Bool, isKilled: Bool)
    ) throws {
        var here = try Machine(storage, owner: owner)
        defer { here.stop() }
        _ = try here.list()
        here.engine.pause(!past.isAtRegion)
        let before = [UInt8](repeating: 7, count: 3 * Limits.spanBytes)
        try here.write(before, to: "file")
        if past.isAtRegion { try here.drain() }

        let size = Limits.spanBytes + 500
        try here.engine.database.refuse(true, rowsOf: "contents")
        #expect(throws: (any Error).self) { try cut("file", to: size, on: here) }
        try here.engine.database.refuse(false, rowsOf: "contents")
        #expect(try here.lookup("file").attributes.size == Int64(size))

        if past.isKilled {
            let folder = try StateCopy(of: here).folder
            here.stop()
            here = try Machine(storage, owner: owner, folder: folder, isConnected: false)
        }
        var after = Array(before.prefix(size))
        switch sequel {
        case .nothing: break
        case .growth:
            after += [UInt8](repeating: 0, count: before.count - size)
            try cut("file", to: before.count, on: here)
        case .write:
            let tail: [UInt8] = [1, 2, 3]
            after += [UInt8](repeating: 0, count: 2 * Limits.spanBytes + 9 - size)
            try here.write(tail, to: "file", at: Int64(after.count))
            after += tail
        }
        here.region.setUp(true)
        here.engine.pause(false)
        try here.drain()

        #expect(try here.read("file") == after)
        try expect(after, as: "file")
        #expect(try here.engine.database.read { db throws in try ContentTable.dirtyNodes(in: db) } == [])
    }

    @Test func `what could not be saved when it was closed is saved later, however many files follow`() throws {
        let here = try Machine(storage, owner: owner)
        defer { here.stop() }
        try here.write([1], to: "file")
        try here.drain()
        let inode = try here.lookup("file").inode
        let content = try here.doing { tree throws(Obstacle) in try tree.openContent(inode) }
        let bytes = [UInt8](repeating: 7, count: 1_000)
        _ = try bytes.withUnsafeBytes { buffer in
            try here.doing { _ throws(Obstacle) in try content.write(buffer, at: 0) }
        }

        try here.engine.database.refuse(true, rowsOf: "contents")
        #expect(throws: (any Error).self) { try here.engine.tree.closeContent(content) }
        for number in 0..<300 {
            let other = try here.make("file \(number)")
            try here.engine.tree.closeContent(
                try here.doing { tree throws(Obstacle) in try tree.openContent(other.inode) }
            )
        }
        try here.engine.database.refuse(false, rowsOf: "contents")

        #expect(try here.read("file") == bytes)
        try here.drain()
        try expect(bytes, as: "file")
    }

    @Test func `news for which there was no room is asked for again when there is`() throws {
        let here = try Machine(storage, owner: owner)
        defer { here.stop() }
        let elsewhere = try Machine(storage, owner: owner, name: "elsewhere")
        defer { elsewhere.stop() }
        _ = try here.list()
        here.engine.pause(true)
        try here.make("mine")
        try elsewhere.make("theirs")
        try elsewhere.drain()
        // Something is pending in the folder, so the news waits for that.
        #expect(try eventually { try here.engine.tree.stored(.root).isStale })

        try here.engine.database.refuse(true, rowsOf: "entries")
        let before = here.region.questionCount
        here.engine.pause(false)
        try here.drain()
        #expect(eventually { here.region.questionCount > before + 2 })
        try here.engine.database.refuse(false, rowsOf: "entries")

        #expect(try eventually { try here.list() == ["mine", "theirs"] })
    }

    private func cut(_ path: String, to size: Int, on machine: Machine) throws {
        let inode = try machine.lookup(path).inode
        _ = try machine.doing { tree throws(Obstacle) in try tree.truncate(inode, to: Int64(size)) }
    }

    private func expect(_ bytes: [UInt8], as name: String) throws {
        let elsewhere = try Machine(storage, owner: owner, name: "elsewhere")
        defer { elsewhere.stop() }
        #expect(try elsewhere.read(name) == bytes)
    }
}
