import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// What somebody made for people without an account ends with the account.
struct BarredOwnerTests {
    let region: TestRegion
    let surfaces: TestSurfaces
    let owner: TestDevice
    let sharer: TestDevice

    init() throws {
        region = try TestRegion()
        surfaces = try TestSurfaces(region)
        owner = try TestDevice(region)
        sharer = try TestDevice(region)
    }

    private func apply(_ kinds: [Revocation.Kind]) {
        for (index, kind) in kinds.enumerated() {
            surfaces.visitors.revocations.apply([Revocation(number: Int64(index), time: .zero, kind: kind)])
        }
    }

    @Test func `nothing of a locked or deleted account is served without a token, whoever of the two it is`() throws {
        let folder = try owner.make("folder", .folder)
        let file = try owner.make("file", in: folder)
        _ = try owner.run(owner.commit([1, 2], to: file, base: .content(0)))
        _ = try region.store.grant(.init(rights: [.read, .share]), to: sharer.owner, on: folder, by: owner.owner)
        _ = try region.store.setVisibility(.init(isPublic: true), of: folder, by: owner.owner)
        func made(_ path: String, _ body: String, by user: UserID) throws -> String {
            let answer = try surfaces.send(.post, path, as: user, Array(body.utf8))
            return try #require(answer.member("url"))
        }
        let (link, signing) = ("/v1/nodes/\(folder)/links", "/v1/nodes/\(file)/signed-urls")
        let mine = [
            "/p/\(folder)", "/p/\(folder)/file",
            try made(link, #"{"kind":"download"}"#, by: owner.owner) + "/content/file",
            try made(signing, #"{"expires_in":60}"#, by: owner.owner),
        ]
        let theirs = [
            try made(link, #"{"kind":"download"}"#, by: sharer.owner) + "/content/file",
            try made(signing, #"{"expires_in":60}"#, by: sharer.owner),
        ]
        func served(_ paths: [String]) throws -> [Bool] {
            try paths.map { try surfaces.send(.get, $0, as: nil).status == 200 }
        }
        #expect(try served(mine + theirs).allSatisfy { $0 })

        apply([.lock(owner.owner)])
        #expect(try !served(mine + theirs).contains(true))
        apply([.unlock(owner.owner)])
        #expect(try served(mine + theirs).allSatisfy { $0 })
        apply([.lock(sharer.owner)])
        #expect(try served(mine).allSatisfy { $0 } && !served(theirs).contains(true))
        apply([.unlock(sharer.owner), .deletion(owner.owner, purgeAfter: Timestamp(seconds: 9))])
        #expect(try !served(mine + theirs).contains(true))
    }

    @Test func `the feed's words for locks are read as they are written`() throws {
        for kind in [Revocation.Kind.lock(owner.owner), .unlock(owner.owner)] {
            let event = Revocation(number: 1, time: .zero, kind: kind)
            #expect(try Revocation(json: try JSONValue.parse(event.jsonBytes)) == event)
        }
    }
}
