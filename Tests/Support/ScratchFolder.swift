public import DaleksSystem
import Glibc

/// A folder for one test, removed with all that is in it when the last reference goes.
public final class ScratchFolder: Sendable {
    public let path: String

    public init() {
        let parent = Environment.current["TMPDIR"] ?? "/tmp"
        path = "\(parent)/daleks-test-\(getpid())-\(String(Random.word(), radix: 16))"
        do throws(Errno) {
            try Files.createPrivateDirectory(path, durable: false)
        } catch {
            fatalError("\(path) cannot be made: \(error)")  // A test without its folder has nothing to say.
        }
    }

    deinit {
        do throws(Errno) {
            try Files.removeTree(path)
        } catch {
            print("left behind: \(path): \(error)")
        }
    }

    /// A path inside.
    public func path(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file inside and returns its path.
    @discardableResult
    public func write(_ bytes: [UInt8], to name: String) throws(Errno) -> String {
        try Files.writeAtomically(path(name), bytes, durable: false)
        return path(name)
    }

    @discardableResult
    public func write(_ text: String, to name: String) throws(Errno) -> String {
        try write(Array(text.utf8), to: name)
    }

    public func read(_ name: String) throws(Errno) -> [UInt8] { try Files.readAll(path(name), max: 1 << 30) }
}
