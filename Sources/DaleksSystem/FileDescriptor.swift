public import Glibc

/// An open descriptor that closes itself. Whoever has the value has the right to the descriptor.
public struct FileDescriptor: ~Copyable, Sendable {
    /// Where relative paths start when no folder is named (AT_FDCWD).
    public static let currentDirectory: Int32 = -100

    public let raw: Int32

    /// Takes over a descriptor that nobody else will close.
    public init(owning raw: Int32) { self.raw = raw }

    deinit { _ = Glibc.close(raw) }

    /// Gives the descriptor away without closing it.
    public consuming func release() -> Int32 {
        let raw = raw
        discard self
        return raw
    }

    /// Closes now and reports what `deinit` would have to keep to itself.
    public consuming func close() throws(Errno) {
        let raw = raw
        discard self
        // Linux has freed the descriptor even where close reports EINTR, so it is never called twice.
        try checking { Glibc.close(raw) }
    }

    /// Opens with O_CLOEXEC always; `directory` is where a relative path starts.
    public static func open(
        _ path: String,
        _ flags: Int32,
        mode: UInt32 = 0o600,
        in directory: Int32 = FileDescriptor.currentDirectory
    ) throws(Errno) -> FileDescriptor {
        let raw = try retryingInterrupts { Shim.openat(directory, path, flags | O_CLOEXEC, mode) }
        return FileDescriptor(owning: raw)
    }

    public borrowing func duplicate() throws(Errno) -> FileDescriptor {
        FileDescriptor(owning: try checking { Shim.fcntl(raw, F_DUPFD_CLOEXEC, 0) })
    }

    /// Reads at an offset until the buffer is full or the file ends; the count tells which.
    public borrowing func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(Errno) -> Int {
        var done = 0
        while done < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = try retryingInterrupts { pread(raw, rest.baseAddress, rest.count, off_t(offset) + off_t(done)) }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// Reads what the kernel has in memory, and never waits for a disk; fewer bytes, or none, where it has not all.
    public borrowing func readWithoutWaiting(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) -> Int {
        max(0, Shim.readWithoutWaiting(raw, buffer, offset))
    }

    /// Writes all of it at an offset, or throws; what a failed call left behind is unspecified.
    public borrowing func write(_ buffer: UnsafeRawBufferPointer, at offset: Int64) throws(Errno) {
        if let failure = writeSome(buffer, at: offset).failure { throw failure }
    }

    /// Writes as much of it at an offset as gets in, and says how much that was and what kept the rest out.
    public borrowing func writeSome(
        _ buffer: UnsafeRawBufferPointer,
        at offset: Int64
    ) -> (count: Int, failure: Errno?) {
        var done = 0
        while done < buffer.count {
            let rest = UnsafeRawBufferPointer(rebasing: buffer[done...])
            do throws(Errno) {
                done += try retryingInterrupts {
                    pwrite(raw, rest.baseAddress, rest.count, off_t(offset) + off_t(done))
                }
            } catch {
                return (done, error)
            }
        }
        return (done, nil)
    }

    /// One `read` from a pipe, socket or file position; 0 is the end.
    public borrowing func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try retryingInterrupts { Glibc.read(raw, buffer.baseAddress, buffer.count) }
    }

    /// Writes all of it to a pipe, socket or file position.
    public borrowing func writeAll(_ buffer: UnsafeRawBufferPointer) throws(Errno) {
        var done = 0
        while done < buffer.count {
            let rest = UnsafeRawBufferPointer(rebasing: buffer[done...])
            done += try retryingInterrupts { Glibc.write(raw, rest.baseAddress, rest.count) }
        }
    }

    public borrowing func writeAll(_ bytes: [UInt8]) throws(Errno) {
        var failure: Errno?
        bytes.withUnsafeBytes { buffer in
            do throws(Errno) { try writeAll(buffer) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    public borrowing func truncate(to size: Int64) throws(Errno) {
        try retryingInterrupts { ftruncate(raw, off_t(size)) }
    }

    /// The bytes and the metadata needed to read them back survive a power cut when this returns.
    public borrowing func synchronizeData() throws(Errno) { try retryingInterrupts { fdatasync(raw) } }

    /// As `synchronizeData`, and all metadata; on a folder, its entries.
    public borrowing func synchronize() throws(Errno) { try retryingInterrupts { fsync(raw) } }

    public borrowing func status() throws(Errno) -> stat {
        var result = stat()
        try checking { fstat(raw, &result) }
        return result
    }

    public borrowing func setNonblocking() throws(Errno) {
        let flags = try checking { Shim.fcntl(raw, F_GETFL, 0) }
        try checking { Shim.fcntl(raw, F_SETFL, flags | O_NONBLOCK) }
    }
}
