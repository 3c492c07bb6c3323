public import DaleksHTTP
import DaleksSystem

/// Bytes of a known size that can be read from anywhere, on a worker: chunks from a store, a file in pieces.
public struct ContentSource: Sendable {
    public let size: Int64
    /// Gives bytes from an offset: at most as many as asked, at least one. It may block.
    let read: @Sendable (_ offset: Int64, _ count: Int) throws(APIError) -> [UInt8]
    /// The same bytes where they can be sent from where they lie, as many as asked at most; nil where `read` must be
    /// asked. Nil where nothing ever can.
    let ready: (@Sendable (_ offset: Int64, _ count: Int) throws(APIError) -> (any ReadyContent)?)?

    public init(size: Int64, read: @escaping @Sendable (_ offset: Int64, _ count: Int) throws(APIError) -> [UInt8]) {
        self.size = size
        self.read = read
        ready = nil
    }

    public init(
        size: Int64,
        read: @escaping @Sendable (_ offset: Int64, _ count: Int) throws(APIError) -> [UInt8],
        ready: @escaping @Sendable (_ offset: Int64, _ count: Int) throws(APIError) -> (any ReadyContent)?
    ) {
        self.size = size
        self.read = read
        self.ready = ready
    }

    init(_ file: FileSource) {
        self.init(size: file.size) { offset, count throws(APIError) in
            let wanted = Int(min(Int64(count), file.size - offset))
            var failure: Errno?
            let bytes = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, initialized in
                do throws(Errno) {
                    initialized = try file.read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
                } catch {
                    failure = error
                }
            }
            guard failure == nil, !bytes.isEmpty else { throw .internalError("the content could not be read") }
            return bytes
        }
    }

    /// Several pieces one after the other as one source.
    init(pieces: [Piece]) {
        var starts: [Int64] = []
        var size: Int64 = 0
        for piece in pieces {
            starts.append(size)
            size += piece.size
        }
        self.init(size: size) { [starts] offset, count throws(APIError) in
            // Thirty-three pieces at most: sixteen parts and what stands between them.
            guard let index = starts.lastIndex(where: { $0 <= offset }) else {
                throw .internalError("the content could not be read")
            }
            return try pieces[index].read(offset - starts[index], count)
        }
    }

    enum Piece: Sendable {
        case bytes([UInt8])
        case slice(ContentSource, Range<Int64>)

        var size: Int64 {
            switch self {
            case .bytes(let bytes): Int64(bytes.count)
            case .slice(_, let range): range.upperBound - range.lowerBound
            }
        }

        func read(_ offset: Int64, _ count: Int) throws(APIError) -> [UInt8] {
            switch self {
            case .bytes(let bytes):
                return Array(bytes[Int(offset)...].prefix(count))
            case .slice(let source, let range):
                let left = range.upperBound - range.lowerBound - offset
                return try source.read(range.lowerBound + offset, Int(min(Int64(count), left)))
            }
        }
    }
}
