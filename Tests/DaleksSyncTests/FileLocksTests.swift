import DaleksCache
import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles
@testable import DaleksSync

/// Two machines of one account and their region: who has a lock, and what he sees then.
struct FileLocksTests {
    private let owner = UserID.random(at: .zero)
    private let clock = ManualClock()
    private let storage: RegionStorage

    init() throws { storage = try RegionStorage(time: clock.source) }

    private func machines() throws -> (Machine, Machine) {
        (try Machine(storage, owner: owner), try Machine(storage, owner: owner, name: "there"))
    }

    private func lock(
        _ path: String,
        on machine: Machine,
        _ kind: FileLock.Kind = .write,
        owner: UInt64 = 1,
        waits: Bool = false,
        within limit: Duration = .seconds(20)
    ) throws -> Errno? {
        let outcome = Condition<Errno??>(nil)
        try begin(path, on: machine, kind, owner: owner, waits: waits) { errno in
            outcome.withLock { $0 = .some(errno) }
            outcome.broadcast()
        }
        return try #require(outcome.wait(timeout: limit) { $0 }, "no answer")
    }

    @discardableResult
    private func begin(
        _ path: String,
        on machine: Machine,
        _ kind: FileLock.Kind = .write,
        owner: UInt64 = 1,
        waits: Bool = true,
        _ completion: @escaping @Sendable (Errno?) -> Void
    ) throws -> FileLocks.Ticket {
        let inode = try machine.lookup(path).inode
        return machine.engine.locks.lock(
            inode,
            FileLock(owner: owner, kind: kind),
            isWhole: false,
            waits: waits,
            completion
        )
    }

    private func unlock(_ path: String, on machine: Machine, owner: UInt64 = 1) throws {
        let inode = try machine.lookup(path).inode
        machine.engine.locks.unlock(inode, owner: owner, from: 0, to: .max, isWhole: false)
    }

    @Test func `who waits on another machine has the lock when it ends, and sees what was written under it`() throws {
        let (here, there) = try machines()
        defer { for machine in [here, there] { machine.stop() } }
        try here.write(Array("before".utf8), to: "file")
        try here.drain()
        #expect(eventually { (try? there.read("file")) == Array("before".utf8) })

        #expect(try lock("file", on: here) == nil)
        #expect(try lock("file", on: there) == .tryAgain)
        let outcome = Condition<Errno??>(nil)
        try begin("file", on: there) { errno in
            outcome.withLock { $0 = .some(errno) }
            outcome.broadcast()
        }
        try here.write(Array("under the lock".utf8), to: "file")
        try here.make("beside")
        #expect(outcome.wait(timeout: .milliseconds(300)) { $0 } == nil)
        try unlock("file", on: here)

        #expect(try #require(outcome.wait(timeout: .seconds(20)) { $0 }) == nil)
        // At once, without waiting for anything.
        #expect(try there.read("file") == Array("under the lock".utf8))
        #expect(try there.list().contains("beside"))
        #expect(try lock("file", on: here, .read) == .tryAgain)
    }

    @Test func `readers of two machines do not exclude each other`() throws {
        let (here, there) = try machines()
        defer { for machine in [here, there] { machine.stop() } }
        try here.write([1], to: "file")
        try here.drain()
        #expect(eventually { (try? there.lookup("file")) != nil })

        #expect(try lock("file", on: here, .read) == nil)
        #expect(try lock("file", on: there, .read) == nil)
        #expect(try lock("file", on: there, .write) == .tryAgain)
        try unlock("file", on: here)

        #expect(try lock("file", on: there, .write, waits: true) == nil)
    }

    @Test func `a machine that died has the lock until its lease ends`() throws {
        let (here, there) = try machines()
        defer { for machine in [here, there] { machine.stop() } }
        try here.write([1], to: "file")
        try here.drain()
        #expect(eventually { (try? there.lookup("file")) != nil })
        #expect(try lock("file", on: here) == nil)

        here.region.setUp(false)
        #expect(try lock("file", on: there) == .tryAgain)
        clock.advance(by: .seconds(31))

        #expect(try lock("file", on: there) == nil)
    }

    @Test func `without the region there are no new locks, and those under a lease go on`() throws {
        let (here, there) = try machines()
        defer { for machine in [here, there] { machine.stop() } }
        try here.write([1], to: "leased")
        try here.write([2], to: "other")
        try here.drain()
        #expect(try lock("leased", on: here) == nil)
        here.region.setUp(false)

        #expect(try lock("leased", on: here, owner: 1) == nil)
        #expect(try lock("leased", on: here, owner: 2) == .tryAgain)
        #expect(try lock("other", on: here) == .noLocks)
        #expect(try lock("other", on: here, waits: true) == .noLocks)
        here.region.setUp(true)

        #expect(try lock("other", on: here) == nil)
    }

    @Test func `a ring of waiting owners is not closed`() throws {
        let here = try Machine(storage, owner: owner)
        defer { here.stop() }
        for name in ["a", "b"] { try here.make(name) }
        #expect(try lock("a", on: here, owner: 1) == nil)
        #expect(try lock("b", on: here, owner: 2) == nil)
        let outcome = Condition<Errno??>(nil)
        try begin("b", on: here, owner: 1) { errno in
            outcome.withLock { $0 = .some(errno) }
            outcome.broadcast()
        }

        #expect(try lock("a", on: here, owner: 2, waits: true) == .deadlock)
        try unlock("b", on: here, owner: 2)

        #expect(try #require(outcome.wait(timeout: .seconds(5)) { $0 }) == nil)
    }

    @Test func `an interrupted wait is over, and the lock is the next one's`() throws {
        let here = try Machine(storage, owner: owner)
        defer { here.stop() }
        try here.make("file")
        #expect(try lock("file", on: here, owner: 1) == nil)
        let ticket = try begin("file", on: here, owner: 2) { _ in Issue.record("a canceled wait was answered") }

        #expect(here.engine.locks.cancel(ticket) && !here.engine.locks.cancel(ticket))
        try unlock("file", on: here, owner: 1)

        #expect(try lock("file", on: here, owner: 3) == nil)
    }

    @Test func `a machine that stops gives back what it has`() throws {
        let (here, there) = try machines()
        defer { there.stop() }
        try here.write([1], to: "file")
        try here.drain()
        #expect(eventually { (try? there.lookup("file")) != nil })
        #expect(try lock("file", on: here) == nil)

        here.stop()

        #expect(try lock("file", on: there) == nil)
    }
}
