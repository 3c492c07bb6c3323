import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@Suite struct ConditionTests {
    @Test func `a waiter sees the change that was signalled`() {
        let condition = Condition(0)
        let got = Lock(0)
        let waiter = Thread(name: "waiter") {
            let value = condition.wait { $0 > 0 ? $0 : nil }
            got.withLock { $0 = value ?? -1 }
        }
        usleep(5_000)
        condition.withLock { $0 = 7 }
        condition.signal()
        waiter.join()
        #expect(got.withLock { $0 } == 7)
    }

    @Test func `what is true already is answered without waiting, even with no time left`() {
        #expect(Condition(5).wait(timeout: .zero) { $0 } == 5)
        #expect(Condition(5).wait(timeout: .seconds(-5)) { $0 } == 5)
    }

    @Test func `a wait ends at its time and not before`() {
        let start = TimeSource.system.now
        #expect(Condition(0).wait(timeout: .milliseconds(50)) { _ -> Int? in nil } == nil)
        let taken = TimeSource.system.now - start
        #expect(taken >= .milliseconds(50))
        #expect(taken < .seconds(5))
    }

    @Test func `wake-ups that change nothing do not lengthen the wait`() {
        let condition = Condition(false)
        let stop = Gate()
        let nuisance = Thread(name: "nuisance") {
            while !stop.wait(timeout: .milliseconds(1)) { condition.broadcast() }
        }
        let start = TimeSource.system.now
        #expect(condition.wait(timeout: .milliseconds(60)) { $0 ? 1 : nil } == nil)
        #expect(TimeSource.system.now - start < .seconds(5))
        stop.open()
        nuisance.join()
    }

    @Test(arguments: [Duration.seconds(Int64.max), .nanoseconds(Int64.max), .seconds(400 * 86_400)])
    func `an endless timeout is not a past one`(timeout: Duration) {
        let condition = Condition(false)
        let setter = Thread(name: "setter") {
            usleep(10_000)
            condition.withLock { $0 = true }
            condition.broadcast()
        }
        #expect(condition.wait(timeout: timeout) { $0 ? 1 : nil } == 1)
        setter.join()
    }

    @Test func `waiters are counted while they sleep and at no other time`() {
        struct Counted {
            var isOpen = false
            var sleeping = 0
            var seenByBody: [Int] = []
        }
        let condition = Condition(Counted())
        let waiter = Thread(name: "waiter") {
            _ = condition.wait(timeout: .milliseconds(30)) { state -> Int? in
                state.seenByBody.append(state.sleeping)
                return state.isOpen ? 1 : nil
            } whileWaiting: { state, change in
                state.sleeping += change
            }
        }
        #expect(eventually { condition.withLock { $0.sleeping } == 1 })
        waiter.join()
        // Asked before it slept and after its time passed; both times awake.
        #expect(condition.withLock { $0.sleeping } == 0)
        #expect(condition.withLock { $0.seenByBody.allSatisfy { $0 == 0 } && $0.seenByBody.count >= 2 })
    }

    @Test func `an error thrown with the lock held releases it`() {
        struct Failure: Error {}
        let condition = Condition(1)
        #expect(throws: Failure.self) { try condition.withLock { _ throws(Failure) in throw Failure() } }
        #expect(condition.withLock { $0 } == 1)
    }

    @Test func `a gate lets everybody through for ever`() {
        let gate = Gate()
        #expect(!gate.isOpen)
        #expect(!gate.wait(timeout: .milliseconds(5)))
        let through = Lock(0)
        let threads = (0..<5).map { number in
            Thread(name: "gate-\(number)") {
                gate.wait()
                through.withLock { $0 += 1 }
            }
        }
        gate.open()
        gate.open()
        for thread in threads { thread.join() }
        #expect(through.withLock { $0 } == 5)
        #expect(gate.wait())
    }

    @Test func `a lock keeps additions of many threads`() {
        let lock = Lock(0)
        let threads = (0..<4).map { number in
            Thread(name: "add-\(number)") { for _ in 0..<10_000 { lock.withLock { $0 += 1 } } }
        }
        for thread in threads { thread.join() }
        #expect(lock.withLock { $0 } == 40_000)
    }
}
