import DaleksCache
import DaleksCore
import DaleksSync
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// The index of the cache is lost or damaged. The files know whose they are.
@Suite struct LostIndexTests {
    let storage: RegionStorage
    let owner = UserID.random(at: .zero)

    init() throws { storage = try RegionStorage() }

    /// A machine that has one file the region knows, one edited since, and two that the region never saw.
    private func left(_ damage: (StateCopy) throws -> Void) throws -> Machine {
        let before = try Machine(storage, owner: owner)
        defer { before.stop() }
        try before.make("folder", .folder)
        try before.write(Array("known".utf8), to: "known")
        try before.write([UInt8](repeating: 5, count: 2_500_000), to: "folder/edited")
        try before.drain()
        before.region.setUp(false)
        try before.write([6, 6, 6], to: "folder/edited", at: 1_100_000)
        try before.write(Array("new".utf8), to: "folder/new")
        try before.make("lost folder", .folder)
        try before.write(Array("unplaced".utf8), to: "lost folder/unplaced")
        let copy = try StateCopy(of: before)
        try damage(copy)
        return try Machine(storage, owner: owner, folder: copy.folder)
    }

    private func check(_ after: Machine) throws {
        #expect(eventually(within: .seconds(20)) { (try? after.list("Recovered")) == ["unplaced"] })
        let isLookedThrough = eventually {
            let left = (try? Files.entries(of: after.folder.path("state"))) ?? []
            return !left.contains { $0.hasPrefix("content.lost") }
        }
        #expect(isLookedThrough)
        #expect(try after.list() == ["Recovered", "folder", "known"])
        #expect(try after.list("folder") == ["edited", "new"])
        var edited = [UInt8](repeating: 5, count: 2_500_000)
        edited.replaceSubrange(1_100_000..<1_100_003, with: [6, 6, 6])
        #expect(try after.read("folder/edited") == edited)
        #expect(try after.read("folder/new") == Array("new".utf8))
        #expect(try after.read("Recovered/unplaced") == Array("unplaced".utf8))
        #expect(try after.read("known") == Array("known".utf8))
        try after.drain()
        let elsewhere = try Machine(storage, owner: owner)
        defer { elsewhere.stop() }
        #expect(try elsewhere.read("folder/edited") == edited)
        #expect(try elsewhere.list() == ["Recovered", "folder", "known"])
    }

    @Test func `an index that is gone is made anew from the region and the files`() throws {
        let after = try left { copy in
            for ending in ["", "-wal", "-shm"] { unlink(copy.folder.path("state/replica.db\(ending)")) }
        }
        defer { after.stop() }
        try check(after)
    }

    @Test func `an index that is damaged is put beside`() throws {
        let after = try left { copy in
            let path = copy.folder.path("state/replica.db")
            let file = try FileDescriptor.open(path, O_RDWR)
            try [UInt8](repeating: 0x5a, count: 40_000).withUnsafeBytes { try file.write($0, at: 0) }
            for ending in ["-wal", "-shm"] { unlink(path + ending) }
        }
        defer { after.stop() }
        try check(after)
        let left = try Files.entries(of: after.folder.path("state"))
        #expect(left.contains { $0.hasPrefix("replica.lost-") })
    }
}
