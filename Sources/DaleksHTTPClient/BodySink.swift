import DaleksCore
import DaleksHTTP
import DaleksSystem

/// The answer's body on its way to a closure: what arrived while the closure was busy waits here, up to a bound.
struct BodySink {
    var waiting: [UInt8] = []
    /// A buffer that came back empty.
    var spare: [UInt8] = []
    var isRunning = false
    /// libcurl holds bytes back.
    var isPaused = false
    var isHeadTold = false
    /// The closures heard something: the exchange cannot begin again behind their back.
    var wasUsed = false
}

enum BodyVerdict {
    case taken
    case pause
    case abort
}

extension Transfer {
    /// libcurl has a line of the header.
    func receivedHeader(_ line: UnsafeRawBufferPointer) -> Bool {
        switch head.take(line) {
        case .accepted: return true
        case .tooLarge: ownFailure = .tooLarge
        case .malformed: ownFailure = .transfer(detail: "a line of the header is malformed")
        }
        return false
    }

    /// libcurl has bytes of the body.
    func receivedBody(_ bytes: UnsafeRawBufferPointer) -> BodyVerdict {
        guard let limit = pacer.limits.down else { return take(bytes) }
        guard limit.allowance(isBeginning: line.isBeginningToReceive) > 0 else {
            hold(.down)
            return .pause
        }
        let verdict = take(bytes)
        // What the sink has no room for comes again.
        if verdict == .taken {
            limit.spend(bytes.count)
            line.receivedBytes += bytes.count
        }
        return verdict
    }

    private func take(_ bytes: UnsafeRawBufferPointer) -> BodyVerdict {
        switch job.request.sink {
        case .stream where head.status.isSuccess: offerToSink(bytes)
        case .stream: collect(bytes, max: Limits.HTTPClient.refusalBytesMax)
        case .memory(let max) where head.status.isSuccess: collect(bytes, max: max)
        case .memory(let max): collect(bytes, max: Swift.max(max, Limits.HTTPClient.refusalBytesMax))
        }
    }

    private func collect(_ bytes: UnsafeRawBufferPointer, max: Int) -> BodyVerdict {
        if body.isEmpty, let easy {
            let claimed = easy.contentLength
            if claimed > Int64(max), head.status.isSuccess {
                ownFailure = .tooLarge
                return .abort
            }
            // What is claimed is reserved only as far as it is allowed.
            if claimed > Int64(bytes.count) { body.reserveCapacity(Int(min(claimed, Int64(max)))) }
        }
        let room = max - body.count
        body.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes.prefix(room)))
        guard bytes.count > room else { return .taken }
        if head.status.isSuccess {
            ownFailure = .tooLarge
        } else {
            isBodyCut = true
        }
        return .abort
    }

    private func offerToSink(_ bytes: UnsafeRawBufferPointer) -> BodyVerdict {
        guard sink.waiting.isEmpty || sink.waiting.count + bytes.count <= Limits.HTTPClient.sinkBufferBytes else {
            sink.isPaused = true
            return .pause
        }
        sink.waiting.append(contentsOf: bytes)
        if !sink.isRunning { runSink() }
        return .taken
    }

    /// There is something the sink has not heard of a successful answer.
    var mustRunSink: Bool {
        guard case .stream = job.request.sink, head.status.isSuccess, head.isComplete else { return false }
        return !sink.waiting.isEmpty || (job.request.onHead != nil && !sink.isHeadTold)
    }

    /// Hands over everything that waits.
    func runSink() {
        guard case .stream(let closure) = job.request.sink else { return }
        let bytes = sink.waiting
        sink.waiting = sink.spare
        sink.spare = []
        sink.isRunning = true
        sink.wasUsed = true
        let tellHead = sink.isHeadTold ? nil : job.request.onHead
        sink.isHeadTold = true
        let (id, inbox, status, fields) = (job.id, runner.inbox, head.status, head.fields)
        runner.run(for: job) {
            let isWanted = tellHead.map { $0(status, fields) } ?? true
            inbox.post(.sinkDone(id, isWanted ? Transfer.verdict(of: closure, on: bytes) : .stop, bytes))
        }
    }

    private static func verdict(
        of closure: @Sendable (UnsafeRawBufferPointer) throws(Errno) -> Bool,
        on bytes: [UInt8]
    ) -> Inbox.SinkVerdict {
        // The end of an empty body is no piece of it.
        guard !bytes.isEmpty else { return .more }
        return bytes.withUnsafeBytes { buffer in
            do throws(Errno) {
                return try closure(buffer) ? .more : .stop
            } catch {
                return .failed(error)
            }
        }
    }

    /// The sink answered. Nil when it wants more.
    func sinkDone(_ verdict: Inbox.SinkVerdict, _ buffer: consuming [UInt8]) -> HTTPClientError? {
        sink.isRunning = false
        buffer.removeAll(keepingCapacity: true)
        sink.spare = buffer
        switch verdict {
        case .stop: return .stopped
        case .failed(let errno): return .local(errno)
        case .more: break
        }
        if case .active = phase, !sink.waiting.isEmpty { runSink() }
        guard sink.isPaused else { return nil }
        sink.isPaused = false
        // libcurl gives what it held back before this returns, and may be told to pause again.
        applyPauses()
        return nil
    }
}
