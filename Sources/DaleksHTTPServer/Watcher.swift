import DaleksCore
import DaleksSystem
import Synchronization

/// The one thread beside the event threads: it accepts, notices when clients close their sending side, and once in a
/// while looks at the clock for everybody.
///
/// It has to notice, since the event threads do not look at suspended connections, and overlook an end that arrived
/// together with the last bytes before it.
///
/// ## Concurrency
/// The loop's variables are the thread's own. `watch` is called by it as well.
final class Watcher: Sendable {
    private static let listenMark = UInt64.max
    private static let wakeMark = UInt64.max - 1
    private static let sweepMilliseconds: Int32 = 200

    private let poll: EventPoll
    private let isStopped = Atomic<Bool>(false)
    private let isAccepting = Atomic<Bool>(true)
    private let thread = Lock<Thread?>(nil)

    init() throws(HTTPServerError) {
        do throws(Errno) { poll = try EventPoll(wakeMark: Self.wakeMark) } catch { throw .cannotStart("\(error)") }
    }

    func start(_ core: ServerCore, _ listening: ListeningSocket) throws(HTTPServerError) {
        do throws(Errno) {
            try poll.add(listening.descriptor, .readable, mark: Self.listenMark)
        } catch {
            throw .cannotStart("\(error)")
        }
        let thread = Thread(name: "http-watch", stackBytes: 256 << 10) { [self] in run(core, listening) }
        self.thread.withLock { $0 = thread }
    }

    /// Tells the connection once when the client closes its sending side. Closing the socket ends the watch.
    func watch(_ record: ConnectionRecord) {
        let mark = UInt64(record.generation) << 32 | UInt64(UInt32(bitPattern: record.descriptor))
        // Failing means that the connection is gone already, which its event thread will find out.
        try? poll.add(record.descriptor, .peerClosed, mark: mark)
    }

    func stopAccepting() {
        isAccepting.store(false, ordering: .releasing)
        poll.wake()
    }

    /// Returns when the thread is gone.
    func stop() {
        isStopped.store(true, ordering: .releasing)
        poll.wake()
        thread.withLock { $0 }?.join()
    }

    // MARK: The thread

    private func run(_ core: ServerCore, _ listening: ListeningSocket) {
        var listens = true
        var sweepAt: Int64 = 0
        var marks = [UInt64](repeating: 0, count: EventPoll.batch)
        while !isStopped.load(ordering: .acquiring) {
            let ready = poll.wait(milliseconds: Self.sweepMilliseconds, into: &marks)
            let now = core.tick()
            var mayAccept = false
            for mark in ready {
                switch mark {
                case Self.listenMark: mayAccept = true
                case Self.wakeMark: break
                default: core.peerClosed(Int32(truncatingIfNeeded: mark), UInt32(mark >> 32), now: now)
                }
            }
            if listens, mayAccept {
                if !accept(core, listening, now) { listens = setListening(listening, false) }
            }
            if now >= sweepAt {
                core.sweep(now: now)
                sweepAt = now + Int64(Self.sweepMilliseconds) * 1_000_000
                if !listens, core.hasRoom { listens = setListening(listening, true) }
            }
            if listens, !isAccepting.load(ordering: .acquiring) { listens = setListening(listening, false) }
        }
    }

    /// False where nothing should be accepted for a while: the table is full, or the process out of descriptors.
    private func accept(_ core: ServerCore, _ listening: ListeningSocket, _ now: Int64) -> Bool {
        for _ in 0..<Limits.HTTPServer.acceptBurstMax {
            guard core.hasRoom, isAccepting.load(ordering: .acquiring) else { return false }
            do throws(Errno) {
                guard let (descriptor, peer) = try listening.accept() else { return true }
                core.admit(descriptor, peer, now: now)
            } catch {
                core.logger.warning("connections cannot be accepted for now", ["error": error])
                return false
            }
        }
        return true
    }

    /// Adds the listening socket to what is waited for, or takes it out. Returns whether it is in.
    private func setListening(_ listening: ListeningSocket, _ isOn: Bool) -> Bool {
        if isOn, isAccepting.load(ordering: .acquiring) {
            return (try? poll.add(listening.descriptor, .readable, mark: Self.listenMark)) != nil
        }
        poll.remove(listening.descriptor)
        return false
    }
}
