import Glibc

/// Ranges of a file: which of them hold data, and how they are set aside, cleared and copied.
extension FileDescriptor {
    /// Sets blocks aside for a range, so that a later write there cannot run out of space. The size stays.
    public borrowing func allocate(_ range: Range<Int64>) throws(Errno) {
        guard !range.isEmpty else { return }
        // FALLOC_FL_KEEP_SIZE
        try retryingInterrupts { Shim.fallocate(raw, 1, Int(range.lowerBound), range.count) }
    }

    /// Where data begins at or after an offset, or nil where only a hole follows.
    public borrowing func nextData(from offset: Int64) throws(Errno) -> Int64? {
        // SEEK_DATA
        try seek(offset, 3)
    }

    /// Where a hole begins at or after an offset; the end of the file is one. Nil behind the end.
    public borrowing func nextHole(from offset: Int64) throws(Errno) -> Int64? {
        // SEEK_HOLE
        try seek(offset, 4)
    }

    private borrowing func seek(_ offset: Int64, _ whence: Int32) throws(Errno) -> Int64? {
        let found = lseek(raw, off_t(offset), whence)
        if found >= 0 { return Int64(found) }
        let error = Errno.last
        if error == .noSuchDevice { return nil }
        throw error
    }

    /// Copies bytes inside the kernel, sharing blocks where the file system can. Ends early where the source does.
    public borrowing func copy(
        _ range: Range<Int64>,
        to target: borrowing FileDescriptor,
        at offset: Int64
    ) throws(Errno) -> Int64 {
        let (count, failure) = copySome(range, to: target, at: offset)
        if let failure { throw failure }
        return count
    }

    /// The same as far as it goes, and what kept the rest out.
    public borrowing func copySome(
        _ range: Range<Int64>,
        to target: borrowing FileDescriptor,
        at offset: Int64
    ) -> (count: Int64, failure: Errno?) {
        var done: Int64 = 0
        while done < Int64(range.count) {
            let (from, to) = ((raw, Int(range.lowerBound + done)), (target.raw, Int(offset + done)))
            do throws(Errno) {
                let count = try retryingInterrupts { Shim.copyFileRange(from, to, range.count - Int(done)) }
                if count == 0 { break }
                done += Int64(count)
            } catch {
                return (done, error)
            }
        }
        return (done, nil)
    }

    public borrowing func setAttribute(_ name: String, _ value: [UInt8]) throws(Errno) {
        var failure: Errno?
        value.withUnsafeBytes { bytes in
            do throws(Errno) {
                try checking { Shim.setAttribute(raw, name, bytes) }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    /// Everything written to the file system that this descriptor is on survives a power cut when this returns.
    public borrowing func synchronizeFileSystem() throws(Errno) { try retryingInterrupts { Shim.syncfs(raw) } }
}

extension Files {
    /// What an ordinary user may still put on a file system, and how much it has in all.
    public struct Space: Sendable {
        public let freeBytes: Int64
        public let totalBytes: Int64
        /// Files that may still be made. A file system that makes room for them as it goes says 0 of both.
        public let freeFiles: Int64
        public let totalFiles: Int64
    }

    /// Of the file system that a path is on.
    public static func space(at path: String) throws(Errno) -> Space {
        var result = statvfs()
        try checking { statvfs(path, &result) }
        let unit = Int64(result.f_frsize)
        return Space(
            freeBytes: Int64(result.f_bavail) * unit,
            totalBytes: Int64(result.f_blocks) * unit,
            freeFiles: Int64(clamping: result.f_favail),
            totalFiles: Int64(clamping: result.f_files)
        )
    }
}
