import CFuse
import DaleksCore
import DaleksFUSE
import DaleksSystem
import Glibc
import Testing

@Suite(.needsFUSE)
struct ReplyTests {
    /// Runs `body` on a thread that a signal can interrupt, and says what became of it.
    private final class Caller: Sendable {
        let outcome = Condition<Errno??>(nil)
        private let thread = Condition<pthread_t?>(nil)

        init(_ body: @escaping @Sendable () throws(Errno) -> Void) {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { _ in }
            sigaction(SIGUSR2, &action, nil)
            _ = Thread(name: "caller") { [self] in
                // Threads inherit the signals that the test's own thread blocks.
                var set = sigset_t()
                sigemptyset(&set)
                sigaddset(&set, SIGUSR2)
                pthread_sigmask(SIG_UNBLOCK, &set, nil)
                thread.withLock { $0 = pthread_self() }
                thread.broadcast()
                var failure: Errno?
                do throws(Errno) { try body() } catch { failure = error }
                outcome.withLock { $0 = .some(failure) }
                outcome.broadcast()
            }
        }

        func interrupt() {
            guard let thread = thread.wait(until: { $0 }) else { return }
            pthread_kill(thread, SIGUSR2)
        }

        /// Nil: nothing came of it yet.
        func result(within timeout: Duration = .seconds(5)) -> Errno?? {
            outcome.wait(timeout: timeout) { $0 }
        }
    }

    private func parkedLookup(_ mount: MountFixture) throws -> ParkedReply<EntryReply> {
        try #require(mount.tree.parkedLookups.wait(timeout: .seconds(5)) { $0.popLast() })
    }

    @Test func `a dropped reply answers EIO`() throws {
        let mount = try MountFixture()

        #expect(throws: Errno.io) { try Syscalls.status(mount.file("dropped")) }
        #expect(throws: Errno.noEntry) { try Syscalls.status(mount.file("absent")) }
    }

    @Test func `a parked reply holds no thread and is answered from another`() throws {
        let mount = try MountFixture(threads: 1)
        let path = mount.file("later")
        let caller = Caller { () throws(Errno) in _ = try Syscalls.status(path) }
        let parked = try parkedLookup(mount)

        // The one thread serves others meanwhile, in the same folder too.
        #expect(throws: Errno.noEntry) { try Syscalls.status(mount.file("meanwhile")) }
        #expect(caller.result(within: .milliseconds(20)) == nil)
        let attributes = FUSEAttributes(inode: 1, mode: S_IFDIR | 0o755)
        let reply = parked.take()
        #expect(parked.isTaken)
        let again = parked.take() == nil
        #expect(again)
        reply?.entry(FUSEEntry(attributes, entryValidFor: .zero, attributesValidFor: .zero))

        // The root as a child of itself is refused by the kernel, which therefore got the answer.
        #expect(caller.result() == .some(.some(.io)))
    }

    @Test func `a parked reply that is dropped answers EIO`() throws {
        let mount = try MountFixture(threads: 1)
        let path = mount.file("later")
        let caller = Caller { () throws(Errno) in _ = try Syscalls.status(path) }

        _ = try parkedLookup(mount)

        #expect(caller.result() == .some(.some(.io)))
    }

    @Test func `an interrupted caller gets EINTR and the one who parked hears of it`() throws {
        let mount = try MountFixture()
        let path = mount.file("later")
        let caller = Caller { () throws(Errno) in _ = try Syscalls.status(path) }
        let parked = try parkedLookup(mount)

        caller.interrupt()

        #expect(caller.result() == .some(.some(.interrupted)))
        #expect(mount.tree.count("interrupted") == 1)
        #expect(parked.isTaken)
    }

