import DaleksCache
import DaleksCore
import DaleksSync
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// Files and folders keep the times that programs gave them, whatever goes on beside and in whatever order the region
/// takes the steps.
@Suite struct TimesTests {
    private let owner = UserID.random(at: .zero)
    private let old = Timestamp(seconds: 1_046_660_583, nanoseconds: 333_333_333)

    private func giveTime(_ machine: Machine, _ path: String) throws {
        let node = try machine.lookup(path)
        var edit = LocalTree.AttributeEdit()
        edit.modified = old
        _ = try machine.doing { tree throws(Obstacle) in try tree.setAttributes(of: node.inode, edit) }
    }

    /// As `chown` does that names nobody.
    @Test func `a change that changes nothing has its time, whatever the region answers to what was before`() throws {
        let storage = try RegionStorage()
        let here = try Machine(storage, owner: owner)
        defer { here.stop() }
        let file = try here.make("file").inode
        try here.drain()
        var random = SeededGenerator(for: "times of changes that change nothing")
        for round in 0..<30 {
            var edit = LocalTree.AttributeEdit()
            edit.mode = UInt32(0o600 + round % 8)
            _ = try here.doing { tree throws(Obstacle) in try tree.setAttributes(of: file, edit) }
            // While that is on its way, or before, or after.
            usleep(UInt32.random(in: 0...40_000, using: &random))
            let changed = try here.doing { tree throws(Obstacle) in
                try tree.setAttributes(of: file, LocalTree.AttributeEdit()).attributes.changed
            }
            try here.drain()
            #expect(try here.lookup("file").attributes.changed == changed, "round \(round)")
        }
    }

    @Test func `a folder's own time outlives a rename in it that waited for its content`() throws {
        let storage = try RegionStorage()
        let here = try Machine(storage, owner: owner)
        defer { here.stop() }
        try here.make("copies", .folder)
        try here.drain()
        // As rsync does: a hidden file, its final name, and the folder's time last of all.
        here.region.setUp(false)
        try here.write([UInt8](repeating: 7, count: 300_000), to: "copies/.film")
        try here.rename("copies/.film", to: "copies/film")
        try giveTime(here, "copies")

        here.region.setUp(true)
        try here.drain()

        let there = try Machine(storage, owner: owner, name: "there")
        defer { there.stop() }
        #expect(try there.lookup("copies").attributes.modified == old)
        #expect(try there.list("copies") == ["film"])
        #expect(try eventually { try here.lookup("copies").attributes.modified == old })
    }

    @Test func `the latest of many changes in a folder is its time, whichever was told last`() throws {
        let storage = try RegionStorage()
        let here = try Machine(storage, owner: owner)
        defer { here.stop() }
        try here.make("copies", .folder)
        try here.drain()
        here.region.setUp(false)
        try here.write([UInt8](repeating: 7, count: 300_000), to: "copies/.film")
        try here.rename("copies/.film", to: "copies/film")
        try here.write([1], to: "copies/note")
        let time = try here.lookup("copies").attributes.modified

        here.region.setUp(true)
        try here.drain()

        let there = try Machine(storage, owner: owner, name: "there")
        defer { there.stop() }
        #expect(try there.lookup("copies").attributes.modified == time)
        #expect(try here.lookup("copies").attributes.modified == time)
    }

    @Test func `a file's own time outlives a close that was still saving what was written`() throws {
        let storage = try RegionStorage()
        let here = try Machine(storage, owner: owner)
        defer { here.stop() }
        let inode = try here.make("file").inode
        here.region.setUp(false)
        let tree = here.engine.tree
        for round in 0..<200 {
            let content = try tree.openContent(inode)
            _ = try [UInt8(truncatingIfNeeded: round)].withUnsafeBytes { try content.write($0, at: 0) }

            let begins = Gate()
            let closing = Thread(name: "close") {
                begins.open()
                try? tree.closeContent(content)
            }
            begins.wait()
            // At another point of the way each time.
            let end = TimeSource.system.now + .microseconds(round * 2)
            while TimeSource.system.now < end {}
            var edit = LocalTree.AttributeEdit()
            edit.modified = old
            _ = try tree.setAttributes(of: inode, edit)
            closing.join()

            try #require(try tree.node(inode).attributes.modified == old, "round \(round)")
        }
    }

    @Test func `a file's own time is not undone by whoever opens it at that moment`() throws {
        let storage = try RegionStorage()
        let here = try Machine(storage, owner: owner)
        defer { here.stop() }
        let inode = try here.make("file").inode
        here.region.setUp(false)
        let tree = here.engine.tree
        for round in 0..<200 {
            let begins = Gate()
            let opened = Lock<FileContent?>(nil)
            let opening = Thread(name: "open") {
                begins.open()
                opened.withLock { $0 = try? tree.openContent(inode) }
            }
            begins.wait()
            // At another point of the way each time.
            let end = TimeSource.system.now + .microseconds(round)
            while TimeSource.system.now < end {}
            var edit = LocalTree.AttributeEdit()
            edit.modified = Timestamp(seconds: Int64(round), nanoseconds: 0)
            _ = try tree.setAttributes(of: inode, edit)
            opening.join()

            try #require(try tree.node(inode).attributes.modified == edit.modified, "round \(round)")
            try tree.closeContent(try #require(opened.withLock { $0 }))
        }
    }
}
