import DaleksCompression
import DaleksCore

@testable import DaleksFiles
@testable import DaleksSync

/// What the services and the daemon keep on disk, should the disk bring back something else.
extension Subject {
    static let records: [Subject] = [
        Subject(name: "stored-manifest") { bytes in
            if let manifest = try? StoredManifest(size: 1 << 40, record: bytes) {
                let again = try? StoredManifest(size: 1 << 40, record: manifest.record)
                require(again?.record == manifest.record, "a stored manifest changes when it is written and read")
            }
            if let page = try? ManifestPage(record: bytes) {
                require((try? ManifestPage(record: page.record))?.record == page.record, "a page changes")
            }
        },
        Subject(name: "chunk-header") { bytes in
            guard let header = ChunkHeader(bytes: bytes[...]) else { return }
            require(ChunkHeader(bytes: header.bytes[...])?.bytes == header.bytes, "a chunk's header changes")
        },
        Subject(name: "place") { bytes in
            guard let place = ContentPlace(bytes: bytes) else { return }
            require(ContentPlace(bytes: place.bytes) == place, "a place changes when it is written and read")
        },
        Subject(name: "zstd") { bytes in
            // What a frame claims to hold is what is allocated, so somebody else must have said it first.
            let count = bytes.prefix(2).reduce(0) { $0 << 8 | Int($1) }
            if let content = try? Zstd.decompress(Array(bytes.dropFirst(2)), exactCount: count) {
                require(content.count == count, "another number of bytes than was asked for")
            }
            if let packed = Zstd.compress(bytes) {
                let content = try? Zstd.decompress(packed, exactCount: bytes.count)
                require(content == bytes, "compression loses bytes")
            }
        },
    ]
}
