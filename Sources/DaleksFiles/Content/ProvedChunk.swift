import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPServer
import DaleksSystem

/// Tags of the blocks of stored chunks whose digest this process has proved: what is read of them again is recognised
/// without hashing it.
///
/// ## Concurrency
/// `kept` is guarded by itself and held for a look-up.
final class ProvedBlocks: Sendable {
    private struct Place: Hashable {
        let segment: Int64
        let position: Int64
    }

    private struct Kept {
        // When the young are many they become the old ones, and those that were old go.
        var young: [Place: [ContentSeal.Tag]] = [:]
        var old: [Place: [ContentSeal.Tag]] = [:]
    }

    static let blockBytes = Limits.HTTPServer.downloadBlockBytes

    private let seal = ContentSeal()
    private let kept = Lock(Kept())

    func remember(_ bytes: [UInt8], at location: ChunkLocation) {
        let tags = bytes.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count, by: Self.blockBytes).map { start in
                tag(UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + Self.blockBytes, bytes.count)]))
            }
        }
        kept.withLock { Self.keep(tags, Place(segment: location.segment, position: location.position), &$0) }
    }

    func tags(at location: ChunkLocation) -> [ContentSeal.Tag]? {
        let place = Place(segment: location.segment, position: location.position)
        return kept.withLock { kept in
            if let tags = kept.young[place] { return tags }
            guard let tags = kept.old[place] else { return nil }
            Self.keep(tags, place, &kept)
            return tags
        }
    }

    func tag(_ bytes: UnsafeRawBufferPointer) -> ContentSeal.Tag { seal.tag(of: bytes) }

    private static func keep(_ tags: [ContentSeal.Tag], _ place: Place, _ kept: inout Kept) {
        kept.young[place] = tags
        guard kept.young.count > Limits.Files.provedChunkCountMax / 2 else { return }
        kept.old = kept.young
        kept.young = [:]
    }
}

/// A chunk that lies in a segment as it is and was proved before. Its blocks are read when they are sent, and each is
/// compared with what was proved.
struct ProvedChunk: Sendable {
    let segment: ChunkSegment
    /// Of its first byte.
    let position: Int64
    let count: Int
    let tags: [ContentSeal.Tag]
    let blocks: ProvedBlocks

    /// A whole block, or what the chunk has of its last one. Nil where the disk would have to be waited for, where the
    /// buffer is too small to see whether it is right, and where it is not.
    func copy(into buffer: UnsafeMutableRawBufferPointer, from start: Int) -> Int? {
        var done = 0
        while start + done < count {
            let from = start + done
            let wanted = min(ProvedBlocks.blockBytes, count - from)
            guard from % ProvedBlocks.blockBytes == 0, buffer.count - done >= wanted else { break }
            let target = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + wanted])
            guard segment.readIfAtHand(into: target, at: position + Int64(from)),
                blocks.tag(UnsafeRawBufferPointer(target)) == tags[from / ProvedBlocks.blockBytes]
            else { break }
            done += wanted
        }
        return done > 0 ? done : nil
    }
}

/// A span of a file, shown by one such chunk from its first byte to its last.
struct ReadySpan: ReadyContent {
    let chunk: ProvedChunk
    /// Where in the span it begins, and how much of it is meant.
    let offset: Int
    let count: Int
    /// Reads the span as any other, proves it, and says what is wrong.
    let reading: @Sendable () throws(APIError) -> [UInt8]

    func copy(into buffer: UnsafeMutableRawBufferPointer, from start: Int) -> Int? {
        let most = min(buffer.count, count - start)
        return chunk.copy(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<most]), from: offset + start)
    }

    func read(from start: Int) throws(APIError) -> [UInt8] {
        let bytes = try reading()
        guard bytes.count >= offset + count else { throw .internalError("the content could not be read") }
        return Array(bytes[offset + start..<offset + count])
    }
}
