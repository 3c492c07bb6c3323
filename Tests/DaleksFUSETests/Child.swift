import CFuse
import DaleksSystem
import Glibc

/// Programs that tests start.
///
/// This process serves mounts, has files open on them, and starts children, which is a trap: until a child's exec has
/// closed what it inherited, it holds our ends of the mounts' connections, and the files, whose closing is a request to
/// us. Should we stop serving meanwhile, the request waits for ever and the connection never ends. So no mount ends
/// while a child is between fork and exec.
enum Child {
    /// Held while a child comes to life, and while a mount ends.
    static let birth = Lock(())

    /// Runs a program and returns its exit status (-1: a signal) and all it printed.
    static func run(_ words: [String]) -> (status: Int32, output: String) {
        guard let started = start(words) else { return (-1, "\(words[0]) did not start") }
        let output = FileDescriptor(owning: started.output)
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while true {
            let count = buffer.withUnsafeMutableBytes { (try? output.read(into: $0)) ?? 0 }
            if count == 0 { break }
            text += buffer[..<count]
        }
        var status: Int32 = 0
        waitpid(started.process, &status, 0)
        return (status & 0x7f == 0 ? (status >> 8) & 0xff : -1, String(decoding: text, as: UTF8.self))
    }

    private static func start(_ words: [String]) -> (process: pid_t, output: Int32)? {
        birth.withLock { _ in
            guard let (ours, theirs) = socketPair(), let (sensor, last) = socketPair() else { return nil }
            // Descriptors are closed in order, and this one is far beyond all others: when it is closed, all are.
            let far = fcntl(last, F_DUPFD_CLOEXEC, 900)
            close(last)
            var actions = posix_spawn_file_actions_t()
            posix_spawn_file_actions_init(&actions)
            defer { posix_spawn_file_actions_destroy(&actions) }
            posix_spawn_file_actions_adddup2(&actions, theirs, STDOUT_FILENO)
            posix_spawn_file_actions_adddup2(&actions, theirs, STDERR_FILENO)
            var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
            pointers.append(nil)
            defer { for pointer in pointers { free(pointer) } }
            var process = pid_t()
            let result = posix_spawnp(&process, words[0], &actions, nil, pointers, environ)
            close(theirs)
            close(far)
            var byte: UInt8 = 0
            _ = read(sensor, &byte, 1)
            close(sensor)
            guard result == 0 else {
                close(ours)
                return nil
            }
            return (process, ours)
        }
    }

    private static func socketPair() -> (Int32, Int32)? {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        var ends: [Int32] = [-1, -1]
        return socketpair(AF_UNIX, type, 0, &ends) == 0 ? (ends[0], ends[1]) : nil
    }
}
