import DaleksCore
import DaleksSystem
import Glibc

/// What of a file is here already, beside the place that it is to have: the next run goes on from it.
///
/// ## Concurrency
/// One thread at a time uses it; `state` says how far it is.
final class PartFile: Sendable {
    private struct State {
        var bytes: Int64
        var isGone = false
    }

    private let target: String
    private let path: String
    private let file: FileDescriptor
    private let state: Lock<State>

    /// What is worth a second attempt's trouble.
    private static let worthBytes: Int64 = 1 << 20

    /// `mark` names the content, so that parts of two are never mixed. Throws EAGAIN where another process is at it.
    init(for target: String, mark: String, bytes: Int64) throws(Errno) {
        let slash = target.lastIndex(of: "/").map { target.index(after: $0) } ?? target.startIndex
        self.target = target
        path = target[..<slash] + ".daleks-\(mark).part"
        file = try FileDescriptor.open(path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        guard flock(file.raw, LOCK_EX | LOCK_NB) == 0 else { throw .last }
        let status = try file.status()
        // In a folder that others may write to, a file that waits there under this name is a trap.
        guard status.st_uid == geteuid(), status.st_nlink == 1, status.st_mode & S_IFMT == S_IFREG else {
            throw .notPermitted
        }
        if Int64(status.st_size) > bytes { try file.truncate(to: 0) }
        state = Lock(State(bytes: Int64(status.st_size) > bytes ? 0 : Int64(status.st_size)))
    }

    /// What an earlier run left.
    func read(_ body: (UnsafeRawBufferPointer) -> Void) throws(Errno) {
        let total = state.withLock { $0.bytes }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { buffer.deallocate() }
        var offset: Int64 = 0
        while offset < total {
            let count = try file.read(into: buffer, at: offset)
            if count == 0 { throw .io }
            body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            offset += Int64(count)
        }
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
        let offset = state.withLock { $0.bytes }
        try file.write(bytes, at: offset)
        state.withLock { $0.bytes += Int64(bytes.count) }
    }

    /// Gives it its name. Whoever opens the name sees what was there before, or all of this.
    func finish(like attributes: Attributes) throws(Errno) {
        let mask = umask(0)
        umask(mask)
        let mode = (0o666 | attributes.mode & 0o111) & ~mask
        guard fchmod(file.raw, mode) == 0 else { throw .last }
        try file.setModificationTime(attributes.modified)
        try file.synchronize()
        guard rename(path, target) == 0 else { throw .last }
        state.withLock { $0.isGone = true }
    }

    func discard() {
        let wasThere = state.withLock { state in
            defer { state.isGone = true }
            return !state.isGone
        }
        if wasThere { unlink(path) }
    }

    func keepIfWorthIt() {
        if state.withLock({ $0.bytes < Self.worthBytes }) { discard() }
    }
}

/// Where bytes go that are not kept in a file: standard output, a pipe, a device.
final class OpenOutput: Sendable {
    private let file: FileDescriptor

    init(_ path: String) throws(Errno) {
        file = path == "-" ? FileDescriptor(owning: dup(STDOUT_FILENO)) : try FileDescriptor.open(path, O_WRONLY)
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) { try file.writeAll(bytes) }
}

/// Where bytes come from: a file, or standard input.
final class OpenInput: Sendable {
    private let file: FileDescriptor

    init(_ path: String) throws(Errno) {
        file = path == "-" ? FileDescriptor(owning: dup(STDIN_FILENO)) : try FileDescriptor.open(path, O_RDONLY)
    }

    func status() throws(Errno) -> stat { try file.status() }

    /// Waits for a pipe or a terminal no longer than until `end` is opened; then it throws EINTR.
    func read(into buffer: UnsafeMutableRawBufferPointer, until end: Gate) throws(Errno) -> Int {
        var wish = pollfd(fd: file.raw, events: Int16(POLLIN), revents: 0)
        while poll(&wish, 1, 100) == 0 {
            if end.isOpen { throw .interrupted }
        }
        return try file.read(into: buffer)
    }
}
