import DaleksCore
import DaleksHTTP
import DaleksSystem

// Answers that come in pieces: each gets a pipe, and most somebody who keeps it filled.
extension Exchange {
    func pump(_ stream: StreamSource) -> StreamPump {
        StreamPump(output(), submit: core.submitContinuation) { () throws(APIError) in
            try stream.next().map { .bytes($0) }
        }
    }

    func pump(reading source: ContentSource, _ range: Range<Int64>) -> StreamPump {
        let position = Lock(range.lowerBound)
        return StreamPump(output(), submit: core.submitContinuation) { () throws(APIError) in
            let offset = position.withLock { $0 }
            guard offset < range.upperBound else { return nil }
            let wanted = Int(min(range.upperBound - offset, Limits.HTTPServer.downloadPieceBytes))
            if let content = try source.ready?(offset, wanted) {
                guard content.count <= wanted, content.count > 0 else { throw Self.unreadable }
                position.withLock { $0 += Int64(content.count) }
                return .ready(content)
            }
            let piece = try source.read(offset, wanted)
            guard !piece.isEmpty, piece.count <= wanted else { throw Self.unreadable }
            position.withLock { $0 += Int64(piece.count) }
            return .bytes(piece)
        }
    }

    private static var unreadable: APIError { .internalError("the content could not be read") }

    func feed(_ start: (EventSink) -> Void) -> OutputPipe {
        let output = output(isFeed: true)
        watchFeed(now: core.now)
        start(EventSink(output))
        if record.isPeerClosed { clientWentAway() }
        return output
    }
}
