import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksSync

/// Everything has to be asked for again: the feed was lost, or the region came back from a backup.
@Suite struct DistrustTests {
    @Test func `whole folders are asked for, and not each file in them`() throws {
        let machine = try Machine(RegionStorage(), owner: UserID.random(at: .zero))
        defer { machine.stop() }
        for folder in ["one", "two"] {
            try machine.make(folder, .folder)
            for number in 0..<40 { try machine.make("\(folder)/\(number)") }
        }
        try machine.drain()
        #expect(eventually { (try? staleCount(machine)) == 0 })
        let (before, asked) = (try machine.picture(), machine.region.questionCount)

        try machine.engine.database.writing { db throws in try NodeTable.distrustAll(in: db) }
        machine.engine.puller.poke()

        #expect(eventually { (try? staleCount(machine)) == 0 })
        // For each of three folders what it is and what is in it.
        #expect(machine.region.questionCount - asked <= 6)
        #expect(try machine.picture() == before)
    }

    @Test func `a folder that comes to be doubted while it is listed is asked for again`() throws {
        let machine = try Machine(RegionStorage(), owner: UserID.random(at: .zero))
        defer { machine.stop() }
        try machine.make("folder", .folder)
        try machine.make("folder/file")
        try machine.drain()
        #expect(eventually { (try? staleCount(machine)) == 0 })
        let folder = try machine.lookup("folder")
        let (database, times) = (machine.engine.database, Lock(0))
        machine.region.onListing {
            guard times.withLock({ times in (times, times += 1).0 == 0 }) else { return }
            // As when news of it has to wait for something that is done here.
            try? database.writing { db throws in
                guard var doubted = try NodeTable.find(folder.inode, in: db) else { return }
                (doubted.isStale, doubted.attributes.mode) = (true, 0o711)
                try NodeTable.update(doubted, in: db)
            }
        }
        try database.writing { db throws in
            var unlisted = try #require(try NodeTable.find(folder.inode, in: db))
            unlisted.isComplete = false
            try NodeTable.update(unlisted, in: db)
        }

        #expect(try machine.list("folder") == ["file"])

        machine.engine.puller.poke()
        #expect(eventually { (try? staleCount(machine)) == 0 })
        #expect(try machine.lookup("folder").attributes.mode == folder.attributes.mode)
    }

    private func staleCount(_ machine: Machine) throws -> Int64? {
        try machine.engine.database.reading { db throws in
            try db.first("SELECT count(*) FROM nodes WHERE stale", []) { row in try row.int64(0) }
        }
    }
}
