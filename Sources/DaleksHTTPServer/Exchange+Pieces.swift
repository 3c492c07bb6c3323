import DaleksCore
import DaleksHTTP
import DaleksSystem

// Answers that come in pieces: each gets a pipe, and most somebody who keeps it filled.
extension Exchange {
    func pump(_ stream: StreamSource) -> StreamPump {
        StreamPump(output(), submit: core.submitContinuation, next: stream.next)
    }

    func pump(reading source: ContentSource, _ range: Range<Int64>) -> StreamPump {
        let position = Lock(range.lowerBound)
        return StreamPump(output(), submit: core.submitContinuation) { () throws(APIError) in
            let offset = position.withLock { $0 }
            guard offset < range.upperBound else { return nil }
            let wanted = min(range.upperBound - offset, Int64(Limits.HTTPServer.downloadBufferBytes / 2))
            let piece = try source.read(offset, Int(wanted))
            guard !piece.isEmpty, piece.count <= wanted else { throw .internalError("the content could not be read") }
            position.withLock { $0 += Int64(piece.count) }
            return piece
        }
    }

    func feed(_ start: (EventSink) -> Void) -> OutputPipe {
        let output = output(isFeed: true)
        watchFeed(now: core.now)
        start(EventSink(output))
        if record.isPeerClosed { clientWentAway() }
        return output
    }
}