    @Test func `a reply may be parked again, and an interruption before that is not lost`() throws {
        let mount = try MountFixture()
        let path = mount.file("later")
        let caller = Caller { () throws(Errno) in _ = try Syscalls.status(path) }
        guard let reply = try parkedLookup(mount).take() else { throw Errno.noEntry }
        let again = reply.park()

        #expect(caller.result(within: .milliseconds(20)) == nil)
        caller.interrupt()
        #expect(caller.result() == .some(.some(.interrupted)))
        #expect(again.isTaken)

        let other = Caller { () throws(Errno) in _ = try Syscalls.status(path) }
        guard let unparked = try parkedLookup(mount).take() else { throw Errno.noEntry }
        other.interrupt()
        // Whoever had parked it first hears of it, and has nothing to answer any more.
        for _ in 0..<1_000 where mount.tree.count("interrupted") == 0 { usleep(5_000) }
        let late = unparked.park()
        #expect(other.result() == .some(.some(.interrupted)))
        #expect(late.isTaken)
    }

    @Test func `interruption and answer may race without harm`() throws {
        let mount = try MountFixture()
        let path = mount.file("later")
        for round in 0..<200 {
            let caller = Caller { () throws(Errno) in _ = try Syscalls.status(path) }
            let parked = try parkedLookup(mount)
            let answering = Thread(name: "answer") {
                for _ in 0..<(round * 50) { sched_yield() }
                parked.take()?.error(.noEntry)
            }
            caller.interrupt()

            let result = try #require(caller.result())
            answering.join()
            #expect(result == .interrupted || result == .noEntry)
        }
    }

    @Test func `a read that waits is answered in its time`() throws {
        let mount = try MountFixture()
        let path = mount.file("slow-file")
        let owner = FUSERequest(userID: 0, groupID: 0, processID: 0, umask: 0)
        _ = mount.tree.make(owner, parent: 1, name: Array("slow-file".utf8), mode: S_IFREG | 0o644)
        mount.tree.change(2) { $0.attributes.size = 3 }
        let got = Lock<[UInt8]>([])
        let caller = Caller { () throws(Errno) in
            let file = try FileDescriptor.open(path, O_RDONLY)
            var bytes = [UInt8](repeating: 0, count: 3)
            _ = bytes.withUnsafeMutableBytes { pread(file.raw, $0.baseAddress, 3, 0) }
            got.withLock { [bytes] in $0 = bytes }
        }
        let parked = try #require(mount.tree.parkedReads.wait(timeout: .seconds(5)) { $0.popLast() })

        _ = Thread(name: "network") {
            usleep(20_000)
            _ = Array("abc".utf8).withUnsafeBytes { bytes in parked.take()?.bytes(bytes) }
        }

        #expect(caller.result() == .some(nil))
        #expect(got.withLock { $0 } == Array("abc".utf8))
    }

    @Test func `who waits when serving ends is let go, and the late answer is told to be in vain`() throws {
        var mount: MountFixture? = try MountFixture()
        let path = try #require(mount).file("later")
        let caller = Caller { () throws(Errno) in _ = try Syscalls.status(path) }
        let parked = try parkedLookup(#require(mount))

        mount?.session.exit()
        #expect(mount?.outcome() == .success(.stopped))
        #expect(caller.result() == .some(.some(Errno(rawValue: ECONNABORTED))))
        #expect(throws: Errno.notConnected) { try Syscalls.status(path) }

        mount = nil
        #expect(parked.take()?.error(.noEntry) == false)
    }

    @Test func `threads are started while all are busy, up to the bound`() throws {
        let mount = try MountFixture(threads: 4)
        let callers = (0..<6).map { number in
            let path = mount.file("block-\(number)")
            return Caller { () throws(Errno) in _ = try Syscalls.status(path) }
        }

        while mount.tree.count("blocked") < 4 { usleep(1_000) }
        usleep(20_000)
        #expect(mount.tree.count("blocked") == 4)
        mount.tree.gate.open()

        for caller in callers { #expect(caller.result() == .some(.some(.noEntry))) }
        #expect(mount.tree.count("blocked") == 6)
    }

    @Test func `requests are traced when asked, without names`() throws {
        let lines = Lock<[String]>([])
        let logger = Logger(level: .debug, style: .text) { line in lines.withLock { $0.append(line) } }
        do {
            let mount = try MountFixture(logger: logger, traces: true)
            #expect(mkdir(mount.file("secretname"), 0o700) == 0)
        }

        let text = lines.withLock { $0.joined(separator: "\n") }
        #expect(text.contains("operation=mkdir"))
        #expect(text.contains("operation=init"))
        #expect(!text.contains("secretname"))
    }
}
