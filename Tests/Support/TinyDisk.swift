public import DaleksSystem
import Glibc

/// A file system of one mebibyte or so, in memory, which is soon full.
public final class TinyDisk: Sendable {
    public let path: String

    public static var isAvailable: Bool { getuid() == 0 && TinyDisk() != nil }

    /// `path`: a folder that is made for it. `files`: how many it can hold.
    public init?(bytes: Int = 1 << 20, files: Int? = nil, at path: String? = nil) {
        let base = Environment.current["TMPDIR"] ?? "/tmp"
        self.path = path ?? "\(base)/daleks-tiny-\(Random.word())"
        guard mkdir(self.path, 0o700) == 0 else { return nil }
        guard mount("tmpfs", self.path, "tmpfs", 0, "size=\(bytes)" + (files.map { ",nr_inodes=\($0)" } ?? "")) == 0
        else {
            rmdir(self.path)
            return nil
        }
    }

    /// Leaves so many bytes for others, or as many as there are again.
    public func fill(but left: Int64?) throws(Errno) {
        let filler = "\(path)/filler"
        guard let left else {
            unlink(filler)
            return
        }
        let file = try FileDescriptor.open(filler, O_RDWR | O_CREAT, mode: 0o600)
        let free = try Files.space(at: path).freeBytes
        if free > left { try file.allocate(0..<free - left) }
    }

    deinit {
        // Lazily: a test that failed may still have files open.
        umount2(path, Int32(MNT_DETACH))
        rmdir(path)
    }
}
