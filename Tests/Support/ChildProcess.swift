import DaleksCore
import DaleksSystem
import Glibc

/// A program that a test needs beside it. It dies with this process, however that ends.
///
/// A shell starts it, leaves a watcher behind and becomes the program: the watcher reads from a socket whose other end
/// only this process holds, and kills the program's whole process group when that closes.
///
/// ## Concurrency
/// `state` is guarded by its condition. One thread reads the output, another waits for the end.
public final class ChildProcess: Sendable {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String

        public init(description: String) { self.description = description }
    }

    private struct State {
        var lines: [String] = []
        var exitCode: Int32?
        var isOutputEnded = false
    }

    /// Older lines are forgotten.
    private static let linesMax = 2_000

    private static let watcher = #"""
        (trap '' INT TERM HUP; read -r end; kill -KILL -$$) <&3 3<&- >/dev/null 2>&1 &
        exec "$@" 3<&-
        """#

    public let id: Int32
    private let name: String
    /// Ours is the only other end of what the watcher reads.
    private let lifeline: Lock<Int32?>
    private let state = Condition(State())

    /// Starts the program; a name without a slash is looked for in PATH. `environment` is added to our own. What it
    /// writes, errors too, is kept as lines.
    public init(
        _ program: String,
        _ arguments: [String] = [],
        environment: [String: String] = [:],
        folder: String? = nil
    ) throws {
        name = program
        let ends = try LoopbackSocket.pair()
        // Neither end is for other children, who would keep the output open when this one is gone: these close on exec.
        let output = try LoopbackSocket.pair()
        let reading = FileDescriptor(owning: output[0])
        defer {
            _ = Glibc.close(ends[1])
            _ = Glibc.close(output[1])
        }
        let words = ["/bin/sh", "-c", Self.watcher, "sh", program] + arguments
        do {
            id = try Self.spawn(words, environment, folder, lifeline: ends[1], output: output[1])
        } catch {
            _ = Glibc.close(ends[0])
            throw error
        }
        lifeline = Lock(ends[0])
        let raw = reading.release()
        _ = Thread(name: "child-output") { [self] in readOutput(FileDescriptor(owning: raw)) }
        _ = Thread(name: "child-wait") { [self] in waitForEnd() }
    }

    deinit { cut() }

    // MARK: What it says and how it ends

    public var lines: [String] { state.withLock { $0.lines } }
    public var exitCode: Int32? { state.withLock { $0.exitCode } }

    /// The first line that satisfies the predicate, as soon as it is there.
    public func line(within timeout: Duration, where predicate: (String) -> Bool) throws -> String {
        let found: String?? = state.wait(timeout: timeout) { state -> String?? in
            if let line = state.lines.first(where: predicate) { return line }
            return state.exitCode != nil && state.isOutputEnded ? .some(nil) : nil
        }
        guard let line = found ?? nil else { throw Failure(description: explanation("did not say what was expected")) }
        return line
    }

    /// Returns when something accepts connections on that port.
    public func listening(on port: UInt16, within timeout: Duration) throws {
        let end = TimeSource.system.now + timeout
        while TimeSource.system.now < end {
            if (try? LoopbackSocket.connect(port: port)) != nil { return }
            if exitCode != nil { break }
            usleep(5_000)
        }
        throw Failure(description: explanation("did not listen on port \(port)"))
    }

    /// The exit code, or the signal's number negated. Nil when the time passed first.
    public func wait(within timeout: Duration) -> Int32? { state.wait(timeout: timeout) { $0.exitCode } }

    /// Returns when nobody can write any more of its output.
    public func waitForOutput(within timeout: Duration = .seconds(5)) {
        _ = state.wait(timeout: timeout) { $0.isOutputEnded ? true : nil }
    }

    public func send(signal: Int32) {
        // Ours until it is waited for, which happens under this lock.
        state.withLock { state in
            if state.exitCode == nil { kill(id, signal) }
        }
    }

    /// Asks with SIGTERM, then kills; returns when the program is gone. What it left behind is killed at once too.
    public func stop(within patience: Duration = .seconds(5)) {
        send(signal: SIGTERM)
        if wait(within: patience) == nil { send(signal: SIGKILL) }
        _ = wait(within: .seconds(5))
        cut()
    }

    private func explanation(_ problem: String) -> String {
        let (lines, exitCode) = state.withLock { ($0.lines.suffix(20), $0.exitCode) }
        let end = exitCode.map { " and ended with \($0)" } ?? ""
        return "\(name) \(problem)\(end); its last words:\n" + lines.joined(separator: "\n")
    }

    /// The watcher then kills what is left of the group and itself.
    private func cut() {
        let raw = lifeline.withLock { raw -> Int32? in
            defer { raw = nil }
            return raw
        }
        if let raw { _ = Glibc.close(raw) }
    }

    // MARK: Its threads

    private func readOutput(_ output: consuming FileDescriptor) {
        var rest: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = buffer.withUnsafeMutableBytes { (try? output.read(into: $0)) ?? 0 }
            guard count > 0 else { break }
            rest += buffer[..<count]
            var lines: [String] = []
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                lines.append(String(decoding: rest[..<end], as: UTF8.self))
                rest.removeFirst(end + 1)
            }
            append(lines)
        }
        if !rest.isEmpty { append([String(decoding: rest, as: UTF8.self)]) }
        state.withLock { $0.isOutputEnded = true }
        state.broadcast()
    }

    private func append(_ lines: [String]) {
        state.withLock { [lines] state in
            state.lines += lines
            if state.lines.count > Self.linesMax { state.lines.removeFirst(state.lines.count - Self.linesMax) }
        }
        state.broadcast()
    }

    private func waitForEnd() {
        // Leaves the body of the child where it is: its number stays taken until the lock is held.
        var information = siginfo_t()
        _ = try? retryingInterrupts { waitid(P_PID, id_t(id), &information, WEXITED | WNOWAIT) }
        state.withLock { state in
            var status: Int32 = 0
            _ = waitpid(id, &status, 0)
            let signal = status & 0x7f
            state.exitCode = signal == 0 ? (status >> 8) & 0xff : -signal
        }
        state.broadcast()
    }

    // MARK: Starting

    private static func spawn(
        _ words: [String],
        _ environment: [String: String],
        _ folder: String?,
        lifeline: Int32,
        output: Int32
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, output, 2)
        posix_spawn_file_actions_adddup2(&actions, lifeline, 3)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A group of its own, so that all it starts can be killed with it; and no signal blocked that was blocked here.
        posix_spawnattr_setpgroup(&attributes, 0)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))

        var words = words
        if let folder { words = ["/bin/sh", "-c", #"cd "$0" && exec "$@""#, folder] + words }
        var arguments = words.map { strdup($0) } + [nil]
        var variables = variables(adding: environment).map { strdup($0) } + [nil]
        defer { for text in arguments + variables { free(text) } }
        var id: pid_t = 0
        let result = posix_spawn(&id, "/bin/sh", &actions, &attributes, &arguments, &variables)
        if result != 0 {
            throw Failure(description: "cannot start \(words.joined(separator: " ")): \(Errno(rawValue: result))")
        }
        return id
    }

    private static func variables(adding added: [String: String]) -> [String] {
        var variables: [String] = []
        var position = environ
        while let text = position.pointee {
            let variable = String(cString: text)
            let name = variable.prefix { $0 != "=" }
            if added[String(name)] == nil { variables.append(variable) }
            position += 1
        }
        return variables + added.map { "\($0.key)=\($0.value)" }
    }
}
