import CFuse
import DaleksCore
import DaleksSystem
import Glibc

/// Which threads serve; guarded by the session's `loop`.
struct WorkerLoop {
    var isStopping = false
    var serving: Set<pthread_t> = []
    var remaining = 0
}

extension FUSESession {
    /// Serves on threads of our own, so that their number is bounded and their stacks are known, until all have ended.
    func serve(_ raw: OpaquePointer, threads: Int) {
        WakeSignal.install()
        loop.withLock { $0.remaining = threads }
        let session = RawSession(pointer: raw)
        let workers = (1...threads).map { number in
            Thread(name: "fuse-\(number)") { [self] in work(session.pointer) }
        }
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
        for worker in workers { worker.join() }
    }

    private func work(_ raw: OpaquePointer) {
        WakeSignal.unblock()
        let thread = pthread_self()
        loop.withLock { _ = $0.serving.insert(thread) }
        // libfuse allocates the memory at the first request, as large as it needs.
        var buffer = fuse_buf()
        while fuse_session_exited(raw) == 0 {
            let count = fuse_session_receive_buf(raw, &buffer)
            if count == -EINTR || count == -EAGAIN { continue }
            if count <= 0 { break }
            fuse_session_process_buf(raw, &buffer)
        }
        free(buffer.mem)
        loop.withLock { state in
            state.serving.remove(thread)
            state.remaining -= 1
        }
        loop.broadcast()
    }
}

/// A pointer on its way to the threads that share it.
private struct RawSession: @unchecked Sendable {
    // Unchecked: libfuse locks its session itself.
    let pointer: OpaquePointer
}
