import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// Manifests, spans, and the index of chunks.
extension TreeStore {
    func manifest(of id: NodeID, at content: Revision, for caller: UserID) throws(APIError) -> Manifest {
        try read { db in
            let (_, manifest) = try storedManifest(of: id, at: content, for: caller, db)
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
            let (tree, manifest) = try storedManifest(of: id, at: content, for: caller, db)
            let spansOfPage = Limits.Files.manifestPageSpanCount
            guard let page = manifest[index / spansOfPage],
                let span = try Self.page(page, db)[index % spansOfPage]
            else { throw APIError.notFound("this revision has no bytes in that span") }
            return LocatedSpan(digest: span.digest, location: try ChunkTable.load(span.digest, in: tree.number, db))
        }
    }

    /// The present content, an earlier one that is kept, or one of what had the file's name before it.
    func storedManifest(
        of id: NodeID,
        at content: Revision,
        for caller: UserID,
        _ db: borrowing StoreConnection
    ) throws -> (TreeState, StoredManifest) {
        // A node without a name is still readable here: somebody may have it open.
        let seen = try visible(id, to: caller, db)
        guard seen.node.attributes.kind == .file else { throw APIError.invalid("only a file has content") }
        return (seen.tree, try Self.manifest(of: seen.node, at: content, db))
    }

    static func manifest(
        of node: StoredNode,
        at content: Revision,
        _ db: borrowing StoreConnection
    ) throws -> StoredManifest {
        if content == 0 { return .empty }
        if let manifest = try ManifestTable.load(StoredManifest.Key(node: node.id, content: content), db) {
            return manifest
        }
        if let version = try VersionTable.load(content, of: node.id, db),
            let manifest = try ManifestTable.load(version.key, db)
        {
            return manifest
        }
        guard content < node.content else { throw APIError.notFound("the file never had this revision") }
        throw APIError.gone("this revision of the file is no longer kept")
    }

    static func page(_ page: StoredManifest.Page, _ db: borrowing StoreConnection) throws -> ManifestPage {
        switch page {
        case .inline(let page): page
        case .stored(let number, _): try ManifestTable.page(number, db)
        }
    }

    // MARK: Chunks

    /// Whose chunks are meant: the caller's own, or those of the tree of a node on which the caller may write.
    struct ChunkPlace: Sendable {
        let tree: TreeNumber
        let caller: UserID
        let isOwner: Bool
    }

    func chunkPlace(for node: NodeID?, of caller: UserID) throws(APIError) -> ChunkPlace {
        guard let node else { return ChunkPlace(tree: try tree(of: caller).number, caller: caller, isOwner: true) }
        return try read { db in
            let seen = try visible(node, to: caller, db)
            let access = seen.standing.access
            guard seen.standing.isReachable else { throw Self.hidden }
            guard [.add, .change].contains(where: { access.decide($0) == .allowed }) else {
                throw APIError.forbidden("the caller may not write there")
            }
            return ChunkPlace(tree: seen.tree.number, caller: caller, isOwner: access.isOwner)
        }
    }

    func missing(_ digests: [Digest], of owner: UserID) throws(APIError) -> [Digest] {
        try missing(digests, in: try chunkPlace(for: nil, of: owner))
    }

    /// Which of these the owner does not store or the caller may not name. Those that are there and that nobody uses
    /// yet stay for another grace.
    func missing(_ digests: [Digest], in place: ChunkPlace) throws(APIError) -> [Digest] {
        let (missing, unused): ([Digest], [Digest]) = try read { db in
            var (missing, unused): ([Digest], [Digest]) = ([], [])
            for digest in digests {
                let mayName = try ClaimTable.mayName(
                    digest,
                    in: place.tree,
                    place.caller,
                    isOwner: place.isOwner,
                    db
                )
                if try !mayName || ChunkTable.load(digest, in: place.tree, db) == nil {
                    missing.append(digest)
                } else if try ChunkTable.unusedSince(digest, in: place.tree, db) != nil {
                    unused.append(digest)
                }
            }
            return (missing, unused)
        }
        guard !unused.isEmpty else { return missing }
        // The collector may have been quicker; then the commit says `incomplete` and the device puts them again.
        let now = time.wall
        try write(.normal) { db in
            for digest in unused { try ChunkTable.touch(digest, in: place.tree, at: now, db) }
        }
        return missing
    }

    /// Enters stored chunks, and that the caller put them. Returns when that survives a power cut.
    /// Gives the locations that are not needed, since the owner has those chunks elsewhere.
    func index(
        _ stored: [(digest: Digest, location: ChunkLocation)],
        in place: ChunkPlace
    ) throws(APIError) -> [ChunkLocation] {
        let now = time.wall
        return try write { db in
            var unneeded: [ChunkLocation] = []
            for (digest, location) in stored {
                if try !Self.index(digest, at: location, in: place, now, db) { unneeded.append(location) }
            }
            return unneeded
        }
    }

    @discardableResult
    static func index(
        _ digest: Digest,
        at location: ChunkLocation,
        in place: ChunkPlace,
        _ now: Timestamp,
        _ db: borrowing StoreConnection
    ) throws -> Bool {
        let isNew = try ChunkTable.insert(digest, at: location, in: place.tree, touched: now, db)
        if !isNew { try ChunkTable.touch(digest, in: place.tree, at: now, db) }
        // The owner needs a claim only where a guest was first.
        if try !place.isOwner || ClaimTable.isClaimed(digest, in: place.tree, db) {
            try ClaimTable.claim(digest, in: place.tree, by: place.caller, at: now, db)
        }
        return isNew
    }
}
