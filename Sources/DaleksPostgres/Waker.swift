import DaleksCore
import DaleksSystem
import Glibc

/// A pair of sockets by which other threads interrupt one that waits for a third.
///
/// ## Concurrency
/// Any thread may wake; one thread waits. The descriptors never change.
final class Waker: Sendable {
    private let readEnd: FileDescriptor
    private let writeEnd: FileDescriptor

    init() {
        var ends: [Int32] = [-1, -1]
        // A pipe would do; but this call alone sets both flags at once everywhere.
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let result = socketpair(AF_UNIX, type, 0, &ends)
        precondition(result == 0, "the machine refused another pair of sockets")
        readEnd = FileDescriptor(owning: ends[0])
        writeEnd = FileDescriptor(owning: ends[1])
    }

    func wake() {
        var byte: UInt8 = 1
        // A full buffer wakes as well as one byte more would.
        _ = send(writeEnd.raw, &byte, 1, Int32(MSG_NOSIGNAL))
    }

    /// Waits for a call of `wake`, for the descriptor, or for the time to pass.
    func wait(with descriptor: Int32, timeout: Duration) -> (isWoken: Bool, isReadable: Bool) {
        var descriptors = [
            pollfd(fd: readEnd.raw, events: Int16(POLLIN), revents: 0),
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
        ]
        guard poll(&descriptors, 2, Int32(clamping: timeout.milliseconds)) > 0 else { return (false, false) }
        if descriptors[0].revents != 0 {
            var bytes = [UInt8](repeating: 0, count: 64)
            while recv(readEnd.raw, &bytes, bytes.count, 0) > 0 {}
        }
        return (descriptors[0].revents != 0, descriptors[1].revents != 0)
    }
}
