import DaleksSystem
import Glibc

/// Two connected sockets, neither of which a child inherits by itself. Good as a pipe too.
struct DescriptorPair: ~Copyable {
    let first: FileDescriptor
    let second: FileDescriptor

    init() throws(Errno) {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let ends = UnsafeMutablePointer<Int32>.allocate(capacity: 2)
        ends.initialize(repeating: -1, count: 2)
        defer { ends.deallocate() }
        try checking { socketpair(AF_UNIX, type, 0, ends) }
        first = FileDescriptor(owning: ends[0])
        second = FileDescriptor(owning: ends[1])
    }
}
