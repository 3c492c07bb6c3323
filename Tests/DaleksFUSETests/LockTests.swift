import CFuse
import DaleksCore
import DaleksFUSE
import DaleksSystem
import Glibc
import Testing

@Suite(.needsFUSE)
struct LockTests {
    /// Locks of an open file description, so that one process can have two owners.
    private static let (get, set, setAndWait): (Int32, Int32, Int32) = (36, 37, 38)

    private func makeMount() throws -> MountFixture {
        let mount = try MountFixture {
            $0.posixLocks = true
            $0.flockLocks = true
        }
        _ = try FileDescriptor.open(mount.file("a"), O_RDWR | O_CREAT)
        return mount
    }

    private func lock(_ type: Int32, _ start: Int, _ count: Int) -> flock {
        flock(l_type: Int16(type), l_whence: Int16(SEEK_SET), l_start: start, l_len: count, l_pid: 0)
    }

    @Test func `byte ranges are locked, tested and unlocked by the file system`() throws {
        let mount = try makeMount()
        let first = try FileDescriptor.open(mount.file("a"), O_RDWR)
        let second = try FileDescriptor.open(mount.file("a"), O_RDWR)
        var range = lock(F_WRLCK, 10, 20)

        #expect(fcntl(first.raw, Self.set, &range) == 0)
        range = lock(F_WRLCK, 25, 0)
        #expect(fcntl(second.raw, Self.set, &range) == -1)
        #expect(Errno.last == .tryAgain)
        range = lock(F_RDLCK, 0, 0)
        #expect(fcntl(second.raw, Self.get, &range) == 0)
        #expect((Int32(range.l_type), range.l_start, range.l_len) == (F_WRLCK, 10, 20))
        range = lock(F_WRLCK, 30, 5)
        #expect(fcntl(second.raw, Self.set, &range) == 0)
        range = lock(F_UNLCK, 0, 0)
        #expect(fcntl(first.raw, Self.set, &range) == 0)
        range = lock(F_RDLCK, 10, 20)
        #expect(fcntl(second.raw, Self.get, &range) == 0)
        #expect(Int32(range.l_type) == F_UNLCK)
    }

    @Test func `who waits for a lock gets it when it is free`() throws {
        let mount = try makeMount()
        let path = mount.file("a")
        let first = try FileDescriptor.open(path, O_RDWR)
        var range = lock(F_WRLCK, 0, 0)
        #expect(fcntl(first.raw, Self.set, &range) == 0)
        let result = Condition<Int32?>(nil)
        let waiter = Thread(name: "waiter") {
            var range = flock(l_type: Int16(F_WRLCK), l_whence: 0, l_start: 0, l_len: 0, l_pid: 0)
            let second = Glibc.open(path, O_RDWR)
            let outcome = fcntl(second, 38, &range)
            result.withLock { $0 = outcome }
            result.broadcast()
            close(second)
        }
        while mount.tree.count("lock waiting") == 0 { usleep(1_000) }

        #expect(result.wait(timeout: .milliseconds(20)) { $0 } == nil)
        range = lock(F_UNLCK, 0, 0)
        #expect(fcntl(first.raw, Self.set, &range) == 0)

        #expect(result.wait(timeout: .seconds(5)) { $0 } == 0)
        waiter.join()
    }

    @Test func `flock belongs to the open file and ends with it`() throws {
        let mount = try makeMount()
        let second = try FileDescriptor.open(mount.file("a"), O_RDWR)
        do {
            let first = try FileDescriptor.open(mount.file("a"), O_RDWR)
            #expect(Syscalls.flock(first.raw, LOCK_EX | LOCK_NB) == 0)
            #expect(Syscalls.flock(second.raw, LOCK_SH | LOCK_NB) == -1)
            #expect(Errno.last == .tryAgain)
        }

        // The release is sent after close has returned.
        let isFree = (0..<200).contains { _ in
            usleep(5_000)
            return Syscalls.flock(second.raw, LOCK_SH | LOCK_NB) == 0
        }
        #expect(isFree)
        #expect(mount.tree.count("flock") >= 3)
    }

    @Test func `without the option the kernel keeps locks to itself`() throws {
        let mount = try MountFixture()
        let file = try FileDescriptor.open(mount.file("a"), O_RDWR | O_CREAT)
        var range = lock(F_WRLCK, 0, 0)

        #expect(fcntl(file.raw, Self.set, &range) == 0)
        #expect(Syscalls.flock(file.raw, LOCK_EX) == 0)

        #expect(mount.tree.count("setlk") == 0)
        #expect(mount.session.connection?.granted.contains(.posixLocks) == false)
    }
}
