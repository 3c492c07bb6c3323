import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksSQLite
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// Uploads in pieces, as tus 1.0 has them.
@Suite(.bothDatabases) struct UploadTests {
    let region: TestRegion
    let surfaces: TestSurfaces
    let device: TestDevice
    let bytes: [UInt8]

    init() throws {
        region = try TestRegion(bytesQuota: 8 << 20)
        surfaces = try TestSurfaces(region)
        device = try TestDevice(region)
        var random = SeededGenerator(for: "uploads")
        bytes = random.bytes(count: 2 * Limits.spanBytes + 4_321)
    }

    private func send(
        _ method: HTTPMethod,
        _ path: String,
        _ body: [UInt8] = [],
        _ fields: [(String, String)] = [],
        as user: UserID? = nil
    ) throws -> TestSurfaces.Answer {
        var all = [("Tus-Resumable", "1.0.0")] + fields
        if !body.isEmpty { all.append(("Content-Type", "application/offset+octet-stream")) }
        return try surfaces.send(method, path, as: user ?? device.owner, body, fields: all)
    }

    private func metadata(_ name: String) -> (String, String) {
        ("Upload-Metadata", "filename \(Base64.encode(Array(name.utf8), .standard))")
    }

    private func create(_ name: String, _ fields: [(String, String)], _ body: [UInt8] = []) throws -> String {
        let answer = try send(.post, "/v1/uploads", body, fields + [metadata(name)])
        guard answer.status == 201, let location = answer.fields["Location"] else { throw TestFailure(answer.text) }
        return location
    }

    private func patch(
        _ path: String,
        _ range: Range<Int>,
        _ fields: [(String, String)] = []
    ) throws -> TestSurfaces.Answer {
        let offset = ("Upload-Offset", "\(range.lowerBound)")
        var all = [offset] + fields
        if range.isEmpty { all.append(("Content-Type", "application/offset+octet-stream")) }
        return try send(.patch, path, Array(bytes[range]), all)
    }

    private func content(_ name: String) throws -> [UInt8] {
        try surfaces.send(.get, "/v1/paths/\(name)", as: device.owner).body
    }

    private func rows(_ table: String) throws -> Int64 {
        try region.store.read { db in try db.first(SQL("SELECT count(*) FROM \(table)")) { try $0.int64(0) } ?? 0 }
    }

    @Test func `a file comes in pieces of any size and is there with the last`() throws {
        let path = try create("big", [("Upload-Length", "\(bytes.count)")])
        var offset = 0
        for size in [1, 999_999, 1_048_576, 7, bytes.count] {
            let end = min(bytes.count, offset + size)
            #expect(try send(.head, path).fields["Upload-Offset"] == "\(offset)")
            #expect(try surfaces.send(.get, "/v1/items/big", as: device.owner).status == 404)
            let answer = try patch(path, offset..<end)
            #expect(answer.status == 204 && answer.fields["Upload-Offset"] == "\(end)")
            #expect(answer.fields["Upload-Expires"] != nil)
            offset = end
        }
        #expect(try content("big") == bytes)
        let head = try send(.head, path)
        #expect(head.fields["Upload-Length"] == "\(bytes.count)" && head.fields["Daleks-Node"] != nil)
        #expect(try patch(path, 0..<1).status == 409)
        #expect(try region.store.usage(of: device.owner).bytesUsed == Int64(bytes.count))
    }

    @Test func `bytes count only where their checksum and their place are right`() throws {
        let path = try create("sums", [("Upload-Length", "\(bytes.count)")])
        func sum(_ name: String, _ digest: [UInt8]) -> [(String, String)] {
            [("Upload-Checksum", "\(name) \(Base64.encode(digest, .standard))")]
        }
        let (first, rest) = (0..<1_000_000, 1_000_000..<bytes.count)
        let wrong = try patch(path, first, sum("sha1", SHA1.digest(of: Array(bytes[rest]))))
        #expect(wrong.status == 460)
        #expect(try patch(path, first, [("Upload-Checksum", "md5 AAAA")]).status == 400)
        #expect(try send(.head, path).fields["Upload-Offset"] == "0")
        #expect(try patch(path, rest).status == 409)
        #expect(try patch(path, first, sum("sha1", SHA1.digest(of: Array(bytes[first])))).status == 204)
        #expect(try patch(path, rest, sum("sha256", SHA256.digest(of: Array(bytes[rest])).bytes)).status == 204)
        #expect(try content("sums") == bytes)
    }

