import DaleksCompression
import DaleksCore
import DaleksCrypto

/// A chunk in the form in which it is stored: compressed where that pays.
struct PackedChunk: Sendable {
    let digest: Digest
    let stored: [UInt8]
    let rawBytes: Int
    let compression: ChunkLocation.Compression

    init(_ content: ChunkContent) {
        let compressed = Zstd.compress(content.bytes, level: 1)
        digest = content.digest
        stored = compressed ?? content.bytes
        rawBytes = content.bytes.count
        compression = compressed == nil ? .none : .zstd
    }

    /// In the form in which it was stored before.
    init(_ content: ChunkContent, as compression: ChunkLocation.Compression) {
        if compression == .none {
            let count = content.bytes.count
            let location = ChunkLocation(
                segment: 0,
                position: 0,
                storedBytes: count,
                rawBytes: count,
                compression: .none
            )
            self.init(content.digest, location, stored: content.bytes)
        } else {
            self.init(content)
        }
    }

    /// As it was read from where it lies, which is proved when it is unpacked.
    init(_ digest: Digest, _ location: ChunkLocation, stored: [UInt8]) {
        self.digest = digest
        self.stored = stored
        rawBytes = location.rawBytes
        compression = location.compression
    }

    /// The raw bytes, proved to be the chunk's.
    func unpack() throws(ChunkStoreError) -> [UInt8] {
        var raw: [UInt8]? = stored
        if compression == .zstd { raw = try? Zstd.decompress(stored, exactCount: rawBytes) }
        guard let raw, raw.count == rawBytes, SHA256.digest(of: raw) == digest else { throw .damaged(digest) }
        return raw
    }

    /// In the database's own row, under this number.
    func location(inRow number: Int64) -> ChunkLocation {
        location(segment: ChunkLocation.inRow, position: number)
    }

    func location(segment: Int64, position: Int64) -> ChunkLocation {
        ChunkLocation(
            segment: segment,
            position: position,
            storedBytes: stored.count,
            rawBytes: rawBytes,
            compression: compression
        )
    }
}
