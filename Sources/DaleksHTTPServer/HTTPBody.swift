public import DaleksHTTP

/// A request's body. It is read once, on the handler's thread, at the handler's pace: the client waits meanwhile.
public struct HTTPBody: Sendable {
    enum Source: Sendable {
        case bytes([UInt8])
        case pipe(BodyPipe)
    }

    private let source: Source
    /// What the client announced; nil where it sends chunks until it is done.
    public let contentLength: Int64?
    /// More than this is 413. The route sets it.
    var limit = Int64.max

    public init(_ bytes: [UInt8]) {
        source = .bytes(bytes)
        contentLength = Int64(bytes.count)
    }

    init(_ pipe: BodyPipe, contentLength: Int64?) {
        source = .pipe(pipe)
        self.contentLength = contentLength
    }

    public static let empty = HTTPBody([])

    public var isEmpty: Bool { contentLength == 0 }

    /// All of it in memory. Throws 413 as soon as it is known to be longer than `max`.
    public func bytes(max: Int) throws(APIError) -> [UInt8] {
        let limit = min(Int64(max), limit)
        if let contentLength, contentLength > limit { throw Self.tooLarge(limit) }
        if case .bytes(let bytes) = source { return bytes }
        var collected: [UInt8] = []
        if let contentLength { collected.reserveCapacity(Int(contentLength)) }
        try read(limit: limit, isWhole: true) { chunk throws(APIError) in collected.append(contentsOf: chunk) }
        return collected
    }

    /// Calls `body` with one piece after the other. While it works, at most two buffers are in memory, and then the
    /// client has to wait. Only for routes that run on a worker.
    public func forEach(
        _ body: (UnsafeRawBufferPointer) throws(APIError) -> Void
    ) throws(APIError) {
        if let contentLength, contentLength > limit { throw Self.tooLarge(limit) }
        try read(limit: limit, body)
    }

    private func read(
        limit: Int64,
        isWhole: Bool = false,
        _ body: (UnsafeRawBufferPointer) throws(APIError) -> Void
    ) throws(APIError) {
        switch source {
        case .bytes(let bytes):
            try Self.pass(bytes, to: body)
        case .pipe(let pipe):
            var total: Int64 = 0
            while let chunk = try pipe.next(isWhole: isWhole) {
                total += Int64(chunk.count)
                guard total <= limit else { throw Self.tooLarge(limit) }
                try Self.pass(chunk, to: body)
                pipe.recycle(chunk)
            }
        }
    }

    private static func pass(
        _ bytes: [UInt8],
        to body: (UnsafeRawBufferPointer) throws(APIError) -> Void
    ) throws(APIError) {
        guard !bytes.isEmpty else { return }
        // The closure of `withUnsafeBytes` throws untyped, so the error travels beside it.
        var failure: APIError?
        bytes.withUnsafeBytes { buffer in
            do throws(APIError) { try body(buffer) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    private static func tooLarge(_ limit: Int64) -> APIError {
        .tooLarge("the body is longer than the \(limit) bytes that are allowed here")
    }
}
