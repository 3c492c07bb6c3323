import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// Manifests, spans, and the index of chunks.
extension TreeStore {
    /// The spans that are not holes, by their index in the file.
    func spans(
        of id: NodeID,
        at content: Revision,
        for caller: UserID
    ) throws(APIError) -> (size: Int64, spans: [PlacedSpan]) {
        try read { db in
            let (_, manifest) = try Self.manifest(of: id, at: content, for: caller, db)
            var spans: [PlacedSpan] = []
            for placed in manifest.pages {
                let first = placed.index * Limits.Files.manifestPageSpanCount
                for span in try Self.page(placed.page, db).spans {
                    spans.append(PlacedSpan(index: first + span.index, form: span.form))
                }
            }
            return (manifest.size, spans)
        }
    }

    /// Where the bytes of a stretch are.
    struct LocatedStretch: Sendable {
        let stretch: PlacedSpan.Stretch
        /// Nil where the index lacks what a manifest names, which only damage can bring about.
        let location: ChunkLocation?
        /// Its stored bytes, where they are a row of the database.
        let body: [UInt8]?
    }

    struct LocatedSpan: Sendable {
        let extent: Int
        let stretches: [LocatedStretch]

        var locations: [ChunkLocation?] { stretches.map(\.location) }
    }

    /// Where the bytes of one span are. A hole has none.
    func span(_ index: Int, of id: NodeID, at content: Revision, for caller: UserID) throws(APIError) -> LocatedSpan {
        try read { db in
            let (tree, manifest) = try Self.manifest(of: id, at: content, for: caller, db)
            let spansOfPage = Limits.Files.manifestPageSpanCount
            guard let page = manifest[index / spansOfPage],
                let span = try Self.page(page, db)[index % spansOfPage]
            else { return LocatedSpan(extent: 0, stretches: []) }
            return LocatedSpan(extent: span.extent, stretches: try Self.locate(span.stretches, in: tree.number, db))
        }
    }

    private static func locate(
        _ stretches: [PlacedSpan.Stretch],
        in tree: TreeNumber,
        _ db: borrowing StoreConnection
    ) throws -> [LocatedStretch] {
        var located: [LocatedStretch] = []
        for stretch in stretches {
            let location = try ChunkTable.load(stretch.part.digest, in: tree, db)
            var body: [UInt8]?
            if let location, location.isInRow { body = try SmallChunkTable.body(location.position, db) }
            located.append(LocatedStretch(stretch: stretch, location: location, body: body))
        }
        return located
    }

    private static func manifest(
        of id: NodeID,
        at content: Revision,
        for caller: UserID,
        _ db: borrowing StoreConnection
    ) throws -> (TreeState, StoredManifest) {
        // A node without a name is still readable here: somebody may have it open.
        let (tree, node) = try visible(id, to: caller, db)
        guard node.attributes.kind == .file else { throw APIError.invalid("only a file has content") }
        if content == 0 { return (tree, .empty) }
        if let manifest = try ManifestTable.load(StoredManifest.Key(node: id, content: content), db) {
            return (tree, manifest)
        }
        guard content < node.content else { throw APIError.notFound("the file never had this revision") }
        throw APIError.gone("this revision of the file is no longer kept")
    }

    private static func page(_ page: StoredManifest.Page, _ db: borrowing StoreConnection) throws -> ManifestPage {
        switch page {
        case .inline(let page): page
        case .stored(let number, _): try ManifestTable.page(number, db)
        }
    }

    // MARK: Chunks

    /// Which of these the owner does not store. Those that are there and that nobody uses yet stay for another grace.
    func missing(_ digests: [Digest], of owner: UserID) throws(APIError) -> [Digest] {
        let tree = try tree(of: owner)
        let known = try read { db in try ChunkTable.known(digests, in: tree.number, db) }
        let unused = digests.filter { known[$0] == false }
        guard !unused.isEmpty else { return digests.filter { known[$0] == nil } }
        let now = time.wall
        let gone = try write(.normal) { db in
            // In one order, so that two who touch the same ones do not wait for each other in a ring.
            var gone: Set<Digest> = []
            for digest in unused.sorted(by: { $0.bytes.lexicographicallyPrecedes($1.bytes) })
            where try !ChunkTable.touch(digest, in: tree.number, at: now, db) {
                gone.insert(digest)
            }
            return gone
        }
        return digests.filter { known[$0] == nil || gone.contains($0) }
    }

    /// Enters chunks whose bytes are safe or come with it. Returns when all of that survives a power cut.
    func enter(_ chunks: [StoredChunk], of owner: UserID) throws(APIError) {
        guard !chunks.isEmpty else { return try flush() }
        let (tree, now) = (try tree(of: owner), time.wall)
        let ordered = chunks.sorted { $0.digest.bytes.lexicographicallyPrecedes($1.digest.bytes) }
        try write { db in
            for chunk in ordered { try ChunkTable.insert(chunk, in: tree.number, touched: now, db) }
        }
    }
}
