import Glibc

/// A pipe: what is written into one end is read from the other. Both ends close on exec.
public struct Pipe: ~Copyable, Sendable {
    public let reading: FileDescriptor
    public let writing: FileDescriptor

    /// Both are numbered above the three standard descriptors, so that either can become one of a child's.
    public init() throws(Errno) {
        var ends: [Int32] = [-1, -1]
        try checking { Shim.pipe(&ends) }
        // Both are owned from here on, so that the failure of one closes the other.
        let first = FileDescriptor(owning: ends[0])
        let second = FileDescriptor(owning: ends[1])
        let firstMoved = try first.movedAboveStandard()
        let secondMoved = try second.movedAboveStandard()
        reading = firstMoved
        writing = secondMoved
    }
}

extension FileDescriptor {
    /// The same with a number above 2. Where standard descriptors are closed, the kernel gives their numbers out again.
    consuming func movedAboveStandard() throws(Errno) -> FileDescriptor {
        if raw > STDERR_FILENO { return self }
        return FileDescriptor(owning: try checking { Shim.fcntl(raw, F_DUPFD_CLOEXEC, STDERR_FILENO + 1) })
    }
}
