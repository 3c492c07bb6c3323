import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Testing

@Suite struct WorkerPoolTests {
    @Test func `every accepted job runs once and close waits for them`() {
        let pool = WorkerPool(name: "test", threadCountMax: 4, waitingCountMax: 10_000)
        let count = Lock(0)
        var accepted = 0
        for _ in 0..<5_000 where pool.submit({ count.withLock { $0 += 1 } }) { accepted += 1 }
        pool.close()
        #expect(accepted == 5_000)
        #expect(count.withLock { $0 } == accepted)
        #expect(!pool.submit {})
    }

    @Test func `jobs wait in their order`() {
        let pool = WorkerPool(name: "test", threadCountMax: 1, waitingCountMax: 5_000)
        let seen = Lock<[Int]>([])
        let gate = Gate()
        pool.submit { gate.wait() }
        for number in 0..<3_000 { pool.submit { seen.withLock { $0.append(number) } } }
        gate.open()
        pool.close()
        #expect(seen.withLock { $0 } == Array(0..<3_000))
    }

    @Test(arguments: [0, 1, 3])
    func `exactly as many jobs are taken as threads and waiting places`(waitingCountMax: Int) {
        let pool = WorkerPool(name: "test", threadCountMax: 2, waitingCountMax: waitingCountMax)
        let gate = Gate()
        let running = Lock(0)
        var accepted = 0
        for _ in 0..<10 {
            let wasTaken = pool.submit {
                running.withLock { $0 += 1 }
                gate.wait()
            }
            if wasTaken { accepted += 1 }
        }
        #expect(accepted == 2 + waitingCountMax)
        #expect(eventually { running.withLock { $0 } == 2 })
        #expect(pool.waitingCount == waitingCountMax)
        gate.open()
        // All are free again, so as many are taken again.
        #expect(eventually { pool.waitingCount == 0 && running.withLock { $0 } == accepted })
        #expect(eventually { pool.submit {} })
        pool.close()
    }

    @Test func `a burst is spread over all threads even while the first is still starting`() {
        let pool = WorkerPool(name: "test", threadCountMax: 8, waitingCountMax: 100)
        let running = Lock(0)
        let gate = Gate()
        for _ in 0..<8 {
            pool.submit {
                running.withLock { $0 += 1 }
                gate.wait()
            }
        }
        #expect(eventually { running.withLock { $0 } == 8 })
        gate.open()
        pool.close()
    }

    @Test func `one job after another needs one thread`() {
        let pool = WorkerPool(name: "test", threadCountMax: 8, waitingCountMax: 8)
        let threads = Lock<Set<Int>>([])
        for _ in 0..<50 {
            let done = Gate()
            pool.submit {
                threads.withLock { _ = $0.insert(currentThreadNumber()) }
                done.open()
            }
            done.wait()
            // The worker opens the gate just before it is free again.
            #expect(eventually { pool.busyCount == 0 })
        }
        #expect(threads.withLock { $0.count } == 1)
        pool.close()
    }

    @Test func `a task gets the job's result, its error, or the refusal`() async throws {
        struct Full: Error, Equatable { let code: Int }
        let pool = WorkerPool(name: "test", threadCountMax: 1, waitingCountMax: 0)
        let answer = try await pool.run({ () throws(Full) -> Int in 42 }, whenFull: Full(code: 1))
        #expect(answer == 42)
        #expect(eventually { pool.busyCount == 0 })
        await #expect(throws: Full(code: 2)) {
            try await pool.run({ () throws(Full) -> Int in throw Full(code: 2) }, whenFull: Full(code: 1))
        }
        #expect(eventually { pool.busyCount == 0 })
        let gate = Gate()
        #expect(pool.submit { gate.wait() })
        await #expect(throws: Full(code: 1)) {
            try await pool.run({ () throws(Full) -> Int in 42 }, whenFull: Full(code: 1))
        }
        gate.open()
        pool.close()
    }

    @Test func `jobs that submit jobs, from many threads at once, lose none`() {
        let pool = WorkerPool(name: "test", threadCountMax: 4, waitingCountMax: 100_000)
        let count = Lock(0)
        let submitters = (0..<4).map { number in
            Thread(name: "submit-\(number)") {
                for _ in 0..<500 {
                    pool.submit {
                        count.withLock { $0 += 1 }
                        pool.submit { count.withLock { $0 += 1 } }
                    }
                }
            }
        }
        for submitter in submitters { submitter.join() }
        #expect(eventually { count.withLock { $0 } == 4_000 })
        pool.close()
    }
}
