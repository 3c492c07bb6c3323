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

    /// What is done to a file after a cut failed.
    enum Sequel: CaseIterable { case nothing, cut, growth, write }

    @Test(arguments: Sequel.allCases, [(true, true), (true, false), (false, true), (false, false)])
    func `a cut for which the index has no room leaves the file as it was, here and elsewhere`(
        sequel: Sequel,
        _ past: (isAtRegion: Bool, isKilled: Bool)
    ) throws {
        var here = try Machine(storage, owner: owner)
        defer { here.stop() }
        _ = try here.list()
        here.engine.pause(!past.isAtRegion)
        var bytes = [UInt8](repeating: 7, count: 3 * Limits.spanBytes)
        try here.write(bytes, to: "file")
        if past.isAtRegion { try here.drain() }
        let before = try here.lookup("file").attributes

        try here.engine.database.refuse(true, rowsOf: "contents")
        #expect(throws: (any Error).self) { try cut("file", to: Limits.spanBytes + 500, on: here) }
        #expect(throws: (any Error).self) { try cut("file", to: bytes.count + 5, on: here) }
        try here.engine.database.refuse(false, rowsOf: "contents")
        #expect(try here.lookup("file").attributes == before)

        if past.isKilled {
            let folder = try StateCopy(of: here).folder
            here.stop()
            here = try Machine(storage, owner: owner, folder: folder, isConnected: false)
        }
        switch sequel {
        case .nothing: break
        case .cut:
            bytes.removeLast(bytes.count - 700)
            try cut("file", to: bytes.count, on: here)
        case .growth:
            bytes += [UInt8](repeating: 0, count: 9)
            try cut("file", to: bytes.count, on: here)
        case .write:
            bytes += [1, 2, 3]
            try here.write([1, 2, 3], to: "file", at: Int64(bytes.count - 3))
        }
        here.region.setUp(true)
        here.engine.pause(false)
        try here.drain()

        #expect(try here.read("file") == bytes)
        try expect(bytes, as: "file")
        #expect(try here.engine.database.read { db throws in try ContentTable.dirtyNodes(in: db) } == [])
    }

    @Test(arguments: [true, false]) func `a cut that the daemon did not live to finish is finished by the next`(
        isAtRegion: Bool
    ) throws {
        var here = try Machine(storage, owner: owner)
        defer { here.stop() }
        here.engine.pause(!isAtRegion)
        let bytes = [UInt8](repeating: 7, count: 3 * Limits.spanBytes)
        try here.write(bytes, to: "file")
        if isAtRegion { try here.drain() }
        let size = Limits.spanBytes + 500
        let content = try here.engine.tree.openContent(here.lookup("file").inode)
        // As in `truncate`, which makes the backing file shorter next.
        var left: StateCopy?
        #expect(throws: Obstacle.self) {
            try content.truncate(to: Int64(size)) { resizing throws(Obstacle) in
                try here.engine.tree.tell(resizing, of: content)
                left = try? StateCopy(of: here)
                throw .errno(.interrupted)
            }
        }
        try here.engine.tree.closeContent(content)
        here.stop()

        here = try Machine(storage, owner: owner, folder: try #require(left).folder, isConnected: false)
        #expect(try here.lookup("file").attributes.size == Int64(size))
        here.region.setUp(true)
        try here.drain()

        let after = Array(bytes.prefix(size))
        #expect(try here.read("file") == after)
        try expect(after, as: "file")
    }

    @Test func `what is appended to a file after it was cut is not cut by the next start`() throws {
        var here = try Machine(storage, owner: owner)
        defer { here.stop() }
        here.engine.pause(true)
        try here.write([UInt8](repeating: 7, count: 900), to: "file")
        let content = try here.engine.tree.openContent(here.lookup("file").inode)
        try cut("file", to: 500, on: here)
        // As where there was no room to say that it is done.
        try here.engine.database.writing { db throws in
            try ContentGenerationTable.noteCutDue(of: content.inode, to: 500, in: db)
        }
        content.state.withLock { $0.isCutDue = true }

        let tail = [UInt8](repeating: 8, count: 300)
        _ = try tail.withUnsafeBytes { bytes in try content.write(bytes, at: nil) }
        let left = try StateCopy(of: here)
        try here.engine.tree.closeContent(content)
        here.stop()
        here = try Machine(storage, owner: owner, folder: left.folder, isConnected: false)

        #expect(try here.read("file") == [UInt8](repeating: 7, count: 500) + tail)
    }

    @Test func `what was left to tell of a cut is told later, and then the file may go`() throws {
        let here = try Machine(storage, owner: owner)
        defer { here.stop() }
        try here.write([1, 2, 3], to: "file")
        let inode = try here.lookup("file").inode
        try cut("file", to: 2, on: here)
        // As where there was no room to say that it is done.
        let content = try here.engine.tree.openContent(inode)
        content.state.withLock { ($0.isCutDue, $0.isUnsaved) = (true, true) }
        here.engine.tree.contents.release(inode)
        try here.remove("file")
        here.engine.tree.letGo(of: inode)

        #expect(eventually { (try? here.engine.tree.stored(inode)) == nil })
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
