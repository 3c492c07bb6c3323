import DaleksCore
import DaleksJSON
public import DaleksSystem
import Glibc

/// The file in which a profile's credentials lie: 0600, replaced whole, durable before what is in it is used.
public struct CredentialStore: Sendable {
    public let path: String

    public init(path: String) { self.path = path }

    public enum Failure: Error, Hashable, Sendable {
        /// Nobody is logged in under this profile.
        case absent
        case unreadable(String)
    }

    public func load() throws(Failure) -> Credentials {
        let bytes: [UInt8]
        do throws(Errno) {
            bytes = try Files.readAll(path, max: Limits.Client.credentialBytesMax)
        } catch {
            if error == .noEntry { throw .absent }
            throw .unreadable("\(path): \(error)")
        }
        do throws(JSONError) {
            return try Credentials(json: try JSONValue.parse(bytes))
        } catch {
            throw .unreadable("\(path) is damaged (\(error)); run `daleks login` again")
        }
    }

    public func save(_ credentials: Credentials) throws(Errno) {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        try Files.createPrivateDirectory(folder)
        try Files.writeAtomically(path, credentials.jsonBytes, mode: 0o600, durable: true)
    }

    public func erase() throws(Errno) {
        if unlink(path) == -1 {
            let error = Errno.last
            if error != .noEntry { throw error }
        }
    }

    /// Keeps other programs of ours from refreshing at the same moment; waits a little for one that does.
    func withLock<Result, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let pause = Gate()
        var lock: LockFile?
        for _ in 0..<Limits.Client.lockAttemptsMax {
            lock = try? LockFile(path + ".lock")
            if lock != nil { break }
            pause.wait(timeout: .milliseconds(50))
        }
        // Without the lock two refreshes may meet, which the users service forgives within ten seconds.
        defer { lock = nil }
        return try body()
    }
}
