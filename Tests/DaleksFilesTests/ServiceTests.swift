import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// The whole service in this process, over real sockets.
struct ServiceTests {
    let folder = ScratchFolder()
    let users: TestUsers
    let running: RunningService
    let user = UserID.random(at: .zero)

    /// Stops with the test.
    final class RunningService: Sendable {
        let service: FilesService
        init(_ settings: FilesSettings) throws { service = try FilesService.start(settings, logger: .silent) }
        deinit { service.stop() }
    }

    init() throws {
        users = try TestUsers()
        var settings = FilesSettings(region: "test", stateFolder: folder.path("state"), usersURL: users.url)
        settings.bytesQuota = 8 << 20
        running = try RunningService(settings)
    }

    private var url: String { running.service.publicURL }

    private func client(_ user: UserID? = nil) throws -> TestClient {
        TestClient(url, token: try users.token(for: user ?? self.user, audience: url))
    }

    @Test func `a file goes from one device to another`() throws {
        let (here, there) = (try client(), try client())
        let tree = try here.tree()
        let cursor = try there.tree().cursor
        let (folder, file) = (NodeID.random(at: .zero), NodeID.random(at: .zero))
        var random = SeededGenerator(for: "end to end")
        let chunk = random.bytes(count: Limits.spanBytes)
        let tail = random.bytes(count: 1_234)
        let digest = SHA256.digest(of: chunk)

        let asked = DigestList([digest])
        let before = try here.send(.post, Routes.Files.missingChunks, asked.jsonBytes)
        #expect(String(decoding: before.body, as: UTF8.self) == "{\"missing\":[\"\(digest)\"]}")
        #expect(try here.put(chunk))
        #expect(try !here.put(chunk))
        let after = try here.send(.post, Routes.Files.missingChunks, asked.jsonBytes)
        #expect(String(decoding: after.body, as: UTF8.self) == "{\"missing\":[]}")

        let commit = Mutation.Commit(
            node: file,
            base: .operation(2),
            size: Int64(chunk.count + tail.count),
            spans: [
                Span(index: 0, bytes: chunk.count, source: .chunk(digest)),
                Span(index: 1, bytes: tail.count, source: .inline(tail)),
            ],
            modified: moment,
            time: moment
        )
        let answer = try here.run(
            [
                .creating("folder", folder, in: tree.root, kind: .folder), .creating("file ä", file, in: folder),
                .commit(commit),
            ],
            from: 1
        )
        #expect(answer.results.map(\.outcome.revision) == [1, 2, 3])

        let page = try there.changes(after: cursor)
        #expect(page.changes.count == 3 && page.cursor == answer.cursor)
        #expect(page.changes.allSatisfy { $0.device == here.device })
        let own = try here.changes(after: cursor, by: here.device)
        #expect(own.changes.count == 1 && own.cursor == answer.cursor)
        #expect(own.changes[0].touched.map(\.revision) == [2, 1, 3] && own.changes[0].operation == 3)
        #expect(try there.changes(after: cursor, by: there.device) == page)
        let children = try there.get(Routes.Files.children(of: folder, after: nil, limit: 10), as: ChildrenPage.self)
        #expect(children.entries.map { "\($0.name)" } == ["file ä"])
        let node = try there.get(Routes.Files.node(file), as: NodeRecord.self)
        #expect(children.entries[0].node == node && node.content == 3)
        let manifest = try there.get(Routes.Files.manifest(of: file, at: 3), as: Manifest.self)
        #expect(manifest.size == commit.size && manifest.spans.map(\.bytes) == [chunk.count, tail.count])
        let first = try there.send(.get, Routes.Files.span(0, of: file, at: 3))
        #expect(first.status == .ok && first.body == chunk)
        #expect(try there.send(.get, Routes.Files.span(1, of: file, at: 3)).body == tail)
        #expect(try there.get(Routes.Files.usage, as: UsageRecord.self).bytesUsed == commit.size)
    }

