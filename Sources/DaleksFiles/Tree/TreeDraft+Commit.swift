import DaleksAPI
import DaleksCore

extension TreeDraft {
    mutating func commit(_ commit: Mutation.Commit, by author: Author) throws(Stop) -> OperationResult.Outcome {
        var node = try liveNode(commit.node, for: .change)
        guard node.attributes.kind == .file else { throw .conflict(.kind, try record(node)) }
        let old = try manifest(StoredManifest.Key(node: node.id, content: node.content))
        guard isBase(commit.base, of: node, author) else {
            // Who sends, whole, what is here already disagrees with nobody.
            if try isPresent(commit, in: node, old) {
                try checkChunks(of: commit, over: old)
                return .done(revision: node.revision, content: node.content)
            }
            throw .conflict(.changed, try record(node))
        }
        try checkChunks(of: commit, over: old)
        let plan = try plan(commit, over: old)
        let bytes = old.bytes + plan.bytesDelta
        let growth = bytes - node.contentBytes
        guard growth <= 0 || tree.bytesUsed + growth <= bytesQuota else {
            throw .denied("quota_exceeded", "the owner's quota of \(bytesQuota) bytes would be exceeded")
        }

        let revision = nextRevision
        let manifest = apply(plan, to: old, size: commit.size)
        put(
            manifest,
            StoredManifest.Key(node: node.id, content: revision),
            superseding: node.content,
            replacedBytes: plan.replacedBytes
        )
        account(bytes: growth)
        node.content = revision
        node.contentBytes = bytes
        node.maker = author.mark
        node.attributes.size = commit.size
        node.attributes.modified = commit.modified
        node.attributes.changed = commit.time
        put(node)
        return .done(revision: finish(author, nodes: [node.id]), content: revision)
    }

    /// `{"operation": K}` holds while nobody after this device's operation K made the node or changed its bytes. An
    /// operation that was refused made nothing, so what builds on it is refused too.
    private func isBase(_ base: Mutation.Base, of node: StoredNode, _ author: Author) -> Bool {
        switch base {
        case .content(let revision): node.content == revision
        case .operation(let sequence):
            node.maker == OperationMark(device: author.mark.device, sequence: sequence)
        }
    }

    /// Whether the file has this very content. Only a commit that tells all of it can be compared.
    private func isPresent(
        _ commit: Mutation.Commit,
        in node: StoredNode,
        _ manifest: StoredManifest
    ) throws(Stop) -> Bool {
        let spanCount = StoredManifest.spanCount(size: commit.size)
        guard node.content != 0, commit.size == manifest.size, commit.spans.count == spanCount else { return false }
        let spansOfPage = Limits.Files.manifestPageSpanCount
        for span in commit.spans {
            let there = try page(manifest[span.index / spansOfPage])[span.index % spansOfPage]
            switch span.source {
            case .chunk(let digest):
                guard there?.form == .chunk(PlacedSpan.Part(digest: digest, bytes: span.bytes)) else { return false }
            case .hole: if there != nil { return false }
            case .inline, .split: return false
            }
        }
        return true
    }

    /// What the file has now may be named again by whoever may change it; all else only by who put it.
    private func checkChunks(of commit: Mutation.Commit, over old: StoredManifest) throws(Stop) {
        var missing: [Digest] = []
        for span in commit.spans {
            for part in span.parts {
                var found = try chunkBytes(part.digest)
                if found == nil { found = try presentBytes(of: part.digest, at: span.index, in: old) }
                guard let bytes = found else {
                    if !missing.contains(part.digest) { missing.append(part.digest) }
                    continue
                }
                guard bytes == part.bytes else {
                    throw .denied("malformed", "a part of span \(span.index) is not as long as its chunk")
                }
            }
        }
        guard missing.isEmpty else { throw .refused(.incomplete(missing: missing)) }
    }
}

