import DaleksSystem
import Glibc

/// One file of the local chunk store, and the barrier that its writers share.
///
/// ## Concurrency
/// Writers write where they reserved room, several at once. `barrier` is guarded by itself; the disk is asked with no
/// lock held. The descriptor closes when the last user of the value is gone.
final class ChunkSegment: Sendable {
    private struct Barrier {
        var writtenCount: UInt64 = 0
        var durableCount: UInt64 = 0
        var isSynchronizing = false
        var count: UInt64 = 0
        /// For ever: what the kernel dropped when a barrier failed it does not report again.
        var failure: Errno?
    }

    private enum Turn {
        case done
        case failed(Errno)
        /// This thread asks the disk, for so many writes.
        case lead(UInt64)
    }

    let number: Int64
    private let file: FileDescriptor
    private let barrier = Condition(Barrier())

    init(number: Int64, file: consuming FileDescriptor) {
        self.number = number
        self.file = file
    }

    var barrierCount: UInt64 { barrier.withLock { $0.count } }

    var hasFailed: Bool { barrier.withLock { $0.failure != nil } }

    func size() throws(Errno) -> Int64 { Int64(try file.status().st_size) }

    /// When it was last written to.
    func modified() throws(Errno) -> Int64 { Int64(try file.status().st_mtim.tv_sec) }

    /// Writes and returns when the bytes survive a power cut. Whoever writes meanwhile shares the next barrier.
    func write(_ bytes: [UInt8], at position: Int64) throws(Errno) {
        var failure: Errno?
        bytes.withUnsafeBytes { buffer in
            do throws(Errno) { try file.write(buffer, at: position) } catch { failure = error }
        }
        if let failure { throw failure }
        let ticket = barrier.withLock { barrier in
            barrier.writtenCount += 1
            return barrier.writtenCount
        }
        try awaitBarrier(ticket)
    }

    private func awaitBarrier(_ ticket: UInt64) throws(Errno) {
        let turn = barrier.wait { barrier -> Turn? in
            if barrier.durableCount >= ticket { return .done }
            if let failure = barrier.failure { return .failed(failure) }
            if barrier.isSynchronizing { return nil }
            barrier.isSynchronizing = true
            return .lead(barrier.writtenCount)
        }
        switch turn {
        case .lead(let count): try synchronize(count)
        case .failed(let error): throw error
        case .done, nil: return
        }
    }

    private func synchronize(_ count: UInt64) throws(Errno) {
        var failure: Errno?
        do throws(Errno) { try file.synchronizeData() } catch { failure = error }
        barrier.withLock { barrier in
            barrier.isSynchronizing = false
            barrier.count += 1
            if let failure {
                barrier.failure = failure
            } else {
                barrier.durableCount = max(barrier.durableCount, count)
            }
        }
        barrier.broadcast()
        if let failure { throw failure }
    }

    /// Fewer bytes than asked for where the file ends.
    func read(count: Int, at position: Int64) throws(Errno) -> [UInt8] {
        var failure: Errno?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            let room = UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: count)
            do throws(Errno) { initialized = try file.read(into: room, at: position) } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Fills the buffer where the kernel has the bytes in memory; false where it has not, or they are not all there.
    func readIfAtHand(into buffer: UnsafeMutableRawBufferPointer, at position: Int64) -> Bool {
        file.readWithoutWaiting(into: buffer, at: position) == buffer.count
    }

    /// Bytes there are about to be read: the disk may begin.
    func announce(_ count: Int, at position: Int64) {
        _ = posix_fadvise(file.raw, off_t(position), off_t(count), POSIX_FADV_WILLNEED)
    }

    /// Gives the room of a record back to the file system. Where that cannot be done the room stays taken.
    func punch(_ range: Range<Int64>) { try? file.punchHole(range) }
}