    @Test func `a span is served in ranges`() throws {
        let device = try client()
        let root = try device.tree().root
        let file = NodeID.random(at: .zero)
        let bytes = (0..<1_000).map { UInt8(truncatingIfNeeded: $0) }
        _ = try device.run(
            [.creating("a", file, in: root), .committing(bytes, to: file, base: .operation(1))],
            from: 1
        )
        let path = Routes.Files.span(0, of: file, at: 2)

        let part = try device.send(.get, path, fields: [("Range", "bytes=100-199")])
        let beyond = try device.send(.get, path, fields: [("Range", "bytes=1000-")])

        #expect(part.status == .partialContent && part.body == Array(bytes[100..<200]))
        #expect(part.fields["Content-Range"] == "bytes 100-199/1000")
        #expect(beyond.status.code == 416)
    }

    @Test func `what is not there, hidden or wrong is told by its code`() throws {
        let (mine, theirs) = (try client(), try client(.random(at: .zero)))
        let root = try mine.tree().root
        _ = try theirs.tree()
        let nothing = NodeID.random(at: .zero)
        let digest = SHA256.digest(of: [1])

        func expect(_ status: Int, _ code: String, _ method: HTTPMethod, _ path: String, _ body: [UInt8] = []) throws {
            let response = try theirs.send(method, path, body)
            #expect(response.status.code == status && theirs.code(response) == code, "\(method.rawValue) \(path)")
        }
        try expect(404, "not_found", .get, Routes.Files.node(root))
        try expect(404, "not_found", .get, Routes.Files.node(nothing))
        try expect(404, "not_found", .get, Routes.Files.children(of: root, after: nil, limit: 1))
        try expect(404, "not_found", .get, Routes.Files.manifest(of: root, at: 1))
        try expect(404, "not_found", .get, "/v1/nothing")
        try expect(400, "malformed", .get, "/v1/nodes/xyz")
        try expect(400, "malformed", .get, "/v1/changes?after=yesterday")
        try expect(410, "cursor_expired", .get, "/v1/changes?after=1.99")
        try expect(410, "cursor_expired", .get, "/v1/changes?after=7.0")
        try expect(400, "malformed", .post, Routes.Files.mutations, Array("{".utf8))
        try expect(422, "invalid", .put, Routes.Files.chunk(digest), [2])
        try expect(405, "method_not_allowed", .delete, Routes.Files.tree)
        try expect(
            413,
            "too_large",
            .put,
            Routes.Files.chunk(digest),
            [UInt8](repeating: 0, count: Limits.spanBytes + 1)
        )
    }

    @Test func `whoever waits for changes is woken at once`() throws {
        let (writer, reader) = (try client(), try client())
        let tree = try writer.tree()
        let woken = Condition<[(ChangesPage, Instant)]>([])
        let threads = (0..<5).map { _ in
            Thread(name: "reader") {
                guard let page = try? reader.changes(after: tree.cursor, wait: 20) else { return }
                let now = TimeSource.system.now
                woken.withLock { $0.append((page, now)) }
                woken.broadcast()
            }
        }
        #expect(try eventually { try parkedCount(writer) == 5 })

        let answer = try writer.run([.creating("a", .random(at: .zero), in: tree.root)], from: 1)
        let answered = TimeSource.system.now
        let pages = woken.wait(timeout: .seconds(10)) { $0.count == 5 ? $0 : nil }

        for thread in threads { thread.join() }
        let all = try #require(pages)
        #expect(all.allSatisfy { $0.0.changes.count == 1 && $0.0.cursor == answer.cursor })
        let last = try #require(all.map(\.1).max())
        #expect(last - answered < .milliseconds(50), "the last was woken after \((last - answered).milliseconds) ms")
    }

    private func parkedCount(_ client: TestClient) throws -> Int {
        let text = String(decoding: try client.send(.get, "/metrics").body, as: UTF8.self)
        let line = text.split(separator: "\n").first { $0.hasPrefix("daleks_files_feed_readers ") }
        return line.flatMap { Double($0.split(separator: " ")[1]) }.map { Int($0) } ?? 0
    }

    @Test func `a wait ends empty-handed at its time, and another owner's changes do not end it`() throws {
        let (reader, stranger) = (try client(), try client(.random(at: .zero)))
        let (cursor, theirs) = (try reader.tree().cursor, try stranger.tree())
        let began = TimeSource.system.now
        let thread = Thread(name: "stranger") {
            _ = try? stranger.run([.creating("a", .random(at: .zero), in: theirs.root)], from: 1)
        }

        let page = try reader.changes(after: cursor, wait: 1)

        thread.join()
        #expect(page == ChangesPage(changes: [], cursor: cursor))
        #expect((.milliseconds(900)...(.seconds(5))).contains(TimeSource.system.now - began))
    }

