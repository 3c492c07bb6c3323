import CMicroHTTPD
import DaleksSystem

/// Linux's epoll: which of many descriptors have something to say. Any thread may add and remove, one waits.
final class EventPoll: Sendable {
    enum Interest {
        case readable
        /// Told once, when the peer closed its sending side or everything.
        case peerClosed
    }

    /// Marks that one wait may give.
    static let batch = Int(DALEKS_EPOLL_BATCH)

    private let descriptor: FileDescriptor
    private let wakeUp: FileDescriptor
    private let wakeMark: UInt64

    /// `wait` gives `wakeMark` after `wake` was called.
    init(wakeMark: UInt64) throws(Errno) {
        self.wakeMark = wakeMark
        descriptor = FileDescriptor(owning: try checking { daleks_epoll_create() })
        wakeUp = FileDescriptor(owning: try checking { daleks_eventfd() })
        try add(wakeUp.raw, .readable, mark: wakeMark)
    }

    func add(_ target: Int32, _ interest: Interest, mark: UInt64) throws(Errno) {
        let events = interest == .readable ? daleks_epoll_readable : daleks_epoll_peer_closed
        try checking { daleks_epoll_add(descriptor.raw, target, mark, events) }
    }

    /// Nothing happens where it is not there.
    func remove(_ target: Int32) { _ = daleks_epoll_remove(descriptor.raw, target) }

    /// The marks of what is ready; none where the time passed or a signal came.
    func wait(milliseconds: Int32, into marks: inout [UInt64]) -> ArraySlice<UInt64> {
        let count = marks.withUnsafeMutableBufferPointer {
            daleks_epoll_wait(descriptor.raw, $0.baseAddress, milliseconds)
        }
        let ready = marks.prefix(Int(max(0, count)))
        if ready.contains(wakeMark) { drainWakeUp() }
        return ready
    }

    func wake() {
        var one: UInt64 = 1
        withUnsafeBytes(of: &one) { bytes in
            // Failing means that the counter is full: the thread is being woken already.
            try? wakeUp.writeAll(bytes)
        }
    }

    private func drainWakeUp() {
        var count: UInt64 = 0
        withUnsafeMutableBytes(of: &count) { bytes in
            // Failing means that there is nothing to drain.
            _ = try? wakeUp.read(into: bytes)
        }
    }
}
