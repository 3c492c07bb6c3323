public import DaleksHTTP
import DaleksSystem

extension HTTPResponse {
    /// The answer that a parked one becomes, for whoever has no connection to wait on. Nil when the time passed first;
    /// the request then counts as given up by its client.
    public func settled(within timeout: Duration) -> HTTPResponse? {
        guard case .parked(let start) = body else { return self }
        let outcome = Condition<HTTPResponse?>(nil)
        let parked = Parked(requestID: RequestID.next().text) { response in
            outcome.withLock { $0 = response }
            outcome.broadcast()
        }
        start(parked)
        let response = outcome.wait(timeout: timeout) { $0 }
        if response == nil { parked.clientWentAway() }
        return response
    }

    /// The body's bytes in memory. Throws where it has more than `max`, or none that ever ends.
    public func collectedBody(max: Int = 1 << 20) throws(APIError) -> [UInt8] {
        var collected: [UInt8] = []
        switch body {
        case .empty: break
        case .bytes(let bytes): collected = bytes
        case .file, .source:
            guard let source = body.contentSource, source.size <= Int64(max) else {
                throw .tooLarge("the answer is long")
            }
            while Int64(collected.count) < source.size {
                collected += try source.read(Int64(collected.count), Int(source.size) - collected.count)
            }
        case .stream(let stream):
            while let piece = try stream.next() { collected += piece }
        case .parked, .events: throw .internalError("the answer has no body yet")
        }
        guard collected.count <= max else { throw .tooLarge("the answer is long") }
        return collected
    }
}
