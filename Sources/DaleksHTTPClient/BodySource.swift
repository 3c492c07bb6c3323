import DaleksCore
import DaleksSystem

/// The request's body in one attempt: a buffer that libcurl takes from while the next is being filled elsewhere.
struct BodySource {
    var current: [UInt8] = []
    var offset = 0
    var next: [UInt8]?
    /// Bytes asked of the source and received.
    var fetchedBytes: Int64 = 0
    var isFilling = false
    var isEnded = false
    /// libcurl waits for bytes.
    var isPaused = false
    /// The closure was called: its bytes cannot be had again.
    var wasAsked = false
}

enum BodyPiece {
    case filled(Int)
    case pause
    case abort
}

extension Transfer {
    /// libcurl wants bytes to send.
    func fillBody(_ buffer: UnsafeMutableRawBufferPointer) -> BodyPiece {
        guard let limit = pacer.limits.up, !isBodySent else { return pieceOfBody(buffer) }
        let allowance = limit.allowance(isBeginning: line.isBeginningToSend)
        guard allowance > 0 else {
            hold(.up)
            return .pause
        }
        let piece = pieceOfBody(UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(allowance)))
        if case .filled(let count) = piece {
            limit.spend(count)
            line.sentBytes += count
        }
        return piece
    }

    /// Nothing is left to be taken, so nothing has to wait.
    private var isBodySent: Bool {
        switch job.request.body {
        case .empty: true
        case .bytes(let bytes): source.offset == bytes.count
        case .file, .stream:
            source.offset == source.current.count && source.next == nil
                && (source.isEnded || size.map { source.fetchedBytes == $0 } ?? false)
        }
    }

    private func pieceOfBody(_ buffer: UnsafeMutableRawBufferPointer) -> BodyPiece {
        switch job.request.body {
        case .empty: .filled(0)
        case .bytes(let bytes): bytes.withUnsafeBytes { fill(buffer, from: $0) }
        case .file, .stream: fillFromSource(buffer)
        }
    }

    private func fill(_ buffer: UnsafeMutableRawBufferPointer, from bytes: UnsafeRawBufferPointer) -> BodyPiece {
        let count = min(buffer.count, bytes.count - source.offset)
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[source.offset..<(source.offset + count)]))
        source.offset += count
        return .filled(count)
    }

    private func fillFromSource(_ buffer: UnsafeMutableRawBufferPointer) -> BodyPiece {
        if source.offset == source.current.count {
            if let next = source.next {
                (source.current, source.offset, source.next) = (next, 0, nil)
            }
            startFilling()
        }
        guard source.offset == source.current.count else {
            let current = source.current
            return current.withUnsafeBytes { fill(buffer, from: $0) }
        }
        if source.isFilling {
            source.isPaused = true
            return .pause
        }
        guard let size, source.fetchedBytes < size else { return .filled(0) }
        ownFailure = .transfer(detail: "the body ended after \(source.fetchedBytes) of \(size) bytes")
        return .abort
    }

    /// The body's size where it is known.
    private var size: Int64? {
        switch job.request.body {
        case .empty: 0
        case .bytes(let bytes): Int64(bytes.count)
        case .file(_, _, let count): count
        case .stream(let count, _): count
        }
    }

    private func startFilling() {
        guard !source.isFilling, !source.isEnded, source.next == nil else { return }
        let rest = size.map { $0 - source.fetchedBytes } ?? .max
        guard rest > 0 else { return }
        source.isFilling = true
        source.wasAsked = true
        let (id, body, inbox) = (job.id, job.request.body, runner.inbox)
        let (position, count) = (source.fetchedBytes, Int(min(rest, Int64(Limits.HTTPClient.sourceBufferBytes))))
        runner.run(for: job) {
            inbox.post(.sourceFilled(id, Transfer.bytes(of: body, at: position, count: count)))
        }
    }

    private static func bytes(of body: ClientRequest.Body, at position: Int64, count: Int) -> Result<[UInt8], Errno> {
        var failure: Errno?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filledCount in
            let buffer = UnsafeMutableRawBufferPointer(buffer)
            do throws(Errno) {
                switch body {
                case .file(let file, let offset, _): filledCount = try file.read(into: buffer, at: offset + position)
                case .stream(_, let pull): filledCount = min(count, max(0, try pull(buffer)))
                case .empty, .bytes: filledCount = 0
                }
            } catch {
                filledCount = 0
                failure = error
            }
        }
        return failure.map { .failure($0) } ?? .success(bytes)
    }

    /// The source answered. Nil when all is well.
    func sourceFilled(_ result: Result<[UInt8], Errno>) -> HTTPClientError? {
        source.isFilling = false
        switch result {
        case .failure(let errno):
            return .local(errno)
        case .success(let bytes):
            source.fetchedBytes += Int64(bytes.count)
            source.isEnded = bytes.isEmpty
            if !bytes.isEmpty { source.next = bytes }
        }
        guard source.isPaused else { return nil }
        source.isPaused = false
        applyPauses()
        return nil
    }

    /// libcurl found a pooled connection dead and wants to send again by itself. Only what is in memory and harmless to
    /// repeat can begin at once; a file begins anew in an attempt of our own.
    func rewindBody() -> Bool {
        guard job.request.isIdempotent, case .bytes = job.request.body else { return false }
        source.offset = 0
        return true
    }
}
