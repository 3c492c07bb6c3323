import DaleksAPI
import DaleksCore
import DaleksSystem
import Testing

@testable import DaleksSync

/// When a file's locks are given, and what is asked of the region for them.
struct LockedFileTests {
    private let answers = Lock<[String]>([])
    private static let start = Instant(nanoseconds: 1_000_000_000)

    private func waiter(
        _ name: String,
        _ kind: FileLock.Kind = .write,
        owner: UInt64 = 1,
        waits: Bool = false,
        isQuestion: Bool = false
    ) -> LockedFile.Waiter {
        LockedFile.Waiter(
            ticket: UInt64(name.utf8.reduce(0) { $0 * 31 + Int($1) }),
            family: .ranges,
            lock: FileLock(owner: owner, kind: kind),
            waits: waits,
            isQuestion: isQuestion
        ) { [answers] outcome in
            let word =
                switch outcome {
                case .done: "done"
                case .failed(let errno): "\(errno)"
                case .conflict(let lock): lock == nil ? "free" : "taken"
                }
            answers.withLock { $0.append("\(name) \(word)") }
        }
    }

    /// Performs answers, and tells the rest.
    private func told(_ actions: [LockedFile.Action]) -> [String] {
        actions.compactMap { action in
            switch action {
            case .answer(let completion, let outcome):
                completion(outcome)
                return nil
            case .ask(let mode, let isPatient): return "ask \(mode)\(isPatient ? " patiently" : "")"
            case .giveBack(let lease): return "give back \(lease.number)"
            case .remind: return "remind"
            }
        }
    }

    private var said: [String] {
        answers.withLock { answers in
            defer { answers = [] }; return answers
        }
    }

    private func lease(_ number: Int64, _ mode: LeaseMode = .exclusive) -> LockedFile.Lease {
        LockedFile.Lease(node: .random(at: .zero), number: number, mode: mode, until: Self.start + .seconds(28))
    }

    @Test func `the first lock asks for a lease, the next ones do not, until it is over`() {
        var file = LockedFile(now: Self.start)
        let lock = FileLock(owner: 1, kind: .write)

        #expect(file.tryLock(.ranges, lock, at: Self.start) == .none)
        #expect(told(file.wait(waiter("a"), at: Self.start)) == ["ask exclusive"])
        #expect(told(file.given(lease(1), at: Self.start)) == [] && said == ["a done"])
        #expect(file.tryLock(.ranges, lock, at: Self.start) == .some(nil))
        #expect(file.tryLock(.ranges, FileLock(owner: 2, kind: .read), at: Self.start) == .some(.tryAgain))
        // flock and fcntl do not see each other.
        #expect(file.tryLock(.whole, FileLock(owner: 2, kind: .write), at: Self.start) == .some(nil))
        let late = Self.start + .seconds(29)
        #expect(file.tryLock(.ranges, lock, at: late) == .none)
        #expect(told(file.wait(waiter("late"), at: late)) == ["ask exclusive"])
        #expect(told(file.refused(.noLocks, isTaken: false, at: late)) == [] && said == ["late \(Errno.noLocks)"])
    }

    @Test func `readers ask for a shared lease, and a writer for more`() {
        var file = LockedFile(now: Self.start)

        #expect(told(file.wait(waiter("reader", .read), at: Self.start)) == ["ask shared"])
        #expect(told(file.given(lease(1, .shared), at: Self.start)) == [])
        #expect(told(file.wait(waiter("writer", owner: 1), at: Self.start)) == ["ask exclusive"])
        #expect(told(file.refused(.tryAgain, isTaken: true, at: Self.start)) == [])

        #expect(said == ["reader done", "writer \(Errno.tryAgain)"])
        #expect(file.tryLock(.ranges, FileLock(owner: 2, kind: .read), at: Self.start) == .some(nil))
    }

