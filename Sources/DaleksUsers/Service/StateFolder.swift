import DaleksCore
import DaleksSystem
import Glibc

/// The folder that one process has for itself while this lives.
final class StateFolder: Sendable {
    let path: String
    private let lock: LockFile

    var databasePath: String { "\(path)/users.db" }
    var keysPath: String { "\(path)/keys" }

    init(_ path: String) throws(UsersServiceError) {
        self.path = path
        do throws(Errno) {
            try Files.createPrivateDirectory(path)
            try Self.makePrivate(path)
        } catch {
            throw UsersServiceError("the state folder \(path) cannot be used: \(error); choose another with --state")
        }
        do throws(LockFile.Failure) {
            lock = try LockFile("\(path)/lock")
        } catch {
            switch error {
            case .held(let process):
                let who = process.map { "process \($0)" } ?? "another process"
                throw UsersServiceError(
                    "the state folder \(path) is in use by \(who): stop it or choose another folder with --state"
                )
            case .failed(let errno):
                throw UsersServiceError(
                    "the state folder \(path) cannot be written to: \(errno); choose another with --state"
                )
            }
        }
    }

    /// A folder that others may enter is closed to them where it is empty or ours, and refused where it holds other
    /// things: whoever named it by mistake does not find it changed.
    private static func makePrivate(_ path: String) throws(Errno) {
        let folder = try FileDescriptor.open(path, O_RDONLY | O_DIRECTORY)
        guard try folder.status().st_mode & 0o077 != 0 else { return }
        let entries = try Files.entries(of: path)
        guard entries.isEmpty || entries.contains("users.db") else { throw .notEmpty }
        try checking { fchmod(folder.raw, 0o700) }
    }
}

/// Why the service did not start: one line that says what to do.
public struct UsersServiceError: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}
