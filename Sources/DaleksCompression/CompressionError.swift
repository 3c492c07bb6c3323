/// Why bytes could not be decompressed.
public enum CompressionError: Error, Equatable, Sendable {
    /// Not one whole zstd frame, or damaged.
    case corrupt
    /// The frame says that it holds another count of bytes than it was asked for, or does not say.
    case otherSize
    /// More was asked for than `Limits.Compression.contentBytesMax`.
    case tooLarge
    /// The library could not do it (in practice: no memory), in its words.
    case failed(String)
}

extension CompressionError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .corrupt: "the compressed bytes are damaged"
        case .otherSize: "the compressed bytes hold another size than expected"
        case .tooLarge: "more bytes than are ever compressed in one piece"
        case .failed(let reason): "decompressing failed: \(reason)"
        }
    }
}
