import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksFiles
@testable import DaleksSync

/// A region that came back from an older backup: nothing that a machine has goes away, and what it has whole is sent
/// again.
@Suite struct ReturnedRegionTests {
    private let owner = UserID.random(at: .zero)
    private let storage: RegionStorage

    init() throws { storage = try RegionStorage() }

    private func machine(_ name: String, on region: RegionStorage? = nil) throws -> Machine {
        try Machine(region ?? storage, owner: owner, name: name)
    }

    /// The region goes away and is, when it is back, what it was then.
    private func restore(_ backup: ScratchFolder, isAnnounced: Bool, _ machines: Machine...) throws -> RegionStorage {
        let region = try RegionStorage.restored(from: backup)
        if isAnnounced { _ = try region.store.raiseEpochs() }
        for machine in machines { machine.region.storage = region }
        return region
    }

    /// What another machine that knows nothing is shown.
    private func truth(_ region: RegionStorage) throws -> [String: String] {
        let stranger = try machine("stranger", on: region)
        defer { stranger.stop() }
        return try stranger.picture()
    }

    private func settles(_ machine: Machine, _ region: RegionStorage) -> Bool {
        eventually {
            guard machine.engine.pendingCount == 0, let here = try? machine.picture() else { return false }
            return here == (try? truth(region))
        }
    }

    private static func fill(_ machine: Machine) throws {
        try machine.make("kept", .folder)
        try machine.write([1], to: "kept/same")
        try machine.write(Array("old".utf8), to: "edited")
        try machine.write([UInt8](repeating: 3, count: 2 << 20), to: "large")
        try machine.write([4], to: "saved")
        try machine.write([5], to: "moved")
        try machine.write([6], to: "removed")
        try machine.write([7], to: "one")
        try machine.write([8], to: "two")
        try machine.make("folder", .folder)
        try machine.write([9], to: "folder/in it")
        try machine.drain()
    }

    /// Everything that a day's work does.
    private static func work(_ machine: Machine) throws {
        try machine.write(Array("new and longer".utf8), to: "edited", truncating: true)
        try machine.write([0xaa], to: "large", at: 1_500_000)
        try machine.write([44], to: "saved.tmp")
        try machine.rename("saved.tmp", to: "saved")
        try machine.rename("moved", to: "kept/moved")
        try machine.remove("removed")
        try machine.rename("one", to: "two", .exchange)
        try machine.rename("folder", to: "kept/folder")
        try machine.make("fresh", .folder)
        try machine.make("fresh/deeper", .folder)
        try machine.write([10], to: "fresh/deeper/file")
        try machine.write([UInt8](repeating: 11, count: 200_000), to: "fresh/new")
        let node = try machine.lookup("fresh/new").inode
        let (parent, name) = (try machine.lookup("kept").inode, try Name("linked"))
        _ = try machine.doing { tree throws(Obstacle) in try tree.link(node, as: name, in: parent) }
        var edit = LocalTree.AttributeEdit()
        edit.mode = 0o600
        let same = try machine.lookup("kept/same").inode
        _ = try machine.doing { tree throws(Obstacle) in try tree.setAttributes(of: same, edit) }
        try machine.doing { tree throws(Obstacle) in try tree.setExtended(Array("user.x".utf8), of: same, to: [1, 2]) }
        try machine.drain()
    }

