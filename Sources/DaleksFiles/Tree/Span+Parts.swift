import DaleksAPI
import DaleksCore

extension Span {
    /// The chunks that a commit names for it.
    var parts: [PlacedSpan.Part] {
        switch source {
        case .chunk(let digest): [PlacedSpan.Part(digest: digest, bytes: bytes)]
        case .split(let split):
            split.pieces.compactMap { piece in
                piece.digest.map { PlacedSpan.Part(digest: $0, bytes: piece.bytes) }
            }
        case .inline, .hole: []
        }
    }

    /// Puts digests in the place of bytes that came inline.
    mutating func takeInline(_ digest: ([UInt8]) -> Digest) {
        switch source {
        case .inline(let bytes): source = .chunk(digest(bytes))
        case .split(var split):
            for index in split.pieces.indices {
                guard case .inline(let bytes) = split.pieces[index].source else { continue }
                split.pieces[index].source = .chunk(digest(bytes))
            }
            source = .split(split)
        case .chunk, .hole: break
        }
    }
}
