import DaleksAPI
import DaleksCore

/// Content that is there already: of an earlier version, or of another file of the tree.
extension TreeDraft {
    /// The file gets it as its newest content. Pages are made anew, since only contents of one node share them.
    mutating func setContent(
        of id: NodeID,
        to source: StoredManifest,
        over base: Revision,
        modified: Timestamp,
        by author: Author
    ) throws(Stop) -> Revision {
        var node = try liveNode(id, for: .change)
        guard node.attributes.kind == .file else { throw .conflict(.kind, try record(node)) }
        guard node.content == base else { throw .conflict(.changed, try record(node)) }
        var pages: [(index: Int, page: ManifestPage)] = []
        for placed in source.pages { pages.append((placed.index, try page(placed.page))) }
        let old = try manifest(StoredManifest.Key(node: id, content: node.content))
        let growth = source.bytes - node.contentBytes
        guard growth <= 0 || tree.bytesUsed + growth <= bytesQuota else {
            throw .denied("quota_exceeded", "the owner's quota of \(bytesQuota) bytes would be exceeded")
        }

        let revision = nextRevision
        var manifest = StoredManifest.empty
        manifest.size = source.size
        let isSmall = pages.count == 1
        for (index, page) in pages {
            let staysInline = isSmall && page.spans.count <= Limits.Files.manifestInlineSpanCountMax
            manifest.set(index, to: staysInline ? makeInline(page) : make(page))
        }
        put(
            manifest,
            StoredManifest.Key(node: id, content: revision),
            superseding: node.content,
            replacedBytes: old.bytes
        )
        account(bytes: growth)
        node.content = revision
        node.contentBytes = source.bytes
        node.maker = author.mark
        node.attributes.size = source.size
        node.attributes.modified = modified
        node.attributes.changed = now
        put(node)
        return finish(author, nodes: [id])
    }
}