    @Test func `a recalled lease goes back when the last lock ends, and only who has one gets more`() {
        var file = LockedFile(now: Self.start)
        _ = told(file.wait(waiter("a", .read, owner: 1), at: Self.start))
        _ = told(file.given(lease(1), at: Self.start))

        #expect(told(file.renewed(1, until: Self.start + .seconds(30), isRecalled: true, at: Self.start)) == [])
        #expect(file.tryLock(.ranges, FileLock(owner: 1, kind: .write), at: Self.start) == .some(nil))
        #expect(told(file.wait(waiter("impatient", owner: 2), at: Self.start)) == [])
        #expect(told(file.wait(waiter("question", owner: 2, isQuestion: true), at: Self.start)) == [])
        #expect(told(file.wait(waiter("patient", owner: 3, waits: true), at: Self.start)) == [])
        #expect(told(file.unlock(.ranges, owner: 1, at: Self.start)) == ["give back 1"])
        // What is on its way back decides nothing.
        #expect(file.tryLock(.ranges, FileLock(owner: 1, kind: .write), at: Self.start) == .none)
        #expect(told(file.lost(1, at: Self.start)) == ["ask exclusive patiently"])
        #expect(told(file.wait(waiter("later", owner: 4), at: Self.start)) == [])
        _ = told(file.given(lease(2), at: Self.start))

        #expect(
            said == [
                "a done", "impatient \(Errno.tryAgain)", "question taken", "later \(Errno.tryAgain)", "patient done",
            ]
        )
    }

    @Test func `a recall that is withdrawn lets everybody in again`() {
        var file = LockedFile(now: Self.start)
        _ = told(file.wait(waiter("a", owner: 1), at: Self.start))
        _ = told(file.given(lease(1), at: Self.start))
        _ = told(file.recalled(true, at: Self.start))
        _ = told(file.wait(waiter("b", owner: 2, waits: true), at: Self.start))

        #expect(told(file.recalled(false, at: Self.start)) == [])
        #expect(told(file.unlock(.ranges, owner: 1, at: Self.start)) == [] && said == ["a done", "b done"])
    }

    @Test func `waiters come in their order, and who is interrupted is not given anything`() throws {
        var file = LockedFile(now: Self.start)
        _ = told(file.wait(waiter("a", owner: 1), at: Self.start))
        _ = told(file.given(lease(1), at: Self.start))
        let second = waiter("b", owner: 2, waits: true)
        _ = told(file.wait(second, at: Self.start))
        _ = told(file.wait(waiter("c", owner: 3, waits: true), at: Self.start))

        #expect(file.cancel(second.ticket) != nil && file.cancel(second.ticket) == nil)
        _ = told(file.unlock(.ranges, owner: 1, at: Self.start))

        #expect(said == ["a done", "c done"])
    }

    @Test func `what nobody needs goes back after a while`() {
        var file = LockedFile(now: Self.start)
        _ = told(file.wait(waiter("a"), at: Self.start))
        _ = told(file.given(lease(7), at: Self.start))
        let later = Self.start + .seconds(20)

        #expect(told(file.giveBackIfIdle(since: later, at: later)) == [])
        #expect(told(file.unlock(.ranges, owner: 1, at: later)) == [])
        #expect(told(file.giveBackIfIdle(since: later - .seconds(1), at: later)) == [])
        #expect(told(file.giveBackIfIdle(since: later, at: later)) == ["give back 7"])
        #expect(told(file.lost(7, at: later)) == [] && file.isOver)
    }

    /// The kernel tells of the end of an open file after `close` has returned.
    @Test(arguments: [true, false])
    func `who tries for the lock of a file that was closed just now waits until that is gone`(isGone: Bool) {
        var file = LockedFile(now: Self.start)
        _ = told(file.wait(waiter("first"), at: Self.start))
        _ = told(file.given(lease(1), at: Self.start))
        _ = told(file.unlock(.ranges, owner: 1, at: Self.start))
        let lock = FileLock(owner: 2, kind: .write)
        #expect(file.tryLock(.ranges, FileLock(owner: 5, kind: .write, handle: 9), at: Self.start) == .some(nil))
        #expect(file.tryLock(.ranges, lock, at: Self.start) == .some(.tryAgain))
        _ = said

        #expect(told(file.closed(by: 77, handle: 9, at: Self.start)) == [])
        #expect(file.tryLock(.ranges, lock, at: Self.start) == .none)
        #expect(told(file.wait(waiter("next", owner: 2), at: Self.start)) == ["remind"] && said == [])
        if isGone {
            #expect(told(file.released(handle: 9, owner: nil, at: Self.start)) == [] && said == ["next done"])
        } else {
            // It was one of several descriptors.
            let later = Self.start + LockedFile.leavingLimit
            #expect(told(file.reminded(of: Self.start, at: later)) == [] && said == ["next \(Errno.tryAgain)"])
            #expect(file.tryLock(.ranges, lock, at: later) == .some(.tryAgain))
        }
    }

    @Test func `an open file that goes takes its own locks with it`() {
        var file = LockedFile(now: Self.start)
        _ = told(file.wait(waiter("a"), at: Self.start))
        _ = told(file.given(lease(1), at: Self.start))
        _ = file.unlock(.ranges, owner: 1, at: Self.start)
        #expect(file.tryLock(.ranges, FileLock(owner: 5, kind: .write, handle: 9), at: Self.start) == .some(nil))
        #expect(file.tryLock(.whole, FileLock(owner: 6, kind: .write, handle: 9), at: Self.start) == .some(nil))

        _ = told(file.released(handle: 9, owner: 6, at: Self.start))

        #expect(!file.isLocked)
    }
}
