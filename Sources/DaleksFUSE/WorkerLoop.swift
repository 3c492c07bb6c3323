import CFuse
import DaleksCore
import DaleksSystem
import Glibc
import Synchronization

/// Which threads serve; guarded by the session's `loop`.
struct WorkerLoop {
    var isStopping = false
    var threadCountMax = 0
    /// Those in their loop, to be woken from the kernel.
    var serving: Set<pthread_t> = []
    /// Those started and not yet at their end.
    var threads: [Int: Thread] = [:]
    var remaining = 0
    var numberLast = 0
}

/// Serving on threads of our own, so that their number is bounded and their stacks are known.
///
/// There is always one waiting for the next request while the bound allows, so that threads that block on a disk hold
/// nobody up; and few more, because the kernel wakes the one that has slept longest, whose stack is cold.
extension FUSESession {
    /// Returns when all threads have ended.
    func serve(_ raw: OpaquePointer, threads: Int) {
        WakeSignal.install()
        loop.withLock { $0.threadCountMax = threads }
        startWorker(RawSession(pointer: raw))
        while true {
            let isStopping = loop.withLock { $0.isStopping }
            let isDone: Bool? = loop.wait(timeout: isStopping ? Limits.FUSE.wakeInterval : nil) { state in
                if state.remaining == 0 { return true }
                return state.isStopping && !isStopping ? false : nil
            }
            if isDone == true { break }
            // Threads asleep in the kernel do not see a flag. Those that were about to fall asleep get the next signal.
            loop.withLock { state in
                for thread in state.serving { pthread_kill(thread, WakeSignal.number) }
            }
        }
        for worker in loop.withLock({ $0.threads.values.map(\.self) }) { worker.join() }
    }

    /// One more, if the bound allows.
    private func startWorker(_ session: RawSession) {
        loop.withLock { state in
            guard state.remaining < state.threadCountMax, fuse_session_exited(session.pointer) == 0 else { return }
            state.remaining += 1
            state.numberLast += 1
            let number = state.numberLast
            state.threads[number] = Thread(name: "fuse-\(number)") { [self] in work(session, number) }
        }
    }

    /// True to one thread in an interval: were each to end that looks spare for a moment, the next would start anew.
    private func mayEndSpare() -> Bool {
        let now = TimeSource.system.now.nanoseconds
        let last = spareEnded.load(ordering: .relaxed)
        guard now - last >= Limits.FUSE.spareInterval.nanoseconds else { return false }
        return spareEnded.compareExchange(expected: last, desired: now, ordering: .relaxed).exchanged
    }

    @inline(__always)
    private func process(_ raw: OpaquePointer, _ buffer: inout fuse_buf) {
        guard let measures else { return fuse_session_process_buf(raw, &buffer) }
        // Found before: afterwards the buffer may hold something else.
        let histogram = measures.histogram(of: buffer)
        let began = TimeSource.system.now
        fuse_session_process_buf(raw, &buffer)
        histogram?.observe(TimeSource.system.now - began)
    }

    private func work(_ session: RawSession, _ number: Int) {
        let raw = session.pointer
        let thread = pthread_self()
        WakeSignal.unblock()
        loop.withLock { _ = $0.serving.insert(thread) }
        // libfuse allocates the memory at the first request, as large as it needs.
        var buffer = fuse_buf()
        var isSpare = false
        while fuse_session_exited(raw) == 0, !isSpare {
            waitingCount.add(1, ordering: .relaxed)
            let count = fuse_session_receive_buf(raw, &buffer)
            let others = waitingCount.subtract(1, ordering: .relaxed).newValue
            if count == -EINTR || count == -EAGAIN { continue }
            if count <= 0 { break }
            if others == 0 { startWorker(session) }
            process(raw, &buffer)
            isSpare = waitingCount.load(ordering: .relaxed) >= Limits.FUSE.threadsWaitingMax && mayEndSpare()
        }
        free(buffer.mem)
        loop.withLock { state in
            state.serving.remove(thread)
            state.remaining -= 1
            // The rest are joined.
            if isSpare { state.threads[number] = nil }
        }
        loop.broadcast()
    }
}

/// A pointer on its way to the threads that share it.
/// Unchecked: libfuse locks its session itself.
private struct RawSession: @unchecked Sendable {
    let pointer: OpaquePointer
}
