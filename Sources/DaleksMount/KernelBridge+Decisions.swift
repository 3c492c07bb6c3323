import DaleksCache
import DaleksCore
import DaleksFUSE
import DaleksSync
import DaleksSystem

/// Changes of names, which in the strictest durability the region decides before anybody hears of them.
///
/// While such a change is decided the kernel holds the lock of its folder, and the name is not in its caches: nobody on
/// this machine sees what may be taken back again.
extension KernelBridge {
    /// What one call has tried so far.
    private struct Attempt: Sendable {
        let folders: [Inode]
        /// When it gives up.
        let deadline: Instant
        /// Whether what is known here was compared with the region since the call began.
        var isCaughtUp = false
    }

    /// Makes a change of names in folders and goes on when it stands for what the mount promises. `change` is called
    /// again where others were first.
    func changeNames<Reply: FUSEReply & ~Copyable, Value: Sendable>(
        in folders: [Inode],
        _ reply: consuming Reply,
        _ change: @escaping @Sendable (RegionQuestion?) throws(Obstacle) -> Value,
        then: @escaping @Sendable (Value, consuming Reply) -> Void
    ) {
        if durability == .writeRegion {
            let deadline = TimeSource.system.now + regionDeadline
            return ask(Attempt(folders: folders, deadline: deadline), reply, change, then)
        }
        do throws(Obstacle) {
            let value = try change(nil)
            whenAtRegion(.closeRegion, .names(in: folders), reply) { reply in then(value, reply) }
        } catch {
            overcome(error, reply) { [self] reply in changeNames(in: folders, reply, change, then: then) }
        }
    }

    private func ask<Reply: FUSEReply & ~Copyable, Value: Sendable>(
        _ attempt: Attempt,
        _ reply: consuming Reply,
        _ change: @escaping @Sendable (RegionQuestion?) throws(Obstacle) -> Value,
        _ then: @escaping @Sendable (Value, consuming Reply) -> Void
    ) {
        let question = RegionQuestion()
        do throws(Obstacle) {
            let value = try change(question)
            if question.isIdle, !attempt.isCaughtUp { return askAgain(attempt, reply, change, then) }
            let impatience = Impatience()
            let parked = reply.park { [engine] _ in engine.interrupt(impatience) }
            let patience = max(.zero, attempt.deadline - TimeSource.system.now)
            engine.decide(question, within: patience, impatience) { [self] decision in
                guard let reply = parked.take() else { return }
                switch decision {
                case .agreed where question.isAsked: then(value, reply)
                // It undid something that had not been sent: there was nothing to decide.
                case .agreed: whenAtRegion(.closeRegion, .names(in: attempt.folders), reply) { then(value, $0) }
                case .failed(let errno): reply.error(errno)
                case .overtaken:
                    // What others did is here now, and says what the call comes to.
                    guard TimeSource.system.now < attempt.deadline else { return reply.refuse(.timedOut) }
                    var next = attempt
                    next.isCaughtUp = true
                    ask(next, reply, change, then)
                }
            }
        } catch {
            guard case .errno(let errno) = error, Self.isAboutNames(errno), !attempt.isCaughtUp else {
                return overcome(error, reply) { [self] reply in ask(attempt, reply, change, then) }
            }
            askAgain(attempt, reply, change, then)
        }
    }

    /// What it came to is by what is known here. The region may know better.
    private func askAgain<Reply: FUSEReply & ~Copyable, Value: Sendable>(
        _ attempt: Attempt,
        _ reply: consuming Reply,
        _ change: @escaping @Sendable (RegionQuestion?) throws(Obstacle) -> Value,
        _ then: @escaping @Sendable (Value, consuming Reply) -> Void
    ) {
        var next = attempt
        next.isCaughtUp = true
        let now = next
        catchUp(with: attempt.folders, reply) { [self] reply in ask(now, reply, change, then) }
    }

    /// Whether another machine may have made it untrue.
    private static func isAboutNames(_ errno: Errno) -> Bool {
        [.exists, .noEntry, .notEmpty, .isDirectory, .notDirectory, .stale].contains(errno)
    }
}
