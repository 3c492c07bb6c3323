import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// Files as browsers send them.
@Suite(.bothDatabases) struct FormTests {
    let region: TestRegion
    let surfaces: TestSurfaces
    let device: TestDevice

    init() throws {
        region = try TestRegion(bytesQuota: 4 << 20)
        surfaces = try TestSurfaces(region)
        device = try TestDevice(region)
    }

    private func send(
        _ path: String,
        _ files: [([UInt8], [UInt8])],
        tail: String = "--bound--\r\n",
        as user: UserID? = nil
    ) throws -> TestSurfaces.Answer {
        var body: [UInt8] = Array("--bound\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n".utf8)
        for (name, bytes) in files {
            body += Array("--bound\r\nContent-Disposition: form-data; name=\"file\"; filename=\"".utf8) + name
            body += Array("\"\r\nContent-Type: text/plain\r\n\r\n".utf8) + bytes + [13, 10]
        }
        return try surfaces.send(
            .post,
            path,
            as: user ?? device.owner,
            body + Array(tail.utf8),
            fields: [("Content-Type", "multipart/form-data; boundary=bound")]
        )
    }

    private func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test func `each file of a form is written as a PUT would write it`() throws {
        let folder = try device.make("in", .folder)
        var random = SeededGenerator(for: "forms")
        let large = random.bytes(count: Limits.spanBytes + 99)

        let sent = [(utf8("a.txt"), utf8("one")), (utf8("ä"), large), (utf8("0"), [])]
        let answer = try send("/v1/nodes/\(folder)/files", sent)

        #expect(answer.status == 201, "\(answer.text)")
        let files = try JSONReader(try JSONValue.parse(answer.body)).array("files")
        #expect(try files.map { try $0.decode(EntryRecord.self).name.text } == ["a.txt", "ä", "0"])
        #expect(try surfaces.send(.get, "/v1/paths/in/%C3%A4", as: device.owner).body == large)
        #expect(try surfaces.send(.get, "/v1/paths/in/a.txt", as: device.owner).body == utf8("one"))
        #expect(try send("/v1/paths/in", [(utf8("a.txt"), utf8("two"))]).status == 200)
        #expect(try surfaces.send(.get, "/v1/paths/in/a.txt", as: device.owner).body == utf8("two"))
        #expect(try region.store.usage(of: device.owner).bytesUsed == Int64(large.count) + 3)
        let node = try surfaces.send(.get, "/v1/items/in/a.txt", as: device.owner).json(NodeRecord.self)
        #expect(try region.store.versions(of: node.id, for: device.owner).versions.count == 2)
    }

    @Test func `what is refused says so, and what came before it stays`() throws {
        let folder = try device.make("in", .folder)
        let path = "/v1/nodes/\(folder)/files"
        let good = (utf8("good"), utf8("1"))

        for name in [utf8("a/b"), utf8(".."), [0xff, 0xfe]] {
            let answer = try send(path, [good, (name, [1])])
            #expect(answer.status == 422 && answer.member("code") == "invalid")
            #expect(answer.member("detail")?.hasSuffix("first 1 files are stored") == true)
        }
        #expect(try surfaces.send(.get, "/v1/paths/in/good", as: device.owner).status == 200)
        let much = try send(path, [(utf8("much"), [UInt8](repeating: 7, count: 5 << 20))])
        #expect(much.status == 507 && much.member("code") == "quota_exceeded")
        #expect(try send(path, [good], tail: "").status == 400)
        #expect(try send(path, []).status == 422)
        let plain = try surfaces.send(
            .post,
            path,
            as: device.owner,
            utf8("x"),
            fields: [("Content-Type", "text/plain")]
        )
        #expect(plain.status == 415 && plain.member("code") == "unsupported")
        #expect(try send("/v1/paths/in/good", [good]).status == 422)
        #expect(try send("/v1/paths/nowhere", [good]).status == 404)
    }

    @Test func `rights are those of a PUT`() throws {
        let folder = try device.make("in", .folder)
        let guest = UserID.random(at: .zero)
        let path = "/v1/nodes/\(folder)/files"
        let file = [(utf8("guest"), utf8("1"))]

        #expect(try send(path, file, as: guest).status == 404)
        for (rights, status) in [(Rights.read, 403), ([.read, .write], 201), ([.read, .update], 200)] {
            _ = try region.store.grant(GrantRequest(rights: rights), to: guest, on: folder, by: device.owner)
            #expect(try send(path, file, as: guest).status == status, "\(rights.words)")
        }
    }

    @Test func `a body that does not say its length is stopped at the quota`() throws {
        let target = WriteTarget(.name(parent: device.root, name: name("endless")))
        let place = try region.store.beginWriting(to: target, bytes: 0, by: device.owner)
        var writer = ContentWriter(region.content, place)
        let piece = [UInt8](repeating: 1, count: 1 << 20)

        var count = 0
        let error = #expect(throws: APIError.self) {
            while count < 10 {
                count += 1
                try writer.append(bytes: piece)
            }
        }

        #expect(error?.code == .quotaExceeded && count == 5)
    }
}