extension TreeDraft {
    private func presentBytes(of digest: Digest, at index: Int, in old: StoredManifest) throws(Stop) -> Int? {
        guard !isOwner else { return nil }
        let page = try page(old[index / Limits.Files.manifestPageSpanCount])
        return page[index % Limits.Files.manifestPageSpanCount]?.parts.first { $0.digest == digest }?.bytes
    }
}

/// How a commit changes a manifest, worked out before anything is written.
struct ManifestPlan {
    /// By index of the page: what it becomes.
    var pages: [(index: Int, page: ManifestPage)] = []
    /// Pages from here on go away.
    var pageCount = 0
    var bytesDelta: Int64 = 0
    /// What the old content had there and the new has not.
    var replacedBytes: Int64 = 0
}

extension TreeDraft {
    private func plan(_ commit: Mutation.Commit, over old: StoredManifest) throws(Stop) -> ManifestPlan {
        var plan = ManifestPlan(pageCount: StoredManifest.pageCount(size: commit.size))
        plan.replacedBytes = old.pages.filter { $0.index >= plan.pageCount }.reduce(0) { $0 + $1.page.bytes }
        plan.bytesDelta = -plan.replacedBytes

        let spansOfPage = Limits.Files.manifestPageSpanCount
        var next = 0
        while next < commit.spans.count {
            let index = commit.spans[next].index / spansOfPage
            var page = try page(old[index])
            let before = page
            while next < commit.spans.count, commit.spans[next].index / spansOfPage == index {
                page.place(commit.spans[next])
                next += 1
            }
            plan.bytesDelta += page.bytes - before.bytes
            plan.replacedBytes += before.bytesLacking(in: page)
            plan.pages.append((index, page))
        }
        if commit.size < old.size { try cut(&plan, commit, old) }
        let kept = old.pages.count { $0.index < plan.pageCount }
        guard kept + plan.pages.count <= Limits.Files.manifestPageCountMax else {
            throw .denied("too_large", "the file has more content than one manifest lists")
        }
        return plan
    }

    /// The file became shorter: spans past the end go, and the one that the end cuts must have been given anew.
    private func cut(_ plan: inout ManifestPlan, _ commit: Mutation.Commit, _ old: StoredManifest) throws(Stop) {
        guard plan.pageCount > 0 else { return }
        let index = plan.pageCount - 1
        let known = plan.pages.lastIndex { $0.index == index }
        let before = if let known { plan.pages[known].page } else { try page(old[index]) }
        var page = before
        let spanCount = StoredManifest.spanCount(size: commit.size)
        let last = spanCount - 1
        page.removeSpans(from: spanCount - index * Limits.Files.manifestPageSpanCount)
        let lastBytes = commit.size - Int64(last) * Int64(Limits.spanBytes)
        if let span = page[last - index * Limits.Files.manifestPageSpanCount], Int64(span.extent) > lastBytes {
            throw .denied("malformed", "the file ends within span \(last), which must be listed whole")
        }
        guard page != before else { return }
        plan.bytesDelta += page.bytes - before.bytes
        plan.replacedBytes += before.bytesLacking(in: page)
        if let known { plan.pages[known].page = page } else { plan.pages.append((index, page)) }
    }

    private mutating func apply(_ plan: ManifestPlan, to old: StoredManifest, size: Int64) -> StoredManifest {
        var manifest = old
        manifest.size = size
        manifest.removePages(from: plan.pageCount)
        for (index, page) in plan.pages { manifest.set(index, to: page.spans.isEmpty ? nil : .inline(page)) }
        let isSmall = manifest.pages.count == 1
        for placed in manifest.pages {
            guard case .inline(let page) = placed.page else { continue }
            let staysInline = isSmall && page.spans.count <= Limits.Files.manifestInlineSpanCountMax
            manifest.set(placed.index, to: staysInline ? makeInline(page) : make(page))
        }
        return manifest
    }
}
