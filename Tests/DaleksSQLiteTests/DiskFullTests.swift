import DaleksSQLite
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@Suite(.serialized) struct DiskFullTests {
    @Test(.enabled(if: TinyDisk.isAvailable, "mounting a small file system needs root"))
    func `a full disk is told, loses nothing, and is recovered from`() throws {
        let disk = try #require(TinyDisk())
        let database = try Fixture.open(disk.path + "/a.db")
        var stored = 0
        var failure: SQLiteError.Code?
        while failure == nil, stored < 10_000 {
            failure = code { try database.put(stored, [UInt8](repeating: 3, count: 900), .full) }
            if failure == nil { stored += 1 }
        }
        #expect(failure == .full)
        #expect(try database.count() == stored && stored > 50)
        #expect(code { try database.put(stored, [UInt8](repeating: 3, count: 900)) } == .full)

        // What removes the log's bulk makes room for its own commit.
        #expect(mount("tmpfs", disk.path, "tmpfs", UInt(MS_REMOUNT), "size=4194304") == 0)
        try database.put(stored, [UInt8](repeating: 3, count: 900), .full)
        #expect(try database.count() == stored + 1)
        try database.checkpoint()
        #expect(try database.verify(thorough: true).isEmpty)
        database.close()
        #expect(try Fixture.open(disk.path + "/a.db").count() == stored + 1)
    }

    @Test(.enabled(if: TinyDisk.isAvailable, "mounting a small file system needs root"))
    func `a closure that swallows a full disk cannot commit the half of its work`() throws {
        let disk = try #require(TinyDisk())
        let database = try Fixture.open(disk.path + "/a.db")
        let outcome = code {
            try database.write { db in
                for key in 0..<20_000 {
                    // Each error is passed over, as a careless caller would.
                    _ = code { _ = try db.execute("INSERT INTO items VALUES (?1, zeroblob(900))", [.integer(key)]) }
                }
            }
        }
        #expect(outcome == .full || outcome == .interrupted)
        #expect(try database.count() == 0)
    }

    @Test(.enabled(if: TinyDisk.isAvailable, "mounting a small file system needs root"))
    func `no room for a backup leaves no part of one`() throws {
        let disk = try #require(TinyDisk())
        let scratch = Scratch()
        let database = try Fixture.open(scratch["a.db"])
        for key in 0..<2_000 { try database.put(key, [UInt8](repeating: 3, count: 900)) }
        #expect(code { try database.backup(to: disk.path + "/copy.db") } == .full)
        #expect(rmdir(disk.path) != 0 && errno == EBUSY)
        #expect(access(disk.path + "/copy.db", F_OK) != 0)
    }
}
