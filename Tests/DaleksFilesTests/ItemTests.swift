import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksSQLite
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// Files as whole things, by id and by path.
@Suite(.bothDatabases) struct ItemTests {
    let region: TestRegion
    let surfaces: TestSurfaces
    let device: TestDevice

    init() throws {
        region = try TestRegion(bytesQuota: 8 << 20)
        surfaces = try TestSurfaces(region)
        device = try TestDevice(region)
    }

    private func send(
        _ method: HTTPMethod,
        _ path: String,
        _ body: [UInt8] = [],
        _ fields: [(String, String)] = []
    ) throws -> TestSurfaces.Answer {
        try surfaces.send(method, path, as: device.owner, body, fields: fields)
    }

    private func send(_ method: HTTPMethod, _ path: String, json: String) throws -> TestSurfaces.Answer {
        try send(method, path, Array(json.utf8))
    }

    @Test func `a file goes in and out whole, in ranges, and only where conditions hold`() throws {
        var random = SeededGenerator(for: "items")
        let bytes = random.bytes(count: Limits.spanBytes + 77)
        let made = try send(.put, "/v1/paths/big.bin", bytes)
        #expect(made.status == 201)
        let node = try made.json(NodeRecord.self)
        let tag = try #require(made.fields["ETag"])
        #expect(node.attributes.size == Int64(bytes.count) && tag == "\"\(node.content)\"")

        let whole = try send(.get, "/v1/nodes/\(node.id)/content")
        #expect(whole.body == bytes && whole.fields["ETag"] == tag)
        let digest = Base64.encode(SHA256.digest(of: bytes).bytes, .standard)
        #expect(whole.fields["Repr-Digest"] == "sha-256=:\(digest):")
        let from = Limits.spanBytes - 5
        let part = try send(.get, "/v1/paths/big.bin", [], [("Range", "bytes=\(from)-\(from + 9)")])
        #expect(part.status == 206 && part.body == Array(bytes[from..<from + 10]))
        let parts = try send(.get, "/v1/paths/big.bin", [], [("Range", "bytes=0-1,-2")])
        #expect(parts.status == 206 && parts.fields["Content-Type"]?.hasPrefix("multipart/byteranges") == true)
        #expect(try send(.get, "/v1/paths/big.bin", [], [("If-None-Match", tag)]).status == 304)
        #expect(try send(.get, "/v1/paths/big.bin", [], [("Range", "bytes=99999999-")]).status == 416)

        #expect(try send(.put, "/v1/paths/big.bin", [1], [("If-None-Match", "*")]).status == 412)
        #expect(try send(.put, "/v1/paths/big.bin", [1], [("If-Match", "\"1\"")]).status == 412)
        let again = try send(.put, "/v1/paths/big.bin", [1, 2], [("If-Match", tag)])
        #expect(again.status == 200)
        #expect(try send(.get, "/v1/paths/big.bin").body == [1, 2])
        #expect(try send(.delete, "/v1/paths/big.bin", [], [("If-Match", tag)]).status == 412)
        #expect(try send(.delete, "/v1/paths/big.bin").status == 204)
        #expect(try send(.get, "/v1/paths/big.bin").status == 404)
        #expect(try region.store.trash(of: device.owner, after: nil, limit: 9).items.count == 1)
    }

