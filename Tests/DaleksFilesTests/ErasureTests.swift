import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksSQLite
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// What a user owned whose account was deleted goes, all of it and nothing else.
@Suite(.bothDatabases) struct ErasureTests {
    let region: TestRegion
    let surfaces: TestSurfaces
    let gone: TestDevice
    let friend: TestDevice
    let bytes: [UInt8]

    init() throws {
        region = try TestRegion()
        surfaces = try TestSurfaces(region)
        gone = try TestDevice(region)
        friend = try TestDevice(region)
        var random = SeededGenerator(for: "erasure")
        bytes = random.bytes(count: Limits.spanBytes + 1_000)
    }

    private func send(_ path: String, as user: TestDevice, _ bytes: [UInt8]) throws {
        let status = try surfaces.send(.put, path, as: user.owner, bytes).status
        guard [200, 201].contains(status) else { throw TestFailure("\(path): \(status)") }
    }

    private func beginUpload(into folder: NodeID, as user: TestDevice) throws {
        let names = [("parent", "\(folder)"), ("filename", "half")]
        let metadata = names.map { "\($0.0) \(Base64.encode(Array($0.1.utf8), .standard))" }.joined(separator: ",")
        let answer = try surfaces.send(
            .post,
            Routes.Files.uploads,
            as: user.owner,
            bytes,
            fields: [
                ("Tus-Resumable", "1.0.0"), ("Upload-Length", "\(bytes.count * 2)"), ("Upload-Metadata", metadata),
                ("Content-Type", "application/offset+octet-stream"),
            ]
        )
        guard answer.status == 201 else { throw TestFailure(answer.text) }
    }

    /// Files with versions, trash, links, uploads and grants, both ways. The link that is gone, and the shared folders.
    private func fill() throws -> (link: String, mine: NodeID, theirs: NodeID) {
        let mine = try gone.make("mine", .folder)
        let theirs = try friend.make("theirs", .folder)
        let all = GrantRequest(rights: .all)
        _ = try region.store.grant(all, to: friend.owner, on: mine, by: gone.owner)
        _ = try region.store.grant(all, to: gone.owner, on: theirs, by: friend.owner)
        for (index, content) in [bytes, Array(bytes.reversed()), [1, 2, 3]].enumerated() {
            try send("/v1/paths/mine/versions", as: gone, content)
            try send("/v1/paths/mine/trash\(index)", as: gone, content)
            #expect(try surfaces.send(.delete, "/v1/paths/mine/trash\(index)", as: gone.owner).status == 204)
        }
        let inner = try gone.make("inner", .folder, in: mine)
        _ = try gone.run(try (0..<300).map { try gone.creation("file \($0)", in: inner).0 })
        try send("/v1/paths/theirs/kept", as: friend, bytes)
        try beginUpload(into: mine, as: gone)
        try beginUpload(into: mine, as: friend)
        try beginUpload(into: theirs, as: gone)
        try beginUpload(into: theirs, as: friend)
        let link = try surfaces.visitors.makeLink(LinkRequest(kind: .view), to: mine, by: gone.owner)
        _ = try surfaces.visitors.makeLink(LinkRequest(kind: .view), to: theirs, by: gone.owner)
        _ = try surfaces.visitors.makeLink(LinkRequest(kind: .view), to: theirs, by: friend.owner)
        return (try #require(link.url), mine, theirs)
    }

    private func delete(in time: Duration) throws {
        let due = region.clock.source.wall + time
        try region.store.write { db in try ErasureTable.insert(gone.owner, due: due, db) }
    }

    private func count(_ sql: SQL, _ values: [Value] = []) throws -> Int64 {
        try region.store.read { db in try db.first(sql, values) { try $0.int64(0) } ?? 0 }
    }

    private func expectGone(_ tree: TreeNumber) throws {
        for table in ["nodes", "manifests", "chunks", "small_chunks", "grants", "links", "uploads", "changes", "audit"]
        {
            let rows = try count(SQL("SELECT count(*) FROM \(table) WHERE tree = ?1"), [.integer(tree)])
            #expect(rows == 0, "\(rows) rows of \(table)")
        }
        for table in ["devices", "chunk_claims"] {
            #expect(try count(SQL("SELECT count(*) FROM \(table) WHERE tree = ?1"), [.integer(tree)]) == 0)
        }
        #expect(try count("SELECT count(*) FROM trees WHERE owner = ?1", [.id(gone.owner)]) == 0)
        #expect(try count("SELECT count(*) FROM grants WHERE grantee = ?1", [.id(gone.owner)]) == 0)
        #expect(try count("SELECT count(*) FROM links WHERE issuer = ?1", [.id(gone.owner)]) == 0)
        #expect(try count("SELECT count(*) FROM uploads WHERE holder = ?1", [.id(gone.owner)]) == 0)
        #expect(try count("SELECT count(*) FROM erasures WHERE finished IS NULL") == 0)
    }

    @Test func `after the grace everything of theirs goes, and what is others' stays`() throws {
        let (link, mine, theirs) = try fill()
        let tree = try region.store.tree(of: gone.owner).number
        let before = try region.store.tree(of: friend.owner).cursor
        try delete(in: .seconds(3_600))

        #expect(try surfaces.send(.get, link, as: nil).status == 404)
        try region.collector().collect()
        #expect(try gone.children(mine).count == 2)

        region.clock.advance(by: .seconds(3_601))
        for _ in 0..<4 { try region.collector(grace: .seconds(86_400)).collect() }

        try expectGone(tree)
        #expect(try surfaces.send(.get, "/v1/paths/theirs/kept", as: friend.owner).body == bytes)
        #expect(try region.store.grants(on: theirs, for: friend.owner).isEmpty)
        #expect(try count("SELECT count(*) FROM uploads") == 1 && count("SELECT count(*) FROM links") == 1)
        let news = try region.store.changes(of: friend.owner, after: before, for: friend.owner).changes
        #expect(news.flatMap(\.shares).contains { $0.node == mine && $0.rights == nil })
        #expect(try Fsck(store: region.store, chunks: region.chunks).run(readsContents: true).findings == [])
        #expect(throws: APIError.self) {
            try region.store.grant(GrantRequest(rights: .read), to: gone.owner, on: theirs, by: friend.owner)
        }
    }

    @Test func `an erasure that is broken off anywhere goes on`() throws {
        _ = try fill()
        let tree = try region.store.tree(of: gone.owner).number
        try delete(in: .zero)
        region.clock.advance(by: .seconds(1))

        var budget = 0
        while try count("SELECT count(*) FROM erasures WHERE finished IS NULL") > 0, budget < 200 {
            budget += 5
            var left = budget
            try region.collector(grace: .seconds(86_400)).collect {
                left -= 1
                return left >= 0
            }
        }

        try expectGone(tree)
        #expect(try Fsck(store: region.store, chunks: region.chunks).run().findings == [])
        try region.collector().collect()
        try delete(in: .zero)
        try region.collector().collect()
        #expect(try surfaces.send(.get, "/v1/paths/theirs/kept", as: friend.owner).body == bytes)
    }
}
