import DaleksSystem
import Glibc
import Synchronization
import Testing

@Suite("Threads that nobody waits for")
struct StandBackTests {
    @Test("A pool that stands back lets other threads go first, and only its own threads do")
    func priority() {
        let pool = WorkerPool(name: "behind", threadCountMax: 1, waitingCountMax: 4, standsBack: true)
        let seen = Atomic<Int32>(-1)
        let gate = Gate()
        #expect(
            pool.submit {
                seen.store(getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0), ordering: .relaxed)
                gate.open()
            }
        )
        gate.wait()
        pool.close()
        let own = getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0)
        #expect(seen.load(ordering: .relaxed) == min(own + 5, 19))
    }
}
