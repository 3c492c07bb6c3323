import Glibc

/// Proof that no other process works on the same state: a file that is locked while this value lives.
///
/// The lock goes with the process, however it ends. The file stays, since unlinking it would let two processes each
/// lock a file of that name.
public struct LockFile: ~Copyable, Sendable {
    public enum Failure: Error, Equatable, Sendable {
        /// Another process has it; its id where it had time to write it.
        case held(by: Int32?)
        case failed(Errno)
    }

    private let file: FileDescriptor

    /// Takes the lock or says who has it. It never waits.
    public init(_ path: String) throws(Failure) { file = try Self.locked(path) }

    /// Who has it; nil where nobody has, or did not say so.
    public static func holder(of path: String) -> Int32? {
        guard let file = try? FileDescriptor.open(path, O_RDONLY | O_NOFOLLOW),
            flock(file.raw, LOCK_SH | LOCK_NB) == -1
        else { return nil }
        return owner(path)
    }

    private static func locked(_ path: String) throws(Failure) -> FileDescriptor {
        do throws(Errno) {
            let file = try FileDescriptor.open(path, O_RDWR | O_CREAT | O_NOFOLLOW)
            try retryingInterrupts { flock(file.raw, LOCK_EX | LOCK_NB) }
            try file.truncate(to: 0)
            try file.writeAll(Array("\(getpid())\n".utf8))
            return file
        } catch .tryAgain {
            throw .held(by: owner(path))
        } catch {
            throw .failed(error)
        }
    }

    private static func owner(_ path: String) -> Int32? {
        guard let bytes = try? Files.readAll(path, max: 64) else { return nil }
        return Int32(String(decoding: bytes, as: UTF8.self).prefix { $0 != "\n" })
    }
}
