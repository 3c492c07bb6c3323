import DaleksCache
import DaleksCore
import DaleksSystem

/// What synchronisation does with a file's bytes.
extension FileContent {
    /// Fixes the file as it is now, for an upload. One at a time.
    func takeSnapshot(asideFolder: String) -> ContentSnapshot {
        state.waitThrowing(until: { Self.isQuiet($0) && $0.snapshot == nil }) { state in
            let dirty = state.spans.filter { $0.value == .dirty }.keys.sorted()
            let snapshot = ContentSnapshot(
                size: state.size,
                modified: state.modified,
                spans: dirty,
                asideFolder: asideFolder
            )
            state.snapshot = snapshot
            return snapshot
        }
    }

    func dropSnapshot(_ snapshot: ContentSnapshot) {
        state.withLock { state in
            if state.snapshot === snapshot { state.snapshot = nil }
        }
        state.broadcast()
    }

    /// Puts the region's bytes into a span that is absent. Bytes of an older content, or for a span that was written
    /// meanwhile, are ignored. Bytes first, then the index says clean.
    func fill(
        _ span: Int,
        with bytes: [UInt8],
        of revision: Revision,
        markClean: () throws(Errno) -> Void
    ) throws(Errno) {
        let room = state.waitThrowing(until: { !$0.isFrozen && !$0.filling.contains(span) }) { state -> Int? in
            guard state.revision == revision, state.spans[span, default: .absent] == .absent else { return nil }
            state.filling.insert(span)
            return Self.bytes(in: span, ofSize: state.size)
        }
        guard let room else { return }
        var outcome = SpanState.absent
        defer {
            state.withLock { state in
                state.filling.remove(span)
                if outcome == .clean { state.spans[span] = .clean }
            }
            state.broadcast()
        }
        try backing.writeAll(
            bytes.count > room ? Array(bytes.prefix(room)) : bytes,
            at: Int64(span) * Int64(Limits.spanBytes)
        )
        try keepModificationTime()
        try markClean()
        outcome = .clean
    }

    /// Whether the span still lacks bytes of that content.
    func lacks(_ span: Int, of revision: Revision) -> Bool {
        state.withLock { state in
            state.revision == revision && state.spans[span, default: .absent] == .absent
                && Int64(span) * Int64(Limits.spanBytes) < state.remoteSize
        }
    }

    /// Recovery takes the time from the backing file, so what is not the user's writing must not move it.
    private func keepModificationTime() throws(Errno) {
        try backing.setModificationTime(live.modified)
    }

    /// Takes over the region's newer content. Only while frozen, and only where nothing is dirty.
    func adopt(_ node: LocalNode) throws(Errno) {
        try backing.truncate(to: 0)
        try backing.truncate(to: node.attributes.size)
        thaw { state in
            state.spans = [:]
            state.size = node.attributes.size
            state.revision = node.content
            state.remoteSize = node.contentSize
            state.modified = node.attributes.modified
        }
    }
}
