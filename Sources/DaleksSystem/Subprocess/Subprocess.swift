import DaleksCore
import Glibc

/// A running program that we started, without a shell.
///
/// Dropping the value leaves the child running; it is reaped all the same when it ends.
///
/// ## Concurrency
/// `state` is guarded by its condition. A signal is sent with the lock held and only while the child is not reaped, so
/// that it cannot reach a stranger who was given the same process id. One thread waits for the child and one reads each
/// of its pipes.
public final class Subprocess: Sendable {
    public enum Ending: Equatable, Sendable {
        case exited(Int32)
        case signaled(Int32)

        public var isSuccess: Bool { self == .exited(0) }
    }

    private struct State {
        var ending: Ending?
        var isTerminating = false
        /// Pipes whose end has not been seen.
        var openOutputCount = 0
    }

    public let processID: Int32
    private let startsGroup: Bool
    private let state = Condition(State())

    /// Returns when the program itself runs, or says why it cannot.
    public static func start(_ command: Command) throws(SubprocessError) -> Subprocess {
        do throws(Errno) {
            return try Subprocess(command)
        } catch {
            throw SubprocessError(program: command.program, errno: error)
        }
    }

    private init(_ command: Command) throws(Errno) {
        let plan = try SpawnPlan(command)
        let input = try ChildStream(command.input)
        let output = try ChildStream(command.output)
        let errors = try ChildStream(command.errors)
        startsGroup = command.startsGroup
        processID = try plan.start(standard: (input.childRaw, output.childRaw, errors.childRaw))
        watch()
        if case .bytes(let bytes) = command.input, let stream = input.takeOurs() {
            let raw = stream.release()
            _ = Thread(name: "child-input") { ChildStream.feed(bytes, to: FileDescriptor(owning: raw)) }
        }
        read(output, into: command.output)
        read(errors, into: command.errors)
    }

    /// How it ended, once it has and its output was read; nil when `timeout` passed first.
    public func wait(timeout: Duration? = nil) -> Ending? {
        let start = TimeSource.system.now
        guard let ending = state.wait(timeout: timeout, until: { $0.ending }) else { return nil }
        let spent = TimeSource.system.now - start
        let left = timeout.map { max(.zero, $0 - spent) } ?? Limits.Subprocess.outputGrace
        _ = state.wait(timeout: min(left, Limits.Subprocess.outputGrace)) { $0.openOutputCount == 0 ? true : nil }
        return ending
    }

    /// How it ended, or nil while it runs.
    public var ending: Ending? { state.withLock { $0.ending } }

    /// False when it has ended already. A child that leads a group shares the signal with it.
    @discardableResult
    public func send(_ signal: Int32) -> Bool {
        state.withLock { state in
            guard state.ending == nil else { return false }
            return kill(startsGroup ? -processID : processID, signal) == 0
        }
    }

    /// Asks it to end, and after `grace` makes it. What is left of its group when it ends is killed.
    @discardableResult
    public func terminate(grace: Duration) -> Ending {
        state.withLock { $0.isTerminating = true }
        send(SIGTERM)
        if let ending = wait(timeout: grace) { return ending }
        send(SIGKILL)
        while true {
            if let ending = wait() { return ending }
        }
    }

    private func watch() {
        _ = Thread(name: "child-wait") { [state, processID, startsGroup] in
            var information = siginfo_t()
            // Its end is seen without reaping it, so that its id stays taken until the lock is held.
            _ = try? retryingInterrupts { waitid(P_PID, id_t(processID), &information, WEXITED | WNOWAIT) }
            state.withLock { state in
                if state.isTerminating, startsGroup { kill(-processID, SIGKILL) }
                var status: Int32 = 0
                let reaped = try? retryingInterrupts { waitpid(processID, &status, 0) }
                // Reaped by somebody else (SIGCHLD ignored): how it ended is not known, and it was no success.
                state.ending = reaped == processID ? Ending(status: status) : .exited(-1)
            }
            state.broadcast()
        }
    }

    private func read(_ stream: consuming ChildStream, into output: Command.Output) {
        guard let ours = stream.takeOurs() else { return }
        let raw = ours.release()
        state.withLock { $0.openOutputCount += 1 }
        _ = Thread(name: "child-output") { [state] in
            ChildStream.drain(FileDescriptor(owning: raw), into: output)
            state.withLock { $0.openOutputCount -= 1 }
            state.broadcast()
        }
    }
}

extension Subprocess.Ending {
    /// As `waitpid` encodes it: the low seven bits are the signal, the next byte is the exit code.
    fileprivate init(status: Int32) {
        self = status & 0x7f == 0 ? .exited(status >> 8 & 0xff) : .signaled(status & 0x7f)
    }
}
