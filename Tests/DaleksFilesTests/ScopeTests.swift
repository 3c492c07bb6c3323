import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// What a token allows, whatever its bearer owns.
struct ScopeTests {
    let region: TestRegion
    let surfaces: TestSurfaces
    let device: TestDevice

    init() throws {
        region = try TestRegion()
        surfaces = try TestSurfaces(region)
        device = try TestDevice(region)
    }

    private func status(
        _ scope: String,
        _ method: HTTPMethod,
        _ path: String,
        _ body: String = ""
    ) throws -> Int {
        let token = try surfaces.users.token(for: device.owner, audience: "http://region.test", scope: scope)
        let fields = [("Authorization", "Bearer \(token)")]
        return try surfaces.send(method, path, as: nil, Array(body.utf8), fields: fields).status
    }

    @Test func `who may write may not share: that takes its own word in the token`() throws {
        let folder = try device.make("folder", .folder)
        let file = try device.make("file")
        let (other, link) = (UserID.random(at: .zero), "/v1/nodes/\(folder)/links")
        let sharing: [(HTTPMethod, String, String)] = [
            (.put, "/v1/nodes/\(folder)/grants/\(other)", #"{"rights":["read"]}"#),
            (.put, "/v1/nodes/\(folder)/visibility", #"{"visibility":"public"}"#),
            (.post, link, #"{"kind":"view"}"#),
            (.post, "/v1/nodes/\(file)/signed-urls", #"{"expires_in":60}"#),
            (
                .post, "/v1/nodes/\(folder)/children",
                #"{"name":"a","kind":"folder","grants":[{"user":"\#(other)","rights":["read"]}]}"#
            ),
            (.post, "/v1/nodes/\(folder)/children", #"{"name":"b","kind":"folder","visibility":"public"}"#),
            (.delete, "/v1/nodes/\(folder)/grants/\(other)", ""),
        ]
        for (method, path, body) in sharing {
            #expect(try status("files:read files:write", method, path, body) == 403, "\(method) \(path)")
        }
        #expect(try region.store.grants(on: folder, for: device.owner).isEmpty)
        for (method, path, body) in sharing {
            #expect((200..<300).contains(try status("files:read files:write files:share", method, path, body)))
        }
        // What shares nothing needs no more than before, and neither does leaving what others share.
        #expect(
            try status("files:write", .post, "/v1/nodes/\(folder)/children", #"{"name":"c","kind":"folder"}"#) == 201
        )
        let theirs = try TestDevice(region)
        let shared = try theirs.make("shared", .folder)
        _ = try region.store.grant(.init(rights: .read), to: device.owner, on: shared, by: theirs.owner)
        let mine = "/v1/nodes/\(shared)/grants/\(device.owner)"
        #expect((200..<300).contains(try status("files:write", .delete, mine)))
    }
}
