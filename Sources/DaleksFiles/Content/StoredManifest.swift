import DaleksCore

/// What a file consists of at one revision of its content: the pages that have bytes, by reference where they are
/// shared.
///
/// Pages without bytes are absent, so a huge file with a few bytes is a small manifest.
struct StoredManifest: Hashable, Sendable {
    enum Page: Hashable, Sendable {
        /// Small enough to be kept in the manifest's own row.
        case inline(ManifestPage)
        /// A row of its own.
        case stored(number: Int64, bytes: Int64)

        var bytes: Int64 {
            switch self {
            case .inline(let page): page.bytes
            case .stored(_, let bytes): bytes
            }
        }
    }

    struct PlacedPage: Hashable, Sendable {
        var index: Int
        var page: Page
    }

    /// Which revision of which node it describes.
    struct Key: Hashable, Sendable {
        var node: NodeID
        var content: Revision
    }

    var size: Int64
    /// In order of index, each once.
    private(set) var pages: [PlacedPage]

    /// A file that never had a byte.
    static let empty = StoredManifest(size: 0, pages: [])

    init(size: Int64, pages: [PlacedPage]) {
        self.size = size
        self.pages = pages
    }

    var bytes: Int64 { pages.reduce(0) { $0 + $1.page.bytes } }

    /// The pages that have rows of their own.
    var pageNumbers: [Int64] {
        pages.compactMap { placed in
            guard case .stored(let number, _) = placed.page else { return nil }
            return number
        }
    }

    static let pageBytes = Int64(Limits.Files.manifestPageSpanCount) * Int64(Limits.spanBytes)

    static func spanCount(size: Int64) -> Int { size == 0 ? 0 : Int((size - 1) / Int64(Limits.spanBytes) + 1) }
    static func pageCount(size: Int64) -> Int { size == 0 ? 0 : Int((size - 1) / pageBytes + 1) }

    subscript(index: Int) -> Page? {
        let place = place(of: index)
        guard place < pages.count, pages[place].index == index else { return nil }
        return pages[place].page
    }

    mutating func set(_ index: Int, to page: Page?) {
        let place = place(of: index)
        let isThere = place < pages.count && pages[place].index == index
        switch (page, isThere) {
        case (let page?, true): pages[place].page = page
        case (let page?, false): pages.insert(PlacedPage(index: index, page: page), at: place)
        case (nil, true): pages.remove(at: place)
        case (nil, false): break
        }
    }

    mutating func removePages(from index: Int) { pages.removeSubrange(place(of: index)...) }

    private func place(of index: Int) -> Int {
        var (low, high) = (0, pages.count)
        while low < high {
            let middle = (low + high) / 2
            if pages[middle].index < index { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension StoredManifest {
    private static let version: UInt8 = 1
    private enum Form: UInt8 { case inline = 1, stored = 2 }

    /// The size has a column of its own.
    var record: [UInt8] {
        var writer = RecordWriter()
        writer.byte(Self.version)
        writer.count(pages.count)
        for placed in pages {
            writer.count(placed.index)
            switch placed.page {
            case .inline(let page):
                writer.byte(Form.inline.rawValue)
                writer.blob(page.record)
            case .stored(let number, let bytes):
                writer.byte(Form.stored.rawValue)
                writer.number(UInt64(number))
                writer.number(UInt64(bytes))
            }
        }
        return writer.bytes
    }

    init(size: Int64, record: [UInt8]) throws(RecordError) {
        var reader = RecordReader(record, "manifest")
        guard try reader.byte() == Self.version, size >= 0 else { throw reader.failure }
        var pages: [PlacedPage] = []
        var last = -1
        for _ in 0..<(try reader.count(upTo: Limits.Files.manifestPageCountMax)) {
            let index = try reader.count(upTo: Int.max)
            guard index > last else { throw reader.failure }
            last = index
            switch Form(rawValue: try reader.byte()) {
            case .inline:
                pages.append(PlacedPage(index: index, page: .inline(try ManifestPage(record: try reader.blob()))))
            case .stored:
                guard let number = Int64(exactly: try reader.number()), let bytes = Int64(exactly: try reader.number())
                else { throw reader.failure }
                pages.append(PlacedPage(index: index, page: .stored(number: number, bytes: bytes)))
            case nil: throw reader.failure
            }
        }
        guard reader.isAtEnd else { throw reader.failure }
        self.init(size: size, pages: pages)
    }
}
