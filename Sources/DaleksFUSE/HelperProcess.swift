import DaleksCore
import DaleksSystem
import Glibc

/// A short-lived program whose complaints we read.
struct HelperProcess: ~Copyable {
    /// Where the child finds the one descriptor it inherits beside the standard ones.
    static let extraDescriptor: Int32 = 3

    private let process: pid_t
    private let complaints: FileDescriptor

    init(_ words: [String], environment extraVariable: String? = nil, extra: Int32? = nil) throws(FUSEError) {
        let pipe = try Self.pipe()
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, pipe.second.raw, STDERR_FILENO)
        // Also where the numbers are equal: it then stays open over exec.
        if let extra { posix_spawn_file_actions_adddup2(&actions, extra, Self.extraDescriptor) }

        // The program may have blocked signals for itself; the child must be able to die.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

        var child = pid_t()
        let result = Self.withStrings(words) { arguments in
            Self.withStrings(Self.environment(adding: extraVariable)) { variables in
                posix_spawnp(&child, words[0], &actions, &attributes, arguments, variables)
            }
        }
        guard result == 0 else {
            throw result == ENOENT ? .helperMissing : .system("starting \(words[0])", Errno(rawValue: result))
        }
        process = child
        complaints = pipe.first
        // While we have its end too, its complaints would not end with it.
        try? pipe.second.close()
    }

    /// Its exit status (-1 where a signal ended it) and what it wrote to standard error, in one line.
    consuming func wait() -> (status: Int32, complaint: String) {
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 512)
        while true {
            let count = buffer.withUnsafeMutableBytes { (try? complaints.read(into: $0)) ?? 0 }
            if count == 0 { break }
            if text.count < Limits.FUSE.complaintBytesMax { text += buffer[..<count] }
        }
        var status: Int32 = -1
        _ = try? retryingInterrupts { waitpid(process, &status, 0) }
        let isExit = status & 0x7f == 0
        let lines = text.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
        return (isExit ? (status >> 8) & 0xff : -1, lines.joined(separator: "; "))
    }

    private static func pipe() throws(FUSEError) -> DescriptorPair {
        do throws(Errno) { return try DescriptorPair() } catch { throw .system("making a pipe", error) }
    }

    private static func environment(adding variable: String?) -> [String] {
        var variables: [String] = []
        var next = environ
        while let text = next.pointee {
            variables.append(String(cString: text))
            next += 1
        }
        // Messages are read by us, so they must be the ones we know.
        variables.removeAll { $0.hasPrefix("LC_") || $0.hasPrefix("LANG") }
        if let variable { variables.append(variable) }
        return variables
    }

    private static func withStrings<Result>(
        _ strings: [String],
        _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) }
        pointers.append(nil)
        defer { for pointer in pointers { free(pointer) } }
        return body(pointers)
    }
}
