import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksCrypto
import DaleksSystem

/// Bytes: each span once however many ask for it, several at a time, and some ahead of being asked for.
extension Fetcher {
    /// A span that somebody is getting.
    struct SpanKey: Hashable {
        var inode: Inode
        var span: Int
    }

    /// Spans on their way that nobody asked for yet; over all files, so that memory and the line stay bounded.
    static let aheadCountMax = 48

    /// Gets spans that will be wanted soon, as far as the budget goes. Never waits, and failures are nobody's.
    func fetchAhead(_ spans: Range<Int>, of inode: Inode) {
        guard gate.hasRoomToSpare else { return }
        for span in spans {
            let isAllowed = state.withLock { state in
                guard state.aheadCount < Self.aheadCountMax else { return false }
                state.aheadCount += 1
                return true
            }
            guard isAllowed else { return }
            let accepted = labour.ahead.submit { [self] in
                try? fetchSpans(span..<span + 1, of: inode)
                state.withLock { $0.aheadCount -= 1 }
            }
            if !accepted { state.withLock { $0.aheadCount -= 1 } }
        }
    }

    func fetchSpans(_ spans: Range<Int>, of inode: Inode) throws(FetchFailure) {
        let node = try row(inode)
        let content: FileContent
        do throws(Errno) { content = try tree.contents.use(inode) } catch { throw .local(error) }
        defer { tree.contents.release(inode) }
        if spans.contains(where: content.isOwed) {
            throw .remote(.unreachable("the region has not answered yet what it was sent before a power cut"))
        }
        try verify(spans, of: content)
        let revision = content.state.withLock { $0.revision }
        guard revision > 0 else { return }
        let lacking = spans.filter { content.lacks($0, of: revision) }
        guard let first = lacking.first else { return }
        // Of a large file the rest follows, for which the manifest is wanted anyway.
        if lacking == [0], knownManifest(of: node.id, at: revision) == nil, regionCan(.readDigests) {
            if content.state.withLock({ $0.remoteSize }) > Limits.spanBytes {
                _ = labour.ahead.submit { [self] in _ = try? self.manifest(of: node.id, at: revision) }
            }
            return try fetchAlone(first, of: content, node.id, revision)
        }
        let manifest = try manifest(of: node.id, at: revision)
        guard lacking.count > 1 else { return try fetchSpan(first, of: content, node.id, revision, manifest) }
        let outcome = Condition<(left: Int, failure: FetchFailure?)>((lacking.count, nil))
        for index in lacking {
            let job: @Sendable () -> Void = { [self] in
                var failure: FetchFailure?
                do throws(FetchFailure) {
                    try fetchSpan(index, of: content, node.id, revision, manifest)
                } catch {
                    failure = error
                }
                outcome.withLock { $0 = ($0.left - 1, $0.failure ?? failure) }
                outcome.broadcast()
            }
            if !labour.spans.submit(job) { job() }
        }
        let failure = outcome.waitThrowing(until: { $0.left == 0 }) { $0.failure }
        if let failure { throw failure }
    }

    private func fetchSpan(
        _ index: Int,
        of content: FileContent,
        _ id: NodeID,
        _ revision: Revision,
        _ manifest: Manifest
    ) throws(FetchFailure) {
        try once(index, of: content, revision) { () throws(FetchFailure) in
            let (bytes, digest) = try bytes(of: index, id, revision, manifest)
            try fill(index, of: content, with: bytes, digest, revision)
        }
    }

    /// A span of a file of whose manifest nothing is known: the region tells its digest with the bytes, which saves the
    /// way there and back.
    private func fetchAlone(
        _ index: Int,
        of content: FileContent,
        _ id: NodeID,
        _ revision: Revision
    ) throws(FetchFailure) {
        try once(index, of: content, revision) { () throws(FetchFailure) in
            let read = ContentReads.Read(node: id, content: revision, index: index)
            let answers: [ContentAnswers.Answer]
            do throws(RemoteError) {
                answers = try remote.read(ContentReads([read], wantsDigests: true))
            } catch {
                throw .remote(error)
            }
            guard case .whole(let digest, let bytes) = answers.first else {
                // A hole, or a problem, which the manifest tells or meets as well.
                let manifest = try manifest(of: id, at: revision)
                let (bytes, digest) = try bytes(of: index, id, revision, manifest)
                return try fill(index, of: content, with: bytes, digest, revision)
            }
            try fill(index, of: content, with: bytes, digest, revision)
        }
    }

    /// Runs `body` where the span lacks bytes, and nobody else is at it.
    private func once(
        _ index: Int,
        of content: FileContent,
        _ revision: Revision,
        _ body: () throws(FetchFailure) -> Void
    ) throws(FetchFailure) {
        let key = SpanKey(inode: content.inode, span: index)
        let isOurs = state.wait(timeout: Self.patience) { $0.flying.insert(key).inserted ? true : nil }
        guard isOurs == true else { throw .remote(.unreachable("what was asked for before has not come")) }
        defer {
            state.withLock { _ = $0.flying.remove(key) }
            state.broadcast()
        }
        // Whoever was at it before may have brought it.
        guard content.lacks(index, of: revision) else { return }
        try body()
    }

    /// Puts bytes where they are lacking. They count once they hash to what the region's manifest says; a hole has no
    /// digest and no bytes.
    func fill(
        _ index: Int,
        of content: FileContent,
        with bytes: [UInt8],
        _ digest: Digest?,
        _ revision: Revision
    ) throws(FetchFailure) {
        let found = SHA256.digest(of: bytes)
        guard digest == nil ? bytes.isEmpty : found == digest else {
            logger.error("bytes from the region are damaged", ["inode": content.inode, "span": index])
            throw .damaged
        }
        let inode = content.inode
        do throws(Errno) {
            try content.fill(index, with: bytes, of: revision) { () throws(Errno) in
                try tree.database.writing { db throws in
                    try ContentTable.fill(index, digest: found, of: inode, in: db)
                }
            }
        } catch {
            throw .local(error)
        }
    }

    /// Hashes whatever of the file an earlier daemon left. What is wrong is forgotten.
    func verifyAll(of inode: Inode) throws(FetchFailure) {
        let content: FileContent
        do throws(Errno) { content = try tree.contents.use(inode) } catch { throw .local(error) }
        defer { tree.contents.leave(inode) }
        let suspects = content.state.withLock { $0.spans.spans { $0 == .suspect } }
        for span in suspects { try verify(span..<span + 1, of: content) }
    }

    /// What an earlier daemon left, and did not stop: hashed before it is believed.
    private func verify(_ spans: Range<Int>, of content: FileContent) throws(FetchFailure) {
        let inode = content.inode
        for index in spans where content.isSuspect(index) {
            do throws(Errno) {
                try content.verify(
                    index,
                    trusted: tree.contents.trustsUnhashed,
                    digest: { () throws(Errno) in
                        try tree.database.reading { db throws in
                            try ContentTable.digest(of: index, of: inode, in: db)
                        }
                    },
                    drop: { () throws(Errno) in
                        try tree.database.writing { db throws in
                            try ContentTable.drop(spans: [index], of: inode, in: db)
                        }
                    }
                )
            } catch {
                throw .local(error)
            }
        }
    }
}
