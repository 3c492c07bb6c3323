import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// A number that tells threads apart.
func currentThreadNumber() -> Int { Int(pthread_self()) }

@Suite struct ThreadTests {
    private final class Witness: Sendable {
        private let onEnd: @Sendable () -> Void

        init(_ onEnd: @escaping @Sendable () -> Void) { self.onEnd = onEnd }

        deinit { onEnd() }
    }

    @Test func `join returns after the body, on another thread, with its name`() throws {
        let seen = Lock<(thread: Int, name: String)>((0, ""))
        let thread = Thread(name: "a-name-longer-than-15") {
            let name = (try? Files.readAll("/proc/thread-self/comm", max: 64)) ?? []
            seen.withLock { $0 = (currentThreadNumber(), String(decoding: name.dropLast(), as: UTF8.self)) }
        }
        thread.join()
        thread.join()
        #expect(seen.withLock { $0.thread } != currentThreadNumber())
        #expect(seen.withLock { $0.name } == "a-name-longer-t")
    }

    @Test func `what the body captured is gone when join returns`() {
        for _ in 0..<20 {
            let isGone = Lock(false)
            let thread = startHolding(
                Witness {
                    // Slow enough that a join which does not wait for it is seen.
                    usleep(2_000)
                    isGone.withLock { $0 = true }
                }
            )
            thread.join()
            #expect(isGone.withLock { $0 })
        }
    }

    /// In a function of its own, so that the caller holds no reference to the witness.
    private func startHolding(_ witness: consuming Witness) -> Thread {
        Thread(name: "holder") { [witness] in withExtendedLifetime(witness) {} }
    }

    @Test func `a thread lives on when nobody keeps it`() {
        let gate = Gate()
        _ = Thread(name: "dropped") {
            usleep(20_000)
            gate.open()
        }
        #expect(gate.wait(timeout: .seconds(10)))
    }

    @Test func `a machine that refuses a thread is an error and not an end`() {
        #expect(throws: Errno.self) {
            // No machine has this much room for one stack.
            try Thread.start(name: "huge", stackBytes: 1 << 60) {}
        }
    }

    @Test func `a deep call fits the stack`() {
        @Sendable func depth(_ count: Int) -> Int { count == 0 ? 0 : 1 + depth(count - 1) }
        let reached = Lock(0)
        Thread(name: "deep", stackBytes: 8 << 20) { reached.withLock { $0 = depth(5_000) } }.join()
        #expect(reached.withLock { $0 } == 5_000)
    }
}