    @Test func `what users stored is sent so that no browser runs it`() throws {
        let page = try send(.put, "/v1/paths/evil.html", Array("<script>alert(1)</script>".utf8))
        let id = try page.json(NodeRecord.self).id
        for path in [
            "/v1/nodes/\(id)/content", "/v1/nodes/\(id)/content?inline=true", "/v1/paths/evil.html?inline=true",
        ] {
            let answer = try send(.get, path)
            #expect(answer.fields["X-Content-Type-Options"] == "nosniff")
            #expect(answer.fields["Content-Disposition"]?.hasPrefix("attachment") == true)
            #expect(answer.fields["Content-Security-Policy"]?.contains("sandbox") == true)
            #expect(answer.fields["Content-Security-Policy"]?.contains("frame-ancestors 'none'") == true)
        }
        // A picture by its name is one by its bytes too, or it is a download.
        _ = try send(.put, "/v1/paths/fake.png", Array("<script>".utf8))
        #expect(
            try send(.get, "/v1/paths/fake.png?inline=true").fields["Content-Disposition"]?.hasPrefix("attachment")
                == true
        )
        _ = try send(.put, "/v1/paths/real.png", [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0])
        let picture = try send(.get, "/v1/paths/real.png?inline=true")
        #expect(picture.fields["Content-Disposition"]?.hasPrefix("inline") == true)
        #expect(picture.fields["Content-Type"] == "image/png")
        _ = try send(.put, "/v1/paths/a%22b%0d%0ac.txt", [65])
        let odd = try send(.get, "/v1/paths/a%22b%0d%0ac.txt").fields["Content-Disposition"]
        #expect(odd?.contains("\r") == false && odd?.contains("filename=\"a_b__c.txt\"") == true)
    }

    @Test func `folders are made, renamed, moved and copied by path and by id`() throws {
        #expect(try send(.post, "/v1/items/a", json: #"{"op":"mkdir"}"#).status == 201)
        #expect(try send(.post, "/v1/items/a/b", json: #"{"op":"mkdir"}"#).status == 201)
        #expect(try send(.post, "/v1/items/a", json: #"{"op":"mkdir"}"#).status == 409)
        #expect(try send(.post, "/v1/items/x/y", json: #"{"op":"mkdir"}"#).status == 404)
        _ = try send(.put, "/v1/paths/a/b/file", Array("text".utf8))
        let before = try region.store.usage(of: device.owner)
        #expect(try send(.post, "/v1/items/a", json: #"{"op":"copy","to":"/copy"}"#).status == 201)
        #expect(try send(.get, "/v1/paths/copy/b/file").body == Array("text".utf8))
        // No byte was stored again, but both count.
        let after = try region.store.usage(of: device.owner)
        #expect(after.bytesUsed == before.bytesUsed + 4 && after.filesUsed == before.filesUsed + 3)
        let chunks = try region.store.read { db in
            try db.first("SELECT count(*) FROM chunks") { try $0.int64(0) }
        }
        #expect(chunks == 1)
        #expect(try send(.post, "/v1/items/copy/b", json: #"{"op":"move","to":"/moved"}"#).status == 200)
        #expect(try send(.get, "/v1/paths/moved/file").status == 200)
        let folder = try send(.get, "/v1/items/moved").json(NodeRecord.self)
        let found = try send(.get, "/v1/nodes/\(folder.id)/path")
        #expect(found.member("path") == "/moved")
        #expect(try send(.post, "/v1/items/a", json: #"{"op":"move","to":"/a/b/in-itself"}"#).status == 422)
        let listing = try send(.get, "/v1/paths/moved").json(ChildrenPage.self)
        #expect(listing.entries.map(\.name) == [name("file")])
        let change = try send(.patch, "/v1/nodes/\(folder.id)", json: #"{"name":"renamed","mode":448}"#)
        #expect(try change.json(NodeRecord.self).attributes.mode == 0o700)
        #expect(try send(.get, "/v1/paths/renamed/file").status == 200)
    }

    @Test func `a folder goes to the trash with all that is in it and comes back`() throws {
        _ = try send(.post, "/v1/items/a", json: #"{"op":"mkdir"}"#)
        _ = try send(.post, "/v1/items/a/b", json: #"{"op":"mkdir"}"#)
        _ = try send(.put, "/v1/paths/a/b/file", Array("text".utf8))
        let folder = try send(.get, "/v1/items/a").json(NodeRecord.self)
        let file = try send(.get, "/v1/items/a/b/file").json(NodeRecord.self)
        #expect(try send(.delete, "/v1/nodes/\(folder.id)").status == 204)

        let empty = try region.store.usage(of: device.owner)
        #expect(empty.bytesUsed == 0 && empty.filesUsed == 0 && empty.trashBytes == 4)
        #expect(try send(.get, "/v1/nodes/\(file.id)").status == 404)
        // Nothing is written into what lies in the trash.
        let write = device.commit([1], to: file.id, base: .content(file.content))
        #expect(try device.run(write).conflict == .missing)
        #expect(try send(.post, "/v1/trash/\(folder.id)/restore", json: "{}").status == 200)

        #expect(try send(.get, "/v1/paths/a/b/file").body == Array("text".utf8))
        let back = try region.store.usage(of: device.owner)
        #expect(back.bytesUsed == 4 && back.filesUsed == 3 && back.trashBytes == 0)
        #expect(try device.node(folder.id).attributes.links == 3)
        // And for good.
        #expect(try send(.delete, "/v1/nodes/\(folder.id)").status == 204)
        #expect(try send(.delete, "/v1/trash/\(folder.id)").status == 204)
        for _ in 0..<4 {
            region.clock.advance(by: .seconds(4_000))
            try region.collector().collect()
        }
        let rows = try region.store.read { db in
            try ["nodes", "entries", "manifests", "chunks"].map { table in
                try db.first(SQL("SELECT count(*) FROM \(table)")) { try $0.int64(0) } ?? -1
            }
        }
        #expect(rows == [1, 0, 0, 0])
    }

    @Test func `a write that does not fit is refused before it is read, and nothing is left of it`() throws {
        let big = [UInt8](repeating: 7, count: 9 << 20)
        let refused = try send(.put, "/v1/paths/big", big)
        #expect(refused.status == 507 && refused.member("code") == "quota_exceeded")
        #expect(try send(.get, "/v1/items/big").status == 404)
        #expect(try region.store.usage(of: device.owner).bytesUsed == 0)
    }

    @Test func `a search finds names whatever their case and goes on where it stopped`() throws {
        for folder in ["x", "y"] {
            _ = try send(.post, "/v1/items/\(folder)", json: #"{"op":"mkdir"}"#)
            for number in 0..<5 { _ = try send(.put, "/v1/paths/\(folder)/Report\(number).txt", []) }
        }
        _ = try send(.put, "/v1/paths/other", [])
        var (found, next): ([String], String?) = ([], "")
        while let after = next {
            let query = after.isEmpty ? "" : "&after=\(after)"
            let page = try send(.get, "/v1/search?q=rEPORT&limit=3\(query)").json(FoundItems.self)
            found += page.items.map(\.path)
            next = page.next
        }
        let expected = ["x", "y"].flatMap { folder in (0..<5).map { "/\(folder)/Report\($0).txt" } }
        #expect(found == expected)
        #expect(try send(.get, "/v1/search?q=").status == 400)
    }

    @Test func `visibility and grants take effect with the node that they come with`() throws {
        let friend = try TestDevice(region)
        let body = #"{"name":"shared","kind":"folder","grants":[{"user":"\#(friend.owner)","rights":["read"]}]}"#
        let made = try send(.post, "/v1/nodes/\(device.root)/children", json: body)
        #expect(made.status == 201)
        let folder = try made.json(NodeRecord.self)
        #expect(folder.visibility == .shared)
        #expect(try friend.node(folder.id).rights == [.read])
        // All or nothing.
        let bad = #"{"name":"other","kind":"folder","grants":[{"user":"\#(device.owner)","rights":["read"]}]}"#
        #expect(try send(.post, "/v1/nodes/\(device.root)/children", json: bad).status == 422)
        #expect(try send(.get, "/v1/items/other").status == 404)
    }

    @Test func `links count their downloads, and their passwords the tries`() throws {
        let file = try send(.put, "/v1/paths/file.txt", Array("text".utf8)).json(NodeRecord.self)
        func make(_ json: String) throws -> (record: LinkRecord, url: String) {
            let record = try send(.post, "/v1/nodes/\(file.id)/links", json: json).json(LinkRecord.self)
            return (record, try #require(record.url))
        }
        func visit(_ path: String, _ fields: [(String, String)] = []) throws -> TestSurfaces.Answer {
            try surfaces.send(.get, path, as: nil, fields: fields)
        }
        let limited = try make(#"{"kind":"download","downloads_max":2}"#)
        #expect(try visit(limited.url).member("name") == "file.txt")
        #expect(try visit(limited.url + "/content").body == Array("text".utf8))
        // Parts are not served where downloads are counted, so that nobody takes all but the first byte.
        #expect(try visit(limited.url + "/content", [("Range", "bytes=1-")]).status == 200)
        #expect(try visit(limited.url + "/content").status == 410)
        let known = try send(.get, "/v1/links").json(LinkList.self).links
        #expect(known.map(\.downloads) == [2] && known[0].url == nil)

        let secret = try make(#"{"kind":"view","password":"sesame"}"#)
        #expect(try visit(secret.url).member("name") == nil)
        #expect(try visit(secret.url + "/content").status == 403)
        func open(_ password: String) throws -> TestSurfaces.Answer {
            try surfaces.send(.post, secret.url + "/open", as: nil, Array(#"{"password":"\#(password)"}"#.utf8))
        }
        for _ in 0..<Limits.Files.linkAttemptsMax { #expect(try open("wrong").status == 403) }
        let blocked = try open("sesame")
        #expect(blocked.status == 429 && blocked.fields["Retry-After"] != nil)
        region.clock.advance(by: .seconds(901))
        let ticket = try #require(try open("sesame").member("ticket"))
        let shown = try visit(secret.url + "/content?ticket=\(ticket)")
        #expect(shown.body == Array("text".utf8) && shown.fields["Content-Disposition"]?.hasPrefix("inline") == true)
        region.clock.advance(by: .seconds(3_601))
        #expect(try visit(secret.url + "/content?ticket=\(ticket)").status == 403)
        #expect(try send(.delete, "/v1/links/\(secret.record.id)").status == 204)
        #expect(try visit(secret.url).status == 404)
    }

    @Test func `a signed URL reads one content until it expires and cannot be altered`() throws {
        let file = try send(.put, "/v1/paths/file.txt", Array("one".utf8)).json(NodeRecord.self)
        let signed = try send(.post, "/v1/nodes/\(file.id)/signed-urls", json: #"{"expires_in":60}"#).json(
            SignedURL.self
        )
        _ = try send(.put, "/v1/paths/file.txt", Array("three".utf8))
        func visit(_ path: String) throws -> TestSurfaces.Answer { try surfaces.send(.get, path, as: nil) }

        #expect(try visit(signed.url).body == Array("one".utf8))
        for (old, new) in [
            ("/\(file.content)/", "/\(file.content + 1)/"),
            ("\(signed.expires.seconds)", "\(signed.expires.seconds + 9)"),
        ] {
            #expect(try visit(signed.url.replacing(old, with: new)).status == 403)
        }
        #expect(try surfaces.send(.put, signed.url, as: nil, [1]).status == 405)
        region.clock.advance(by: .seconds(61))
        #expect(try visit(signed.url).status == 403)
    }

    @Test func `the audit log tells its owner who opened what to whom`() throws {
        let file = try device.make("a")
        let friend = UserID.random(at: .zero)
        _ = try region.store.grant(GrantRequest(rights: [.read]), to: friend, on: file, by: device.owner)
        _ = try region.store.revoke(friend, on: file, by: friend)
        let log = try send(.get, "/v1/audit").text
        #expect(log.contains("\"granted\"") && log.contains("\"left\"") && log.contains("\(friend)"))
        let other = try surfaces.send(.get, "/v1/audit", as: friend).text
        #expect(!other.contains("\(file)"))
    }
}
