import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksFiles
@testable import DaleksSync

/// What somebody shares, on a machine of theirs and on one of whom they share it with.
@Suite struct SharedItemsTests {
    let storage: RegionStorage
    let ann = UserID.random(at: .zero)
    let bob = UserID.random(at: .zero)

    init() throws { storage = try RegionStorage() }

    /// Ann's machine, and Bob's folder of what is shared with him.
    private func machines(bobs folder: ScratchFolder = ScratchFolder()) throws -> (ann: Machine, bob: Machine) {
        (
            try Machine(storage, owner: ann, name: "anns"),
            try Machine(storage, owner: bob, name: "bobs", folder: folder, showsShares: true)
        )
    }

    private var annsFolder: String { "user-\("\(ann)".suffix(4))" }

    private func share(_ path: String, of machine: Machine, _ rights: Rights, expires: Timestamp? = nil) throws {
        try machine.drain()
        let id = try machine.lookup(path).id
        let request = GrantRequest(rights: rights, expires: expires)
        _ = try storage.store.grant(request, to: bob, on: id, by: ann)
    }

    private func unshare(_ path: String, of machine: Machine) throws {
        _ = try storage.store.revoke(bob, on: try machine.lookup(path).id, by: ann)
    }

    /// As the feed of Bob's own tree does.
    private func look(_ machine: Machine) { machine.engine.lookAtShares() }

    @Test func `what is shared shows in its owner's folder, and what happens in it on both sides`() throws {
        let machines = try machines()
        defer { machines.ann.stop(); machines.bob.stop() }
        #expect(try machines.bob.list() == [])
        try machines.ann.make("plans", .folder)
        try machines.ann.write(Array("hello".utf8), to: "plans/today")
        try share("plans", of: machines.ann, [.read, .write, .update, .delete])
        look(machines.bob)
        #expect(eventually { (try? machines.bob.list(annsFolder)) == ["plans"] })
        let plans = "\(annsFolder)/plans"
        #expect(try machines.bob.read("\(plans)/today") == Array("hello".utf8))

        let large = [UInt8](repeating: 3, count: 3 << 20) + [1, 2, 3]
        try machines.bob.write(large, to: "\(plans)/large")
        try machines.bob.make("\(plans)/deeper", .folder)
        try machines.bob.write([9], to: "\(plans)/deeper/file")
        try machines.bob.write([8], to: "\(plans)/today", truncating: true)
        try machines.bob.drain()

        #expect(eventually { (try? machines.ann.list("plans")) == ["deeper", "large", "today"] })
        #expect(try machines.ann.read("plans/large") == large)
        #expect(try machines.ann.read("plans/deeper/file") == [9])
        #expect(eventually { (try? machines.ann.read("plans/today")) == [8] })
        try machines.ann.write([7, 7], to: "plans/deeper/file", truncating: true)
        try machines.ann.rename("plans/large", to: "plans/deeper/large")
        try machines.ann.drain()
        #expect(eventually { (try? machines.bob.read("\(plans)/deeper/file")) == [7, 7] })
        #expect(eventually { (try? machines.bob.list("\(plans)/deeper")) == ["file", "large"] })
        try machines.bob.remove("\(plans)/today")
        try machines.bob.drain()
        #expect(eventually { (try? machines.ann.list("plans")) == ["deeper"] })
        #expect(try storage.store.trash(of: ann, after: nil, limit: 9).items.map(\.name.description) == ["today"])
    }

    @Test func `items of one name have two, and follow their owner's renaming`() throws {
        let machines = try machines()
        defer { machines.ann.stop(); machines.bob.stop() }
        for folder in ["a", "b"] {
            try machines.ann.make(folder, .folder)
            try machines.ann.write([1], to: "\(folder)/notes.txt")
            try share("\(folder)/notes.txt", of: machines.ann, [.read])
        }

        look(machines.bob)
        #expect(eventually { (try? machines.bob.list(annsFolder)) == ["notes (2).txt", "notes.txt"] })
        try machines.ann.rename("a/notes.txt", to: "a/diary")
        try machines.ann.drain()

        #expect(eventually { (try? machines.bob.list(annsFolder))?.contains("diary") ?? false })
        #expect(try machines.bob.list(annsFolder).count == 2)
    }

