public import DaleksHTTP

/// What an answer carries.
public enum ResponseBody: Sendable {
    case empty
    case bytes([UInt8])
    /// Part of a file, sent by the kernel without passing through this process.
    case file(FileSource, Range<Int64>)
    /// Part of something that is read on a worker, piece by piece, as the client takes it.
    case source(ContentSource, Range<Int64>)
    /// Pieces made on a worker until there is none; nobody knows the length.
    case stream(StreamSource)
    /// No answer yet: it comes later, from any thread, and no thread is held meanwhile.
    case parked(@Sendable (Parked) -> Void)
    /// A feed of server-sent events, on a connection that holds no thread.
    case events(@Sendable (EventSink) -> Void)

    /// How much is handed over at once; what comes in pieces is counted as it goes.
    var sizeAtHand: Int64 {
        switch self {
        case .empty, .source, .stream, .parked, .events: 0
        case .bytes(let bytes): Int64(bytes.count)
        case .file(_, let range): range.upperBound - range.lowerBound
        }
    }

    /// Nil where it is not known.
    var size: Int64? {
        switch self {
        case .empty: 0
        case .bytes(let bytes): Int64(bytes.count)
        case .file(_, let range), .source(_, let range): range.upperBound - range.lowerBound
        case .stream, .parked, .events: nil
        }
    }
}

/// Makes the pieces of a streamed answer. It is called on a worker, one call at a time, as the client takes them.
public struct StreamSource: Sendable {
    /// The next piece, never empty; nil at the end. What it throws after the header was sent breaks the connection,
    /// which is how the client learns that the content is not whole.
    let next: @Sendable () throws(APIError) -> [UInt8]?

    public init(next: @escaping @Sendable () throws(APIError) -> [UInt8]?) { self.next = next }
}
