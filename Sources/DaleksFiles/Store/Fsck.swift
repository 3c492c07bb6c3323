import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// Compares what the region's tables say about each other, and with what lies in the store. It explains and changes
/// nothing; it may run beside requests, a tree at a time.
struct Fsck: Sendable {
    /// Something that should not be, in one sentence.
    struct Finding: Hashable, Sendable, CustomStringConvertible {
        enum Kind: String, Sendable, CaseIterable {
            /// Bytes that a file shows are not there or not right.
            case lostContent = "lost_content"
            /// A count or sum that is not what it counts.
            case wrongCount = "wrong_count"
            /// A row that speaks of one that is not there.
            case danglingRow = "dangling_row"
        }

        let kind: Kind
        let detail: String

        var description: String { "\(kind.rawValue): \(detail)" }
    }

    struct Report: Sendable {
        var findings: [Finding] = []
        var treeCount = 0
        var fileCount = 0
        var chunkCount = 0
        /// Bytes of chunks as stored, and of those that nothing names.
        var storedBytes: Int64 = 0
        var unusedBytes: Int64 = 0
        /// Findings beyond the most that are told.
        var untoldCount = 0

        var isClean: Bool { findings.isEmpty }

        mutating func find(_ kind: Finding.Kind, _ detail: String) {
            guard findings.count < Limits.Files.findingCountMax else {
                untoldCount += 1
                return
            }
            findings.append(Finding(kind: kind, detail: detail))
        }
    }

    let store: TreeStore
    let chunks: any ChunkStore

    /// `readsContents`: every chunk is read and proved too, which is what `scrub` does.
    func run(readsContents: Bool = false, while goesOn: () -> Bool = { true }) throws(APIError) -> Report {
        var report = Report()
        for number in try store.read({ db in try TreeTable.numbers(db) }) where goesOn() {
            try checkTree(number, &report)
        }
        try checkRows(&report)
        if readsContents { try scrub(&report, while: goesOn) }
        return report
    }

    // MARK: Trees

    private func checkTree(_ number: TreeNumber, _ report: inout Report) throws(APIError) {
        var found = report
        try store.read { db in
            guard let tree = try TreeTable.load(number: number, db) else { return }
            found.treeCount += 1
            try Self.checkCounts(of: tree, db, &found)
            try Self.checkUsage(in: tree, db, &found)
        }
        report = found
    }

    private static func checkCounts(
        of tree: TreeState,
        _ db: borrowing StoreConnection,
        _ report: inout Report
    ) throws {
        let count = try db.first(
            "SELECT count(*) FROM nodes WHERE tree = ?1 AND removed IS NULL AND id <> ?2",
            [.integer(tree.number), .id(tree.root)]
        ) { try $0.int(0) }
        report.fileCount += count ?? 0
        let wrong = try db.query(
            """
            SELECT nodes.id, nodes.entry_count, count(entries.node) FROM nodes
            LEFT JOIN entries ON entries.parent = nodes.id
            WHERE nodes.tree = ?1 AND nodes.kind = ?2 GROUP BY nodes.id, nodes.entry_count
            HAVING nodes.entry_count <> count(entries.node) LIMIT ?3
            """,
            [
                .integer(tree.number), .integer(Int64(NodeKind.folder.rawValue)),
                .integer(Limits.Files.findingCountMax),
            ]
        ) { row -> (NodeID, Int64, Int64) in (try row.identifier(0), try row.int64(1), try row.int64(2)) }
        for (id, told, real) in wrong {
            report.find(.wrongCount, "folder \(id) says it has \(told) entries and has \(real)")
        }
    }

    /// Counts each chunk's uses by the manifests that there are, and compares.
    private static func checkUsage(
        in tree: TreeState,
        _ db: borrowing StoreConnection,
        _ report: inout Report
    ) throws {
        var uses: [Digest: Int64] = [:]
        var pages: Set<Int64> = []
        var broken: [String] = []
        try db.forEach(
            "SELECT node, content, size, body FROM manifests WHERE tree = ?1",
            [.integer(tree.number)]
        ) { row in
            let (node, content): (NodeID, Int64) = (try row.identifier(0), try row.int64(1))
            guard let manifest = try? StoredManifest(size: try row.int64(2), record: try row.blob(3)) else {
                broken.append("the manifest of \(node) at \(content) cannot be read")
                return
            }
            for placed in manifest.pages {
                switch placed.page {
                case .inline(let page): for part in page.spans.flatMap(\.parts) { uses[part.digest, default: 0] += 1 }
                case .stored(let number, _): pages.insert(number)
                }
            }
        }
        for problem in broken { report.find(.lostContent, problem) }
        for number in pages.sorted() {
            guard let page = try? ManifestTable.page(number, db) else {
                report.find(.lostContent, "page \(number) of a manifest in tree \(tree.number) cannot be read")
                continue
            }
            for part in page.spans.flatMap(\.parts) { uses[part.digest, default: 0] += 1 }
        }
        // What was uploaded so far of files that are not whole yet.
        try db.forEach(
            "SELECT digest FROM upload_spans JOIN uploads ON uploads.id = upload_spans.upload WHERE uploads.tree = ?1",
            [.integer(tree.number)]
        ) { row in uses[try row.digest(0), default: 0] += 1 }
        var last: Digest?
        repeat {
            let page = try ChunkTable.page(of: tree.number, after: last, limit: 1_000, db)
            last = page.last?.chunk.digest
            for (chunk, usage) in page {
                let real = uses.removeValue(forKey: chunk.digest) ?? 0
                report.chunkCount += 1
                report.storedBytes += Int64(chunk.location.storedBytes)
                if usage == 0 { report.unusedBytes += Int64(chunk.location.storedBytes) }
                if usage != real {
                    report.find(.wrongCount, "chunk \(chunk.digest) counts \(usage) uses and has \(real)")
                }
                if chunk.location.isInRow, try SmallChunkTable.body(chunk.location.position, db) == nil {
                    report.find(.lostContent, "chunk \(chunk.digest) has no row \(chunk.location.position)")
                }
            }
        } while last != nil
        // In an order that is the same at every run.
        for (digest, count) in uses.sorted(by: { $0.key.description < $1.key.description }) {
            report.find(.lostContent, "chunk \(digest) is named \(count) times and is not in the index")
        }
    }