    @Test func `an item that lies in another shows there only`() throws {
        let machines = try machines()
        defer { machines.ann.stop(); machines.bob.stop() }
        try machines.ann.make("outer", .folder)
        try machines.ann.make("outer/inner", .folder)
        try machines.ann.write([1], to: "outer/inner/file")
        try share("outer/inner", of: machines.ann, [.read, .update])
        look(machines.bob)
        #expect(eventually { (try? machines.bob.list(annsFolder)) == ["inner"] })
        #expect(try machines.bob.read("\(annsFolder)/inner/file") == [1])

        try share("outer", of: machines.ann, [.read])
        look(machines.bob)

        #expect(eventually { (try? machines.bob.list("\(annsFolder)/outer")) == ["inner"] })
        look(machines.bob)
        #expect(eventually { (try? machines.bob.list(annsFolder)) == ["outer"] })
        #expect(try machines.bob.lookup("\(annsFolder)/outer").standing.granted == [.read])
        #expect(try machines.bob.lookup("\(annsFolder)/outer/inner/file").standing.granted == [.read, .update])
        try unshare("outer", of: machines.ann)
        look(machines.bob)
        #expect(eventually { (try? machines.bob.list(annsFolder)) == ["inner"] })
    }

    @Test func `other rights hold for all that is in an item`() throws {
        let machines = try machines()
        defer { machines.ann.stop(); machines.bob.stop() }
        try machines.ann.make("plans", .folder)
        try machines.ann.write([1], to: "plans/file")
        try share("plans", of: machines.ann, [.read])
        look(machines.bob)
        #expect(eventually { (try? machines.bob.read("\(annsFolder)/plans/file")) == [1] })

        try share("plans", of: machines.ann, [.read, .update])
        look(machines.bob)

        #expect(
            eventually {
                (try? machines.bob.lookup("\(annsFolder)/plans/file"))?.standing.granted == [.read, .update]
            }
        )
    }

    @Test func `what was changed in an item that is withdrawn is put aside`() throws {
        let folder = ScratchFolder()
        let machines = try machines(bobs: folder)
        defer { machines.ann.stop(); machines.bob.stop() }
        try machines.ann.make("plans", .folder)
        try machines.ann.write([1, 1], to: "plans/edited")
        try machines.ann.write([2], to: "plans/untouched")
        try share("plans", of: machines.ann, [.read, .write, .update])
        look(machines.bob)
        let plans = "\(annsFolder)/plans"
        #expect(eventually { (try? machines.bob.read("\(plans)/edited")) == [1, 1] })
        #expect(try machines.bob.read("\(plans)/untouched") == [2])
        machines.bob.region.setUp(false)
        try machines.bob.write([5], to: "\(plans)/edited")
        try machines.bob.make("\(plans)/new", .folder)
        try machines.bob.write([6, 6, 6], to: "\(plans)/new/mine")

        try unshare("plans", of: machines.ann)
        machines.bob.region.setUp(true)
        look(machines.bob)

        #expect(eventually(within: .seconds(20)) { (try? machines.bob.list()) == [] })
        #expect(eventually { machines.bob.engine.pendingCount == 0 })
        let aside = try Files.entries(of: machines.bob.engine.setAsideFolder)
        let contents = try aside.map { name in
            try Files.readAll("\(machines.bob.engine.setAsideFolder)/\(name)", max: 100)
        }
        #expect(Set(contents) == [[5, 1], [6, 6, 6]])
        #expect(aside.contains { $0.hasSuffix("-mine") } && aside.contains { $0.hasSuffix("-edited") })
        #expect(try machines.ann.read("plans/edited") == [1, 1])
        #expect(try machines.ann.list("plans") == ["edited", "untouched"])
    }

    @Test func `a commit that finds the share gone makes nothing anew`() throws {
        let machines = try machines()
        defer { machines.ann.stop(); machines.bob.stop() }
        try machines.ann.make("plans", .folder)
        try machines.ann.write([1], to: "plans/file")
        try share("plans", of: machines.ann, [.read, .write, .update])
        look(machines.bob)
        #expect(eventually { (try? machines.bob.read("\(annsFolder)/plans/file")) == [1] })

        // What was done is sent at the moment at which the feed tells.
        machines.bob.region.setUp(false)
        try unshare("plans", of: machines.ann)
        try machines.bob.write([4], to: "\(annsFolder)/plans/file")
        try machines.bob.write([5], to: "\(annsFolder)/plans/other")
        machines.bob.region.setUp(true)

        #expect(eventually(within: .seconds(20)) { (try? machines.bob.list()) == [] })
        #expect(eventually { machines.bob.engine.pendingCount == 0 })
        #expect(try Files.entries(of: machines.bob.engine.setAsideFolder).count == 2)
        #expect(try machines.ann.list("plans") == ["file"])
    }

    @Test func `a grant that expires ends by itself`() throws {
        let machines = try machines()
        defer { machines.ann.stop(); machines.bob.stop() }
        try machines.ann.make("plans", .folder)
        try share("plans", of: machines.ann, [.read], expires: TimeSource.system.wall + .seconds(2))

        look(machines.bob)

        #expect(eventually { (try? machines.bob.list(annsFolder)) == ["plans"] })
        #expect(eventually(within: .seconds(10)) { (try? machines.bob.list()) == [] })
    }

    @Test func `what was done without the region is sent after a restart`() throws {
        let folder = ScratchFolder()
        let machines = try machines(bobs: folder)
        defer { machines.ann.stop() }
        try machines.ann.make("plans", .folder)
        try machines.ann.write([1], to: "plans/file")
        try share("plans", of: machines.ann, [.read, .write, .update])
        look(machines.bob)
        #expect(eventually { (try? machines.bob.read("\(annsFolder)/plans/file")) == [1] })
        machines.bob.region.setUp(false)
        try machines.bob.write([7, 7], to: "\(annsFolder)/plans/file", truncating: true)
        try machines.bob.write([8], to: "\(annsFolder)/plans/new")
        machines.bob.stop()

        let again = try Machine(storage, owner: bob, name: "bobs", folder: folder, showsShares: true)
        defer { again.stop() }
        try again.drain()

        #expect(eventually { (try? machines.ann.read("plans/file")) == [7, 7] })
        #expect(eventually { (try? machines.ann.read("plans/new")) == [8] })
        #expect(try again.list(annsFolder) == ["plans"])
    }

    @Test func `an item that was left is gone, and the owner keeps it`() throws {
        let machines = try machines()
        defer { machines.ann.stop(); machines.bob.stop() }
        try machines.ann.make("plans", .folder)
        try machines.ann.write([1], to: "plans/file")
        try share("plans", of: machines.ann, [.read, .delete])
        look(machines.bob)
        #expect(eventually { (try? machines.bob.list(annsFolder)) == ["plans"] })
        let item = try machines.bob.lookup("\(annsFolder)/plans").inode

        let outcome = Condition<Errno??>(nil)
        machines.bob.engine.leave(item, within: .seconds(10)) { errno in
            outcome.withLock { $0 = .some(errno) }
            outcome.broadcast()
        }

        #expect(outcome.wait(timeout: .seconds(20)) { $0 } == .some(nil))
        #expect(eventually { (try? machines.bob.list()) == [] })
        #expect(try machines.ann.read("plans/file") == [1])
        #expect(try storage.store.grants(on: machines.ann.lookup("plans").id, for: ann) == [])
    }

    @Test func `an item that was withdrawn and given again is there again`() throws {
        let machines = try machines()
        defer { machines.ann.stop(); machines.bob.stop() }
        try machines.ann.make("plans", .folder)
        try machines.ann.write([1], to: "plans/file")
        try share("plans", of: machines.ann, [.read])
        look(machines.bob)
        #expect(eventually { (try? machines.bob.read("\(annsFolder)/plans/file")) == [1] })

        try unshare("plans", of: machines.ann)
        look(machines.bob)
        #expect(eventually { (try? machines.bob.list()) == [] })
        try machines.ann.write([2, 2], to: "plans/file", truncating: true)
        try share("plans", of: machines.ann, [.read, .update])
        look(machines.bob)

        #expect(eventually { (try? machines.bob.read("\(annsFolder)/plans/file")) == [2, 2] })
        #expect(try machines.bob.lookup("\(annsFolder)/plans").standing.granted == [.read, .update])
    }

    @Test func `after the index was lost everything is listed again, and what was unsent is put aside`() throws {
        let folder = ScratchFolder()
        let machines = try machines(bobs: folder)
        defer { machines.ann.stop() }
        try machines.ann.make("plans", .folder)
        try machines.ann.write([1], to: "plans/file")
        try share("plans", of: machines.ann, [.read, .write, .update])
        look(machines.bob)
        #expect(eventually { (try? machines.bob.read("\(annsFolder)/plans/file")) == [1] })
        machines.bob.region.setUp(false)
        try machines.bob.write([6, 6, 6], to: "\(annsFolder)/plans/mine")
        machines.bob.stop()
        for name in ["replica.db", "replica.db-wal", "replica.db-shm", "replica.db-redo"] {
            _ = unlink(folder.path("state/\(name)"))
        }

        let again = try Machine(storage, owner: bob, name: "bobs", folder: folder, showsShares: true)
        defer { again.stop() }

        #expect(eventually { (try? again.read("\(annsFolder)/plans/file")) == [1] })
        #expect(eventually { (try? Files.entries(of: again.engine.setAsideFolder).count) == 1 })
        #expect(try again.list() == [annsFolder])
    }
}
