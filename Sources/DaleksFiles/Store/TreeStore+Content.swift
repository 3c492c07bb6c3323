import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// Manifests, spans, and the index of chunks.
extension TreeStore {
    func manifest(of id: NodeID, at content: Revision, for caller: UserID) throws(APIError) -> Manifest {
        try read { db in
            let (_, manifest) = try Self.manifest(of: id, at: content, for: caller, db)
            var spans: [Span] = []
            for placed in manifest.pages {
                let first = placed.index * Limits.Files.manifestPageSpanCount
                for span in try Self.page(placed.page, db).spans {
                    spans.append(Span(index: first + span.index, bytes: span.bytes, source: .chunk(span.digest)))
                }
            }
            return Manifest(size: manifest.size, spans: spans)
        }
    }

    struct LocatedSpan {
        let digest: Digest
        /// Nil where the index lacks what a manifest names, which only damage can bring about.
        let location: ChunkLocation?
    }

    /// Where the bytes of one span are. A hole has none: 404.
    func span(_ index: Int, of id: NodeID, at content: Revision, for caller: UserID) throws(APIError) -> LocatedSpan {
        try read { db in
            let (tree, manifest) = try Self.manifest(of: id, at: content, for: caller, db)
            let spansOfPage = Limits.Files.manifestPageSpanCount
            guard let page = manifest[index / spansOfPage],
                let span = try Self.page(page, db)[index % spansOfPage]
            else { throw APIError.notFound("this revision has no bytes in that span") }
            return LocatedSpan(digest: span.digest, location: try ChunkTable.load(span.digest, in: tree.number, db))
        }
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
        let (missing, unused): ([Digest], [Digest]) = try read { db in
            var (missing, unused): ([Digest], [Digest]) = ([], [])
            for digest in digests {
                if try ChunkTable.load(digest, in: tree.number, db) == nil {
                    missing.append(digest)
                } else if try ChunkTable.unusedSince(digest, in: tree.number, db) != nil {
                    unused.append(digest)
                }
            }
            return (missing, unused)
        }
        guard !unused.isEmpty else { return missing }
        // The collector may have been quicker; then the commit says `incomplete` and the device puts them again.
        let now = time.wall
        try write(.normal) { db in
            for digest in unused { try ChunkTable.touch(digest, in: tree.number, at: now, db) }
        }
        return missing
    }

    /// Whether the owner stores it; if so it is kept for another grace.
    func holds(_ digest: Digest, of owner: UserID) throws(APIError) -> Bool {
        try missing([digest], of: owner).isEmpty
    }

    /// Enters a stored chunk. Returns when that survives a power cut.
    func index(_ digest: Digest, at location: ChunkLocation, of owner: UserID) throws(APIError) {
        let (tree, now) = (try tree(of: owner), time.wall)
        _ = try write { db in
            try ChunkTable.insert(digest, at: location, in: tree.number, touched: now, db)
        }
    }
}
