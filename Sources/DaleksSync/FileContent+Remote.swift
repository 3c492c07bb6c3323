import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksCrypto
import DaleksSystem

/// What synchronisation does with a file's bytes.
extension FileContent {
    /// Fixes the file as it is now, for an upload. One at a time.
    func takeSnapshot(asideFolder: String) -> ContentSnapshot {
        state.waitThrowing(until: { Self.isQuiet($0) && $0.snapshot == nil }) { state in
            let spans = state.spans.spans { $0 == .dirty }
            let snapshot = ContentSnapshot(
                size: state.size,
                modified: state.modified,
                base: state.revision,
                baseSize: max(state.remoteSize, state.cutFrom),
                spans: spans,
                pieces: state.pieces,
                asideFolder: asideFolder
            )
            // From now on what changes is counted from this instant, which is the next content if all goes well.
            state.pieces = Dictionary(uniqueKeysWithValues: spans.map { ($0, PieceSet()) })
            state.snapshot = snapshot
            return snapshot
        }
    }

    /// Whether an instant of it is on its way.
    var isBeingSent: Bool { state.withLock { $0.snapshot != nil } }

    func dropSnapshot(_ snapshot: ContentSnapshot) {
        state.withLock { state in
            guard state.snapshot === snapshot else { return }
            state.snapshot = nil
            // It did not become the region's content, so nobody knows what differs from that.
            if !snapshot.isSettled { state.pieces = [:] }
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
            guard state.revision == revision, state.spans[span] == .absent else { return nil }
            state.filling.insert(span)
            return Self.bytes(in: span, ofSize: state.size)
        }
        guard let room else { return }
        var outcome = SpanState.absent
        defer { endFilling(span, outcome) }
        try backing.writeAll(
            bytes.count > room ? Array(bytes.prefix(room)) : bytes,
            at: Int64(span) * Int64(Limits.spanBytes)
        )
        try keepModificationTime()
        try markClean()
        outcome = .clean
        marks.wrote(bytes.count)
    }

    /// Hashes a span that was clean when a daemon died. What is not what the index says is forgotten, and fetched anew.
    /// Where nobody noted what it hashes to, `trusted` says whether it counts: while the machine runs on, no byte is
    /// lost.
    func verify(
        _ span: Int,
        trusted: Bool,
        digest: () throws(Errno) -> Digest?,
        drop: () throws(Errno) -> Void
    ) throws(Errno) {
        let count = state.waitThrowing(until: { !$0.isFrozen && !$0.filling.contains(span) }) { state -> Int? in
            guard state.spans[span] == .suspect else { return nil }
            state.filling.insert(span)
            return Self.bytes(in: span, ofSize: state.remoteSize)
        }
        guard let count else { return }
        var outcome = SpanState.suspect
        defer { endFilling(span, outcome) }
        let expected = try digest()
        if expected == nil, trusted {
            outcome = .clean
            return
        }
        if let expected {
            let bytes = try backing.bytes(count: count, at: Int64(span) * Int64(Limits.spanBytes))
            if SHA256.digest(of: bytes) == expected {
                outcome = .clean
                return
            }
        }
        try drop()
        outcome = .absent
    }

    private func endFilling(_ span: Int, _ outcome: SpanState) {
        state.withLock { state in
            state.filling.remove(span)
            state.spans[span] = outcome
            if outcome != .absent { state.dropGlimpses(of: span) }
        }
        state.broadcast()
    }

    /// Whether the region has to answer first, before anything is known of the span.
    func isOwed(_ span: Int) -> Bool { state.withLock { $0.owed.contains(span) && $0.spans[span] == .absent } }

    func isSuspect(_ span: Int) -> Bool { state.withLock { $0.spans[span] == .suspect } }

    /// Whether any of the spans would have to come from the region, or be checked.
    public func lacksAny(of spans: Range<Int>) -> Bool {
        state.withLock { state in spans.contains { Self.isLacking($0, state) } }
    }

    /// Whether the span still lacks bytes of that content.
    func lacks(_ span: Int, of revision: Revision) -> Bool {
        state.withLock { state in
            state.revision == revision && state.spans[span] == .absent
                && Int64(span) * Int64(Limits.spanBytes) < state.remoteSize
        }
    }

    /// Recovery takes the time from the backing file, so what is not the user's writing must not move it.
    func keepModificationTime() throws(Errno) {
        try backing.setModificationTime(live.modified)
    }

    /// Takes over the region's newer content, which the tables have already. Only while frozen, and only where nothing
    /// is dirty. What the disk would not let go of is told: the file is opened anew as soon as nobody uses it.
    func adopt(_ node: LocalNode) -> Errno? {
        var failure: Errno?
        do throws(Errno) {
            try backing.truncate(to: 0)
            try backing.truncate(to: node.attributes.size)
        } catch {
            failure = error
        }
        thaw { state in
            state.failure = state.failure ?? failure
            state.strays = []
            state.spans.removeAll()
            state.glimpses = [:]
            state.pieces = [:]
            state.size = node.attributes.size
            state.revision = node.content
            state.remoteSize = node.contentSize
            state.cutFrom = 0
            state.isCutDue = false
            state.owed = []
            state.isPlaced = false
            state.modified = node.attributes.modified
        }
        return failure
    }

    /// Gives the space of clean spans back, at most so many bytes of it, and says how much it was. The index says
    /// absent before the bytes go; readers wait meanwhile. A file in the middle of something is left alone.
    func evict(upTo limit: Int64, drop: ([Int]) throws(Errno) -> Void) throws(Errno) -> Int64 {
        let chosen = state.wait(timeout: .milliseconds(50)) { state -> [Int]? in
            guard Self.isQuiet(state) else { return nil }
            var chosen: [Int] = []
            var bytes: Int64 = 0
            for span in state.spans.spans(where: { $0 == .clean || $0 == .suspect }) where bytes < limit {
                if state.snapshot?.covers(span) == true { continue }
                chosen.append(span)
                bytes += Int64(Self.bytes(in: span, ofSize: state.size))
            }
            state.isFrozen = true
            return chosen
        }
        guard let chosen else { return 0 }
        defer { thaw { _ in } }
        guard !chosen.isEmpty else { return 0 }
        try drop(chosen)
        state.withLock { state in
            for span in chosen { state.spans[span] = .absent }
        }
        var freed: Int64 = 0
        for span in chosen {
            let start = Int64(span) * Int64(Limits.spanBytes)
            let end = min(start + Int64(Limits.spanBytes), live.size)
            try backing.punchHole(start..<max(start, end))
            freed += max(0, end - start)
        }
        try keepModificationTime()
        return freed
    }
}

extension FileContent.State {
    /// The region took a commit, which is its content under `revision` now; `cleaned` spans are the same here still.
    /// `cut` is the least size that the file had here since the commit's instant, where that is known.
    mutating func settle(_ commit: Mutation.Commit, _ revision: Revision, cut: Int64?, cleaned: [Int]) {
        let least = cut ?? size
        self.revision = revision
        glimpses = [:]
        owed.subtract(commit.spans.lazy.map(\.index))
        // The backing file names the content that edits build on.
        isPlaced = false
        remoteSize = min(commit.size, least)
        cutFrom = least < commit.size ? commit.size : 0
        if cut != nil { snapshot?.noteSettled() } else { pieces = [:] }
        for span in cleaned where spans[span] == .dirty { spans[span] = .clean }
        pieces = pieces.filter { spans[$0.key] == .dirty }
    }
}