    private func checkRows(_ report: inout Report) throws(APIError) {
        var found = report
        try store.read { db in
            let checks: [(SQL, String)] = [
                (
                    "SELECT count(*) FROM entries WHERE NOT EXISTS (SELECT 1 FROM nodes WHERE nodes.id = entries.node)",
                    "names stand for nodes that are not there"
                ),
                (
                    "SELECT count(*) FROM entries WHERE NOT EXISTS (SELECT 1 FROM nodes n WHERE n.id = entries.parent)",
                    "names lie in folders that are not there"
                ),
                (
                    """
                    SELECT count(*) FROM nodes WHERE removed IS NULL AND content > 0 AND NOT EXISTS
                        (SELECT 1 FROM manifests WHERE manifests.node = nodes.id AND manifests.content = nodes.content)
                    """, "files have no manifest of their present content"
                ),
                (
                    """
                    SELECT count(*) FROM small_chunks s WHERE NOT EXISTS (SELECT 1 FROM chunks c
                        WHERE c.tree = s.tree AND c.digest = s.digest AND c.segment = 0 AND c.position = s.number)
                    """, "rows hold small chunks that the index does not name"
                ),
            ]
            for (sql, what) in checks {
                let count = try db.first(sql) { try $0.int64(0) } ?? 0
                if count > 0 { found.find(.danglingRow, "\(count) \(what)") }
            }
        }
        report = found
    }

    // MARK: Contents

    private func scrub(_ report: inout Report, while goesOn: () -> Bool) throws(APIError) {
        var last: (tree: TreeNumber, digest: Digest)?
        while goesOn() {
            let page = try store.read { db in try ChunkTable.page(after: last, limit: 100, db) }
            guard let end = page.last else { return }
            last = (end.chunk.tree, end.chunk.digest)
            for finding in try findings(in: page) { report.find(.lostContent, finding) }
        }
    }

    /// Several are read at a time: a bucket is far away.
    private func findings(in page: [(chunk: ChunkTable.Placed, usage: Int64)]) throws(APIError) -> [String] {
        let outcome = Lock<(findings: [String], failure: APIError?)>(([], nil))
        let step = Limits.Files.scrubThreadCount
        let threads = (0..<step).map { first in
            Thread(name: "scrub") {
                for index in stride(from: first, to: page.count, by: step) {
                    let (chunk, usage) = page[index]
                    do throws(APIError) {
                        guard let problem = try problem(with: chunk) else { continue }
                        outcome.withLock {
                            $0.findings.append("chunk \(chunk.digest), named \(usage) times, \(problem)")
                        }
                    } catch {
                        return outcome.withLock { $0.failure = error }
                    }
                }
            }
        }
        for thread in threads { thread.join() }
        let (findings, failure) = outcome.withLock { $0 }
        if let failure { throw failure }
        return findings.sorted()
    }

    /// Nil where it is sound, or was moved or given up meanwhile. A store that is away is no finding but an error.
    private func problem(with chunk: ChunkTable.Placed) throws(APIError) -> String? {
        let body = try store.read { db in
            chunk.location.isInRow ? try SmallChunkTable.body(chunk.location.position, db) : nil
        }
        do throws(ChunkStoreError) {
            if chunk.location.isInRow {
                guard let body else { throw .damaged(chunk.digest) }
                _ = try PackedChunk(chunk.digest, chunk.location, stored: body).unpack()
            } else {
                _ = try chunks.read(chunk.digest, at: chunk.location)
            }
            return nil
        } catch {
            guard case .damaged = error else { throw StorageFailure.apiError(error, store.logger) }
            let now = try store.read { db in try ChunkTable.load(chunk.digest, in: chunk.tree, db) }
            guard now == chunk.location else { return nil }
            return "cannot be read where it lies (segment \(chunk.location.segment), \(chunk.location.position))"
        }
    }
}
