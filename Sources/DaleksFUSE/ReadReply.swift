import CFuse
public import DaleksSystem
import Glibc

/// Answers the bytes of a file: from memory, from several places in memory, or from a descriptor.
public struct ReadReply: ~Copyable, FUSEReply {
    private var pending: PendingRequest
    /// How many bytes the kernel asked for; more are never sent.
    public let count: Int

    @inline(__always)
    init(_ pending: consuming PendingRequest, count: Int) {
        self.pending = pending
        self.count = count
    }

    @discardableResult
    public consuming func bytes(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let sent = min(bytes.count, count)
        return pending.answer {
            fuse_reply_buf($0, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), sent)
        }
    }

    /// One after the other, without putting them together first.
    @discardableResult
    public consuming func bytes(_ parts: [UnsafeRawBufferPointer]) -> Bool {
        var rest = count
        let vectors = parts.map { part in
            let sent = min(part.count, rest)
            rest -= sent
            // writev only reads what the pointer leads to.
            return iovec(iov_base: UnsafeMutableRawPointer(mutating: part.baseAddress), iov_len: sent)
        }
        return pending.answer { raw in
            vectors.withUnsafeBufferPointer { fuse_reply_iov(raw, $0.baseAddress, Int32($0.count)) }
        }
    }

    /// `body` fills this thread's own buffer of `count` bytes and says how many it wrote, or throws the error to
    /// answer.
    ///
    /// Nothing is allocated. The buffer's content before is whatever the last request left there.
    @discardableResult
    @inline(__always)
    public consuming func fill(_ body: (UnsafeMutableRawBufferPointer) throws(Errno) -> Int) -> Bool {
        let count = count
        let pending = pending
        var slot: PendingRequest? = pending
        return ScratchBuffer.with(count: count) { buffer in
            do throws(Errno) {
                let filled = try body(buffer)
                precondition(filled <= count, "more was filled than the buffer holds")
                return slot.take()?.answer {
                    fuse_reply_buf($0, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), filled)
                } ?? false
            } catch {
                return slot.take()?.error(error) ?? false
            }
        }
    }

    /// What the file behind `descriptor` has at `offset`, up to `count` bytes; spliced where that was settled, else
    /// through this thread's buffer.
    @discardableResult
    public consuming func file(_ descriptor: Int32, offset: Int64) -> Bool {
        guard pending.splicesReplies else {
            return fill { buffer throws(Errno) in
                var done = 0
                while done < buffer.count {
                    let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
                    let more = try retryingInterrupts {
                        pread(descriptor, rest.baseAddress, rest.count, off_t(offset) + off_t(done))
                    }
                    if more == 0 { break }
                    done += more
                }
                return done
            }
        }
        var vector = fuse_bufvec()
        vector.count = 1
        vector.buf.size = count
        vector.buf.flags = fuse_buf_flags(FUSE_BUF_IS_FD.rawValue | FUSE_BUF_FD_SEEK.rawValue)
        vector.buf.fd = descriptor
        vector.buf.pos = off_t(offset)
        return pending.answer { fuse_reply_data($0, &vector, FUSE_BUF_SPLICE_MOVE) }
    }

    @discardableResult
    public consuming func error(_ code: Errno) -> Bool { pending.error(code) }

    public mutating func onInterrupt(_ handler: @escaping @Sendable () -> Void) { pending.onInterrupt(handler) }
}
