import DaleksCore

/// What a file is sent as.
///
/// A type is declared by the file's name alone. Shown in place is only what its own bytes bear out and what a browser
/// shows without running anything of it; everything else is a download.
struct MediaKind: Hashable, Sendable {
    let type: String
    /// How its bytes begin where it may be shown in place; nil where it may not.
    private let proof: Proof?

    private enum Proof: Hashable, Sendable {
        case prefix([UInt8])
        case at(Int, [UInt8])
        case text
    }

    static let unknown = MediaKind("application/octet-stream", nil)

    private init(_ type: String, _ proof: Proof?) {
        self.type = type
        self.proof = proof
    }

    init(of name: Name) {
        let bytes = name.bytes
        guard let dot = bytes.lastIndex(of: UInt8(ascii: ".")), dot > 0, bytes.count - dot <= 8 else {
            self = .unknown
            return
        }
        self = Self.kinds[String(decoding: bytes[(dot + 1)...], as: UTF8.self).lowercased()] ?? .unknown
    }

    func maySee(_ beginning: [UInt8]) -> Bool {
        switch proof {
        case nil: return false
        case .prefix(let expected): return beginning.starts(with: expected)
        case .at(let offset, let expected):
            return beginning.count >= offset + expected.count && beginning[offset...].starts(with: expected)
        case .text:
            return !beginning.contains { $0 == 0 || $0 < 9 }
        }
    }

    private static let kinds: [String: MediaKind] = [
        "png": MediaKind("image/png", .prefix([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])),
        "jpg": MediaKind("image/jpeg", .prefix([0xff, 0xd8, 0xff])),
        "jpeg": MediaKind("image/jpeg", .prefix([0xff, 0xd8, 0xff])),
        "gif": MediaKind("image/gif", .prefix(Array("GIF8".utf8))),
        "webp": MediaKind("image/webp", .at(8, Array("WEBP".utf8))),
        "avif": MediaKind("image/avif", .at(4, Array("ftypavif".utf8))),
        "pdf": MediaKind("application/pdf", .prefix(Array("%PDF-".utf8))),
        "txt": MediaKind("text/plain; charset=utf-8", .text),
        "md": MediaKind("text/plain; charset=utf-8", .text),
        "log": MediaKind("text/plain; charset=utf-8", .text),
        "csv": MediaKind("text/csv; charset=utf-8", nil),
        "json": MediaKind("application/json", nil),
        "xml": MediaKind("application/xml", nil),
        "html": MediaKind("text/html", nil),
        "svg": MediaKind("image/svg+xml", nil),
        "js": MediaKind("text/javascript", nil),
        "css": MediaKind("text/css", nil),
        "zip": MediaKind("application/zip", nil),
        "gz": MediaKind("application/gzip", nil),
        "mp3": MediaKind("audio/mpeg", .prefix(Array("ID3".utf8))),
        "ogg": MediaKind("audio/ogg", .prefix(Array("OggS".utf8))),
        "flac": MediaKind("audio/flac", .prefix(Array("fLaC".utf8))),
        "wav": MediaKind("audio/wav", .at(8, Array("WAVE".utf8))),
        "mp4": MediaKind("video/mp4", .at(4, Array("ftyp".utf8))),
        "webm": MediaKind("video/webm", .prefix([0x1a, 0x45, 0xdf, 0xa3])),
    ]
}
