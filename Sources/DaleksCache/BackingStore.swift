public import DaleksSystem
import Glibc

/// Where the bytes of cached files lie: one sparse file for each node, named by its inode.
///
/// A backing file has the size that its node has. Which of its bytes mean something is in `ContentTable`.
///
/// ## Concurrency
/// Nothing here changes but the files. Removing costs more than making, so it happens on a thread of its own.
public final class BackingStore: Sendable {
    public let folder: String
    private let handle: FileDescriptor
    private let removals = WorkerPool(
        name: "unlink",
        threadCountMax: 1,
        waitingCountMax: 1 << 16,
        standsBack: true
    )

    /// Names the node and its last path, so that a file can be placed without the index.
    public static let placeAttribute = "user.daleks.place"

    /// The folder is made, for this user only, where it is missing.
    public init(folder: String) throws(Errno) {
        self.folder = folder
        try Files.createPrivateDirectory(folder)
        for bucket in 0..<Self.bucketCount {
            try Files.createPrivateDirectory("\(folder)/\(Self.name(ofBucket: bucket))", durable: false)
        }
        handle = try FileDescriptor.open(folder, O_RDONLY | O_DIRECTORY)
        try handle.synchronize()
    }

    /// Few enough to make at start, many enough that a million files are four thousand to a folder.
    private static let bucketCount: UInt64 = 256

    private static func name(ofBucket bucket: UInt64) -> String {
        let digits = String(bucket, radix: 16)
        return digits.utf8.count < 2 ? "0" + digits : digits
    }

    public func path(of inode: Inode) -> String {
        "\(folder)/\(Self.name(ofBucket: inode.rawValue % Self.bucketCount))/\(inode.rawValue)"
    }

    /// Opens the node's file for reading and writing, making an empty one where there is none.
    public func open(_ inode: Inode) throws(Errno) -> FileDescriptor {
        try FileDescriptor.open(path(of: inode), O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
    }

    /// Size and modification time of the node's file, or nil where there is none.
    public func status(of inode: Inode) throws(Errno) -> (size: Int64, modifiedSeconds: Int, modifiedNanoseconds: Int)?
    {
        var result = stat()
        if lstat(path(of: inode), &result) == -1 {
            let error = Errno.last
            if error == .noEntry { return nil }
            throw error
        }
        return (Int64(result.st_size), result.st_mtim.tv_sec, result.st_mtim.tv_nsec)
    }

    /// Takes the file away, soon. An inode is never used twice, so nobody can meet it again.
    public func remove(_ inode: Inode) throws(Errno) {
        let path = path(of: inode)
        if removals.submit({ _ = unlink(path) }) { return }
        try removeNow(inode)
    }

    /// Takes the file away before it returns: what is made under that name afterwards is another.
    public func removeNow(_ inode: Inode) throws(Errno) {
        if unlink(path(of: inode)) == -1 {
            let error = Errno.last
            if error != .noEntry { throw error }
        }
    }

    /// Every file that is here now, bucket by bucket. What is not named like an inode is not ours and not told.
    public func forEach(_ body: (Inode) throws -> Void) throws {
        for bucket in 0..<Self.bucketCount {
            for name in try Files.entries(of: "\(folder)/\(Self.name(ofBucket: bucket))") {
                if let number = UInt64(name) { try body(Inode(rawValue: number)) }
            }
        }
    }

    /// Makes every byte of every file durable, and whatever else is on this file system.
    public func synchronizeAll() throws(Errno) { try handle.synchronizeFileSystem() }

    /// Waits for removals under way.
    public func close() { removals.close() }
}