    @Test func `the length may come later, the first bytes at once, and nothing is a file too`() throws {
        let deferred = try create("later", [("Upload-Defer-Length", "1")], Array(bytes[..<100]))
        #expect(try send(.head, deferred).fields["Upload-Defer-Length"] == "1")
        #expect(try patch(deferred, 100..<200, [("Upload-Length", "200")]).status == 204)
        #expect(try content("later") == Array(bytes[..<200]))
        _ = try create("empty", [("Upload-Length", "0")])
        #expect(try surfaces.send(.get, "/v1/items/empty", as: device.owner).status == 200)
        let over = try create("over", [("Upload-Length", "10")])
        #expect(try patch(over, 0..<11).status == 413)
        #expect(try send(.post, "/v1/uploads", [], [("Upload-Length", "\(9 << 20)"), metadata("much")]).status == 507)
        let old = try surfaces.send(.post, "/v1/uploads", as: device.owner, [], fields: [("Tus-Resumable", "0.2.2")])
        #expect(old.status == 412 && old.fields["Tus-Version"] == "1.0.0")
    }

    @Test func `parts that came side by side become one file`() throws {
        var urls: [String] = []
        for range in [0..<700_000, 700_000..<2_000_000, 2_000_000..<bytes.count] {
            let fields = [("Upload-Concat", "partial"), ("Upload-Length", "\(range.count)")]
            let made = try send(.post, "/v1/uploads", [], fields)
            let path = try #require(made.fields["Location"])
            let answer = try send(.patch, path, Array(bytes[range]), [("Upload-Offset", "0")])
            #expect(answer.status == 204)
            #expect(try send(.head, path).fields["Upload-Concat"] == "partial")
            urls.append(path)
        }
        let final = ("Upload-Concat", "final;\(urls.joined(separator: " "))")
        let made = try send(.post, "/v1/uploads", [], [final, metadata("joined")])

        #expect(made.status == 201)
        #expect(try content("joined") == bytes)
        #expect(try send(.head, try #require(made.fields["Location"])).fields["Upload-Concat"] == final.1)
    }

    @Test func `what waits for its rest is not collected, and what was given up leaves nothing`() throws {
        let open = try create("open", [("Upload-Length", "\(bytes.count)")])
        #expect(try patch(open, 0..<2_000_000).status == 204)
        #expect(try Fsck(store: region.store, chunks: region.chunks).run(readsContents: true).findings == [])
        let other = UserID.random(at: .zero)
        #expect(try send(.head, open, as: other).status == 404)
        #expect(try send(.delete, open, as: other).status == 404)
        for _ in 0..<3 {
            region.clock.advance(by: .seconds(2 * 86_400))
            try region.collector().collect()
        }
        #expect(try patch(open, 2_000_000..<bytes.count).status == 204)
        #expect(try content("open") == bytes)

        let before = try rows("chunks")
        let canceled = try create("canceled", [("Upload-Length", "\(bytes.count)")])
        #expect(try patch(canceled, 0..<1_500_000).status == 204)
        #expect(try send(.delete, canceled).status == 204)
        #expect(try send(.head, canceled).status == 404)
        let expired = try create("expired", [("Upload-Length", "\(bytes.count)")])
        #expect(try patch(expired, 0..<1_500_000).status == 204)
        region.clock.advance(by: .seconds(8 * 86_400))
        #expect(try send(.head, expired).status == 410)
        for _ in 0..<3 {
            try region.collector().collect()
            region.clock.advance(by: .seconds(4_000))
        }
        #expect(try send(.head, expired).status == 404)
        #expect(try rows("upload_spans") == 0 && rows("chunks") == before)
    }
}
