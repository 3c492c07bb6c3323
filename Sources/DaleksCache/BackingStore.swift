public import DaleksSystem
import Glibc

/// Where the bytes of cached files lie: one sparse file for each node, named by its inode.
///
/// A backing file has the size that its node has. Which of its bytes mean something is in `ContentTable`.
public final class BackingStore: Sendable {
    private let folder: String

    /// The folder is made, for this user only, where it is missing.
    public init(folder: String) throws(Errno) {
        self.folder = folder
        try Files.createPrivateDirectory(folder)
        for bucket in 0..<Self.bucketCount {
            try Files.createPrivateDirectory("\(folder)/\(Self.name(ofBucket: bucket))")
        }
    }

    /// Few enough to make at start, many enough that a million files are four thousand to a folder.
    private static let bucketCount: UInt64 = 256

    private static func name(ofBucket bucket: UInt64) -> String {
        let digits = String(bucket, radix: 16)
        return digits.utf8.count < 2 ? "0" + digits : digits
    }

    private func path(of inode: Inode) -> String {
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

    public func remove(_ inode: Inode) throws(Errno) {
        if unlink(path(of: inode)) == -1 {
            let error = Errno.last
            if error != .noEntry { throw error }
        }
    }
}
