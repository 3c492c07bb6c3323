import DaleksSystem
import Glibc

/// A shell that answers commands over two pipes and goes on to its script's last lines when this process is gone.
struct WatchingShell: ~Copyable, Sendable {
    private let commands: FileDescriptor
    private let answers: FileDescriptor
    private var pending: [UInt8] = []
    /// The shell's process number.
    let id: Int32

    /// Runs the script in a session of its own, as another user where asked (which only root may).
    init(script: String, as user: String?) throws(PostgresServer.Failure) {
        var arguments = ["/bin/sh", "-c", script]
        if let user {
            // Unlike su and runuser, setpriv becomes the shell and leaves no process of its own in between.
            arguments = ["/usr/bin/setpriv", "--reuid=\(user)", "--regid=\(user)", "--init-groups", "--"] + arguments
        }
        let commands = try SocketPair()
        let answers = try SocketPair()

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // Every descriptor of ours closes on exec: a child of another test that kept one would keep the shell waiting.
        posix_spawn_file_actions_adddup2(&actions, commands.far.raw, 0)
        posix_spawn_file_actions_adddup2(&actions, answers.far.raw, 1)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // POSIX_SPAWN_SETSID, which the C library's header shows to GNU sources only: a session of its own, so that
        // what the terminal sends to our group passes the watcher by.
        let newSession: Int32 = 0x80
        posix_spawnattr_setflags(&attributes, Int16(newSession | Int32(POSIX_SPAWN_SETSIGMASK)))
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)

        let program = arguments[0]
        let texts: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        defer { for text in texts { free(text) } }
        let settings = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"]
        let environment: [UnsafeMutablePointer<CChar>?] = settings.map { strdup($0) }
        defer { for text in environment { free(text) } }
        var process = pid_t()
        let result = posix_spawn(&process, program, &actions, &attributes, texts + [nil], environment + [nil])
        guard result == 0 else {
            throw PostgresServer.Failure(description: "no shell for PostgreSQL: \(Errno(rawValue: result))")
        }
        id = process
        // Whoever ends is fetched at once: the testing library, waiting for any child of its own, would otherwise find
        // this one again and again and never get further.
        _ = Thread(name: "shell-wait") { [process] in
            var status: Int32 = 0
            _ = try? retryingInterrupts { waitpid(process, &status, 0) }
        }
        self.commands = commands.takeNear()
        self.answers = answers.takeNear()
    }

    /// Sends one line and returns what the script answered before its `ok`.
    mutating func ask(_ command: String) throws(PostgresServer.Failure) -> String {
        let line = Array("\(command)\n".utf8)
        // Not `write`: were the shell gone, that would end this process by a signal.
        let sent = line.withUnsafeBytes { send(commands.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        guard sent == line.count else {
            throw PostgresServer.Failure(description: "the shell of PostgreSQL is gone")
        }
        var lines: [String] = []
        while let line = nextLine() {
            if line == "ok" { return lines.joined(separator: "\n") }
            if line == "failed" { break }
            lines.append(line)
        }
        let reason = lines.isEmpty ? "no reason given" : lines.joined(separator: "; ")
        throw PostgresServer.Failure(description: "PostgreSQL refused “\(command)”: \(reason)")
    }

    private mutating func nextLine() -> String? {
        while true {
            if let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                defer { pending.removeFirst(end + 1) }
                return String(decoding: pending[..<end], as: UTF8.self)
            }
            var buffer = [UInt8](repeating: 0, count: 4_096)
            var count = 0
            buffer.withUnsafeMutableBytes { bytes in
                do throws(Errno) { count = try answers.read(into: bytes) } catch { count = 0 }
            }
            guard count > 0 else { return nil }
            pending += buffer[..<count]
        }
    }
}

/// Two ends of one line: one for us, one for the child.
private struct SocketPair: ~Copyable {
    private let near: FileDescriptor
    let far: FileDescriptor

    init() throws(PostgresServer.Failure) {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else {
            throw PostgresServer.Failure(description: "no line to PostgreSQL's shell: \(Errno.last)")
        }
        near = FileDescriptor(owning: ends[0])
        far = FileDescriptor(owning: ends[1])
    }

    /// Ours; the child's end closes here, having been handed on.
    consuming func takeNear() -> FileDescriptor { near }
}
