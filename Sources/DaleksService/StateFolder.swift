import DaleksCore
import DaleksSystem
import Glibc

/// The folder that one process has for itself while this lives, or until it is released.
///
/// ## Concurrency
/// `lock` is guarded by itself.
public final class StateFolder: Sendable {
    public let path: String
    private let lock: Lock<LockFile?>

    /// `database` is the name of the file by which a folder is known as a service's own.
    public init(_ path: String, database: String) throws(ServiceFailure) {
        self.path = path
        do throws(Errno) {
            try Files.createPrivateDirectory(path)
            try Self.makePrivate(path, database)
        } catch {
            throw ServiceFailure("the state folder \(path) cannot be used: \(error); choose another with --state")
        }
        do throws(LockFile.Failure) {
            lock = Lock(try LockFile("\(path)/lock"))
        } catch {
            switch error {
            case .held(let process):
                let who = process.map { "process \($0)" } ?? "another process"
                throw ServiceFailure(
                    "the state folder \(path) is in use by \(who): stop it or choose another folder with --state"
                )
            case .failed(let errno):
                throw ServiceFailure(
                    "the state folder \(path) cannot be written to: \(errno); choose another with --state"
                )
            }
        }
    }

    public func release() { lock.withLock { $0 = nil } }

    /// A folder that others may enter is closed to them where it is empty or ours, and refused where it holds other
    /// things: whoever named it by mistake does not find it changed.
    private static func makePrivate(_ path: String, _ database: String) throws(Errno) {
        let folder = try FileDescriptor.open(path, O_RDONLY | O_DIRECTORY)
        guard try folder.status().st_mode & 0o077 != 0 else { return }
        let entries = try Files.entries(of: path)
        guard entries.isEmpty || entries.contains(database) else { throw .notEmpty }
        try checking { fchmod(folder.raw, 0o700) }
    }
}