    @Test func `operators see it alive, ready and counted`() throws {
        let device = try client()
        _ = try device.run([.creating("a", .random(at: .zero), in: try device.tree().root)], from: 1)

        #expect(try device.send(.get, "/livez").status == .ok)
        #expect(try device.send(.get, "/readyz").status == .ok)
        let metrics = String(decoding: try device.send(.get, "/metrics").body, as: UTF8.self)
        #expect(metrics.contains("daleks_files_operations_total{outcome=\"done\"} 1"))
        #expect(metrics.contains("daleks_http_requests_total{route=\"/v1/mutations\",status=\"200\"} 1"))
        let capabilities = try device.get(Routes.Files.capabilities, as: Capabilities.self)
        #expect(capabilities == Capabilities(region: "test", features: Capabilities.Feature.allCases))
    }

    // MARK: Tokens

    private func status(_ token: String) throws -> ClientStatus {
        let client = TestClient(url, token: token)
        let response = try client.send(.get, Routes.Files.tree)
        return ClientStatus(
            code: response.status.code,
            problem: client.code(response),
            challenge: response.fields["WWW-Authenticate"]
        )
    }

    private struct ClientStatus: Equatable {
        var code: Int
        var problem: String?
        var challenge: String?
    }

    @Test func `tokens for others, from others, of another kind, or past their time are refused`() throws {
        let foreign = try SigningKey.generate(.es256)
        let invalid = ClientStatus(code: 401, problem: "unauthorized", challenge: "Bearer error=\"invalid_token\"")

        #expect(try status(users.token(for: user, audience: url)).code == 200)
        #expect(try status(users.token(for: user, audience: "http://elsewhere")) == invalid)
        #expect(try status(users.token(for: user, audience: url, issuer: "http://elsewhere")) == invalid)
        #expect(try status(users.token(for: user, audience: url, type: "JWT")) == invalid)
        #expect(try status(users.token(for: user, audience: url, subject: "root")) == invalid)
        #expect(try status(users.token(for: user, audience: url, key: foreign)) == invalid)
        #expect(try status("no.token.atall") == invalid)
        #expect(try status("") == ClientStatus(code: 401, problem: "unauthorized", challenge: "Bearer"))
        let expired = try status(users.token(for: user, audience: url, expiresIn: .seconds(-60)))
        #expect(expired.code == 401 && expired.problem == "token_expired")
    }

    @Test func `a token covers only its scope`() throws {
        let reader = TestClient(url, token: try users.token(for: user, audience: url, scope: "openid files:read"))
        let writer = TestClient(url, token: try users.token(for: user, audience: url, scope: "files:write"))
        let root = try reader.tree().root
        let body = MutationBatch(
            device: reader.device,
            acknowledged: 0,
            operations: [Operation(sequence: 1, mutation: .creating("a", .random(at: .zero), in: root))]
        ).jsonBytes

        let refused = try reader.send(.post, Routes.Files.mutations, body)
        #expect(refused.status == .forbidden)
        #expect(refused.fields["WWW-Authenticate"] == "Bearer error=\"insufficient_scope\"")
        #expect(try reader.send(.put, Routes.Files.chunk(SHA256.digest(of: [1])), [1]).status == .forbidden)
        #expect(try writer.send(.get, Routes.Files.tree).status == .forbidden)
        #expect(try writer.send(.post, Routes.Files.mutations, body).status == .ok)
    }

    @Test func `unknown keys are asked for once, and a users service that is away stops nobody whose key is known`()
        throws
    {
        #expect(try status(users.token(for: user, audience: url)).code == 200)
        #expect(users.fetchCount == 1)
        for _ in 0..<5 {
            #expect(try status(users.token(for: user, audience: url, key: try .generate(.es256))).code == 401)
        }
        #expect(users.fetchCount == 1, "the last fetch is less than 30 seconds old")

        users.goAway()
        #expect(try status(users.token(for: .random(at: .zero), audience: url)).code == 200)
        #expect(try status(users.token(for: user, audience: url, key: try .generate(.es256))).code == 401)
    }
}
