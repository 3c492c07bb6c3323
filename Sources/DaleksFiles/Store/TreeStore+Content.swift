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
            let (_, manifest) = try storedManifest(of: id, at: content, for: caller, db)
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
            let (tree, manifest) = try storedManifest(of: id, at: content, for: caller, db)
            let spansOfPage = Limits.Files.manifestPageSpanCount
            guard let page = manifest[index / spansOfPage],
                let span = try Self.page(page, db)[index % spansOfPage]
            else { return LocatedSpan(extent: 0, stretches: []) }
            return LocatedSpan(extent: span.extent, stretches: try Self.locate(span.stretches, in: tree.number, db))
        }
    }

    static func locate(
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
        /// How many bytes the owner's quota leaves for what is written here, where that is one file.
        var bytesRoom = Int64.max
    }

    func quota(of number: TreeNumber) throws(APIError) -> Int64 {
        try read { db in try TreeTable.load(number: number, db)?.bytesQuota ?? bytesQuota }
    }

    /// What lies in a tree and is no file's yet: chunks that nothing names, and open uploads.
    func stagedBytes(in number: TreeNumber) throws(APIError) -> Int64 {
        try read { db in
            let chunks = try db.first(
                """
                SELECT CAST(coalesce(sum(raw_bytes), 0) AS BIGINT) FROM chunks WHERE tree = ?1 AND usage = 0
                """,
                [.integer(number)]
            ) { try $0.int64(0) }
            let uploads = try db.first(
                """
                SELECT CAST(coalesce(sum(received), 0) AS BIGINT) FROM uploads WHERE tree = ?1 AND node IS NULL
                """,
                [.integer(number)]
            ) { try $0.int64(0) }
            return (chunks ?? 0) + (uploads ?? 0)
        }
    }

    func chunkPlace(for node: NodeID?, of caller: UserID) throws(APIError) -> ChunkPlace {
        guard let node else { return ChunkPlace(tree: try tree(of: caller).number, caller: caller, isOwner: true) }
        return try read { db in
            // Not who may read: there are those who may only write.
            let seen: Seen
            do {
                seen = try visible(node, to: caller, for: .change, db)
            } catch let error as APIError where error.code == .forbidden {
                seen = try visible(node, to: caller, for: .add, db)
            }
            guard seen.standing.isReachable else { throw Self.hidden }
            return ChunkPlace(tree: seen.tree.number, caller: caller, isOwner: seen.standing.access.isOwner)
        }
    }

    func missing(_ digests: [Digest], of owner: UserID) throws(APIError) -> [Digest] {
        try missing(digests, in: try chunkPlace(for: nil, of: owner))
    }

    /// Which of these the owner does not store or the caller may not name. Those that are there and that nobody uses
    /// yet stay for another grace.
    func missing(_ digests: [Digest], in place: ChunkPlace) throws(APIError) -> [Digest] {
        let known = try read { db in
            let known = try ChunkTable.known(digests, in: place.tree, db)
            let claims = try ClaimTable.claims(Array(known.keys), in: place.tree, db)
            return known.filter { digest, isUsed in
                ClaimTable.mayName(claims[digest], isUsed: isUsed, place.caller, isOwner: place.isOwner)
            }
        }
        let unused = digests.filter { known[$0] == false }
        guard !unused.isEmpty else { return digests.filter { known[$0] == nil } }
        let now = time.wall
        let gone = try write(.normal) { db in
            // In one order, so that two who touch the same ones do not wait for each other in a ring.
            var gone: Set<Digest> = []
            for digest in unused.sorted(by: { $0.bytes.lexicographicallyPrecedes($1.bytes) })
            where try !ChunkTable.touch(digest, in: place.tree, at: now, db) {
                gone.insert(digest)
            }
            return gone
        }
        return digests.filter { known[$0] == nil || gone.contains($0) }
    }

    /// Enters chunks whose bytes are safe or come with it, and that the caller put them. Returns when that survives
    /// what `durability` says. Gives the locations that are not needed, since the owner has those chunks elsewhere.
    func index(
        _ stored: [StoredChunk],
        in place: ChunkPlace,
        _ durability: Durability = .full
    ) throws(APIError) -> [ChunkLocation] {
        let now = time.wall
        return try write(durability) { db in
            try Self.unneeded(of: stored, in: place, now, db)
        }
    }

    /// Enters them, and gives the locations of those that the owner has elsewhere, or twice among these.
    static func unneeded(
        of stored: [StoredChunk],
        in place: ChunkPlace,
        _ now: Timestamp,
        _ db: borrowing StoreConnection
    ) throws -> [ChunkLocation] {
        var new = try index(stored, in: place, now, db)
        return stored.compactMap { chunk in
            guard case .placed(let digest, let location) = chunk, new.remove(digest) == nil else { return nil }
            return location
        }
    }

    /// Gives those that the owner did not store before. In one order, so that two who enter the same ones do not wait
    /// for each other in a ring.
    @discardableResult
    static func index(
        _ stored: [StoredChunk],
        in place: ChunkPlace,
        _ now: Timestamp,
        _ db: borrowing StoreConnection
    ) throws -> Set<Digest> {
        let ordered = stored.sorted { $0.digest.bytes.lexicographicallyPrecedes($1.digest.bytes) }
        guard db.isPostgres, ordered.count > 1 else {
            return Set(try ordered.filter { try index($0, in: place, now, db) }.map(\.digest))
        }
        var each: [StoredChunk] = []
        for chunk in ordered where each.last?.digest != chunk.digest { each.append(chunk) }
        let digests = each.map(\.digest)
        let new = try ChunkTable.insertSet(each, in: place.tree, touched: now, db)
        try ChunkTable.touchSet(digests.filter { !new.contains($0) }, in: place.tree, at: now, db)
        let claims = place.isOwner ? try ClaimTable.claims(digests, in: place.tree, db) : [:]
        let claimed = place.isOwner ? digests.filter { claims[$0] != nil } : digests
        try ClaimTable.claimSet(claimed, in: place.tree, by: place.caller, at: now, db)
        return new
    }

    @discardableResult
    private static func index(
        _ chunk: StoredChunk,
        in place: ChunkPlace,
        _ now: Timestamp,
        _ db: borrowing StoreConnection
    ) throws -> Bool {
        let digest = chunk.digest
        let isNew = try ChunkTable.insert(chunk, in: place.tree, touched: now, db)
        if !isNew { _ = try ChunkTable.touch(digest, in: place.tree, at: now, db) }
        // The owner needs a claim only where a guest was first.
        if try !place.isOwner || ClaimTable.isClaimed(digest, in: place.tree, db) {
            try ClaimTable.claim(digest, in: place.tree, by: place.caller, at: now, db)
        }
        return isNew
    }
}