    @Test(arguments: [true, false])
    func `what it forgot is sent again, and nothing goes away`(isAnnounced: Bool) throws {
        let here = try machine("here")
        defer { here.stop() }
        try Self.fill(here)
        let backup = try storage.backup()
        try Self.work(here)
        let before = try here.picture()

        let region = try restore(backup, isAnnounced: isAnnounced, here)

        #expect(settles(here, region))
        let after = try here.picture()
        for (path, what) in before { #expect(after[path] == what, "\(path)") }
        // What was removed since may come back; nothing else is new.
        #expect(Set(after.keys).subtracting(before.keys).isSubset(of: ["removed"]))
        #expect(try here.lookup("kept/same").attributes.mode == 0o600)
        #expect(try here.lookup("kept/linked").inode == here.lookup("fresh/new").inode)
        let stranger = try machine("stranger", on: region)
        defer { stranger.stop() }
        let same = try stranger.lookup("kept/same")
        #expect(same.attributes.mode == 0o600 && same.extended[Array("user.x".utf8)] == [1, 2])
        #expect(try stranger.read("saved") == [44] && stranger.read("one") == [8] && stranger.read("two") == [7])
    }

    @Test func `several machines that send the same again do not disagree`() throws {
        let (here, there) = (try machine("here"), try machine("there"))
        defer { here.stop(); there.stop() }
        try Self.fill(here)
        _ = try there.picture()
        let backup = try storage.backup()
        try Self.work(here)
        #expect(eventually { (try? there.picture()) == (try? here.picture()) })
        let before = try here.picture()

        let region = try restore(backup, isAnnounced: true, here, there)

        #expect(settles(here, region) && settles(there, region))
        let after = try here.picture()
        for (path, what) in before { #expect(after[path] == what, "\(path)") }
        #expect(Set(after.keys).subtracting(before.keys).isSubset(of: ["removed"]), "\(after.keys.sorted())")
    }

    @Test func `work that was never sent goes on from what was forgotten`() throws {
        let here = try machine("here")
        defer { here.stop() }
        try Self.fill(here)
        let backup = try storage.backup()
        try Self.work(here)
        here.region.setUp(false)
        try here.write([0xbb], to: "large", at: 10)
        try here.write([12], to: "fresh/later")
        try here.rename("fresh/new", to: "fresh/renamed")
        try here.rename("kept/folder", to: "fresh/folder")
        try here.write([13], to: "edited", at: 3)
        let before = try here.picture()

        let region = try restore(backup, isAnnounced: true, here)
        here.region.setUp(true)

        #expect(settles(here, region))
        let after = try here.picture()
        for (path, what) in before { #expect(after[path] == what, "\(path)") }
        #expect(Set(after.keys).subtracting(before.keys).isSubset(of: ["removed"]), "\(after.keys.sorted())")
    }

    @Test func `a name whose bytes another machine has stays until that one sends them`() throws {
        let (here, there) = (try machine("here"), try machine("there"))
        defer { here.stop(); there.stop() }
        try Self.fill(here)
        _ = try there.list()
        let backup = try storage.backup()
        try here.write([20], to: "only here")
        try here.drain()
        #expect(eventually { (try? there.list().contains("only here")) == true })
        here.region.setUp(false)

        let region = try restore(backup, isAnnounced: true, here, there)
        #expect(eventually { (try? there.engine.knowsReturns) == true })
        try there.write([21], to: "meanwhile")
        try there.drain()
        #expect(try there.list().contains("only here"))

        here.region.setUp(true)
        #expect(settles(here, region) && settles(there, region))
        #expect(try there.read("only here") == [20] && here.read("meanwhile") == [21])
    }

    @Test func `a name that stayed for another machine to send goes where that one has another by now`() throws {
        let (here, there) = (try machine("here"), try machine("there"))
        defer { here.stop(); there.stop() }
        try Self.fill(here)
        _ = try there.list()
        let backup = try storage.backup()
        try here.write([20], to: "draft")
        try here.drain()
        #expect(eventually { (try? there.list().contains("draft")) == true })
        here.region.setUp(false)
        try here.rename("draft", to: "saved")

        let region = try restore(backup, isAnnounced: true, here, there)
        #expect(eventually { (try? there.engine.knowsReturns) == true })
        #expect(try there.list().contains("draft"))
        here.region.setUp(true)

        #expect(settles(here, region) && settles(there, region))
        #expect(try there.read("saved") == [20])
        #expect(try !there.list().contains("draft"))
    }

    @Test func `a folder whose removal does not fit any more is as the region has it`() throws {
        let here = try machine("here")
        defer { here.stop() }
        try here.make("folder", .folder)
        try here.write([1], to: "folder/file")
        try here.drain()
        let backup = try storage.backup()
        try here.remove("folder/file")
        try here.drain()
        here.region.setUp(false)
        try here.remove("folder", isFolder: true)

        let region = try restore(backup, isAnnounced: true, here)
        here.region.setUp(true)

        #expect(settles(here, region))
        let stranger = try machine("stranger", on: region)
        defer { stranger.stop() }
        #expect(try stranger.list("folder") == ["file"])
        let folder = try stranger.lookup("folder").attributes
        #expect(eventually { (try? here.lookup("folder").attributes.modified) == folder.modified })
    }

    @Test func `bytes of a younger content are put aside where they cannot be sent`() throws {
        let (here, there) = (try machine("here"), try machine("there"))
        defer { here.stop(); there.stop() }
        try here.write([UInt8](repeating: 1, count: 3 << 20), to: "large")
        try here.drain()
        _ = try there.list()
        let backup = try storage.backup()
        let node = try there.lookup("large")
        try here.write([UInt8](repeating: 2, count: 3 << 20), to: "large")
        try here.drain()
        here.region.setUp(false)
        #expect(eventually { (try? there.lookup("large").content) != node.content })
        let content = try there.doing { tree throws(Obstacle) in try tree.openContent(node.inode) }
        var bytes = [UInt8](repeating: 0, count: 10)
        _ = try bytes.withUnsafeMutableBytes { buffer in
            try there.doing { _ throws(Obstacle) in try content.read(into: buffer, at: 1 << 20) }
        }
        #expect(bytes == [UInt8](repeating: 2, count: 10))
        try there.engine.tree.closeContent(content)

        _ = try restore(backup, isAnnounced: true, there)

        #expect(eventually { (try? there.read("large")) == [UInt8](repeating: 1, count: 3 << 20) })
        let aside = try #require(try Files.entries(of: there.folder.path("state/set-aside")).first)
        let file = try FileDescriptor.open(there.folder.path("state/set-aside/\(aside)"), O_RDONLY)
        #expect(try file.bytes(count: 10, at: 1 << 20) == [UInt8](repeating: 2, count: 10))
    }

    @Test(arguments: [true, false])
    func `a region that comes back again, from before it came back, is followed`(isAnnounced: Bool) throws {
        let (here, there) = (try machine("here"), try machine("there"))
        defer { here.stop(); there.stop() }
        try Self.fill(here)
        let backup = try storage.backup()
        try Self.work(here)
        let first = try restore(backup, isAnnounced: true, here, there)
        #expect(settles(here, first) && settles(there, first))
        let before = try here.picture()

        let second = try restore(backup, isAnnounced: isAnnounced, here, there)
        #expect(settles(here, second) && settles(there, second))
        try there.write([30], to: "kept/later")
        try there.write([31], to: "edited", truncating: true)
        try there.drain()

        #expect(settles(here, second) && settles(there, second))
        let after = try here.picture()
        for (path, what) in before where path != "edited" { #expect(after[path] == what, "\(path)") }
        #expect(try here.read("kept/later") == [30] && here.read("edited") == [31])
    }

    @Test func `a machine that slept through two returns keeps what was done between them`() throws {
        let (asleep, awake) = (try machine("asleep"), try machine("awake"))
        defer { asleep.stop(); awake.stop() }
        try asleep.write([1], to: "file")
        try asleep.drain()
        let first = try storage.backup()
        try asleep.write([2, 2], to: "file")
        try asleep.drain()
        asleep.region.setUp(false)
        let between = try restore(first, isAnnounced: true, awake)
        #expect(eventually { (try? awake.read("file")) == [1] })
        try awake.write([3, 3, 3], to: "file")
        try awake.drain()

        let region = try restore(try between.backup(), isAnnounced: true, asleep, awake)
        asleep.region.setUp(true)

        #expect(settles(asleep, region))
        let contents = try Set(asleep.list().map { try asleep.read($0) })
        #expect(contents == [[2, 2], [3, 3, 3]])
    }

    @Test func `an upload that began before the return holds nothing up but its file`() throws {
        let here = try machine("here")
        defer { here.stop() }
        try here.make("large")
        try here.drain()
        let backup = try storage.backup()
        try here.write([UInt8](repeating: 1, count: 2 << 20), to: "large")
        try here.drain()
        let (hasBegun, mayGoOn) = (Gate(), Gate())
        here.region.onPut {
            hasBegun.open()
            mayGoOn.wait()
        }
        defer { mayGoOn.open() }
        try here.write([UInt8](repeating: 2, count: 200_000), to: "large")
        try #require(hasBegun.wait(timeout: .seconds(20)))

        let region = try restore(backup, isAnnounced: true, here)
        #expect(eventually { (try? here.engine.knowsReturns) == true })
        try here.write([3], to: "other")

        let other = try here.lookup("other").id
        #expect(eventually { (try? region.store.node(other, for: owner).content) ?? 0 > 0 })
        here.region.onPut(nil)
        mayGoOn.open()
        #expect(settles(here, region))
    }

    @Test func `what was replaced before the return is let go of`() throws {
        let here = try machine("here")
        defer { here.stop() }
        let backup = try storage.backup()
        try here.write([1], to: "old")
        try here.write([2], to: "new")
        try here.drain()
        let old = try here.lookup("old")
        here.region.setUp(false)
        try here.write([3], to: "old")
        try here.rename("new", to: "old")

        let region = try restore(backup, isAnnounced: true, here)
        here.region.setUp(true)

        #expect(settles(here, region))
        #expect(eventually { (try? here.engine.database.reading { try NodeTable.exists(old.inode, in: $0) }) == false })
    }

    @Test(arguments: ["unheard", "heard", "read"])
    func `two contents of one number are never taken for each other`(forgotten news: String) throws {
        let (here, there) = (try machine("here"), try machine("there"))
        defer { here.stop(); there.stop() }
        try here.write([1], to: "file")
        try here.drain()
        #expect(try there.read("file") == [1])
        let backup = try storage.backup()
        try here.write([2], to: "file")
        try here.drain()
        let forgotten = try here.lookup("file").content
        if news != "unheard" { #expect(eventually { (try? there.lookup("file").content) == forgotten }) }
        if news == "read" { #expect(try there.read("file") == [2]) }
        there.region.setUp(false)

        let region = try restore(backup, isAnnounced: true, here, there)
        let other = try machine("other", on: region)
        defer { other.stop() }
        #expect(settles(here, region))
        try other.write([3, 3], to: "file")
        try other.drain()
        there.region.setUp(true)

        #expect(settles(there, region) && settles(here, region), "\(there.account(of: "file"))")
        let read = try there.read("file")
        #expect(read == [3, 3])
        #expect(try other.lookup("file").content != forgotten)
    }
}

extension SyncEngine {
    fileprivate var knowsReturns: Bool {
        get throws { try database.read { db throws in try MetaTable.text(.setbacks, in: db) } != nil }
    }
}
