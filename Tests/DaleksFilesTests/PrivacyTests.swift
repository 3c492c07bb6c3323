import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// No sequence of operations lets a stranger read a private byte.
struct PrivacyTests {
    /// What the test itself knows of the tree: who lies where, and what was granted.
    struct Model {
        var parents: [NodeID: NodeID] = [:]
        var folders: [NodeID]
        var files: [(id: NodeID, text: String)] = []
        var granted: Set<NodeID> = []
        var published: Set<NodeID> = []
        let root: NodeID

        func isGranted(_ id: NodeID) -> Bool { path(id).contains { granted.contains($0) } }
        func isPublic(_ id: NodeID) -> Bool { path(id).contains { published.contains($0) } }

        func path(_ id: NodeID) -> [NodeID] {
            var path = [id]
            while let parent = parents[path[path.count - 1]] { path.append(parent) }
            return path
        }
    }

    @Test(arguments: 0..<(Environment.current["DALEKS_ROUNDS"].flatMap { Int($0) } ?? 1))
    func `no sequence of operations lets a stranger read a private byte`(round: Int) throws {
        var random = SeededGenerator(for: "privacy \(round)")
        let region = try TestRegion()
        let surfaces = try TestSurfaces(region)
        let (owner, guest, stranger) = (try TestDevice(region), try TestDevice(region), try TestDevice(region))
        var model = Model(folders: [owner.root], root: owner.root)
        var contents: [NodeID: (revision: Revision, bytes: [UInt8])] = [:]
        var names: [NodeID: String] = [:]

        for step in 0..<90 {
            try act(step, &model, &contents, &names, region, owner, guest, stranger, &random)
            guard step % 9 == 8 else { continue }
            for (id, content) in contents {
                let seen = model.isPublic(id)
                let strangers = try reads(of: id, content, as: stranger, region, surfaces)
                #expect(strangers.allSatisfy { $0 == seen }, "a stranger's reads after step \(step): \(strangers)")
                let guests = try reads(of: id, content, as: guest, region, surfaces)
                let expected = seen || model.isGranted(id)
                #expect(guests.allSatisfy { $0 == expected }, "a guest's reads after step \(step): \(guests)")
                if !seen { try steal(id, content, as: stranger, region) }
            }
            try lookAround(stranger, model, contents, surfaces)
        }
    }

    private func act(
        _ step: Int,
        _ model: inout Model,
        _ contents: inout [NodeID: (revision: Revision, bytes: [UInt8])],
        _ names: inout [NodeID: String],
        _ region: TestRegion,
        _ owner: TestDevice,
        _ guest: TestDevice,
        _ stranger: TestDevice,
        _ random: inout SeededGenerator
    ) throws {
        let text = "n\(step)"
        let folder = model.folders.randomElement(using: &random) ?? owner.root
        switch Int.random(in: 0..<10, using: &random) {
        case 0, 1:
            let id = try owner.make(text, .folder, in: folder)
            model.folders.append(id)
            model.parents[id] = folder
            names[id] = text
        case 2, 3, 4:
            let id = try owner.make(text, in: folder)
            let bytes = Array("secret \(step) ".utf8) + random.bytes(count: 40)
            guard let revision = try owner.run(owner.commit(bytes, to: id, base: .content(0))).content else { return }
            model.parents[id] = folder
            names[id] = text
            contents[id] = (revision, bytes)
        case 5:
            guard let id = names.keys.sorted().randomElement(using: &random), let from = model.parents[id],
                !model.path(folder).contains(id)
            else { return }
            let rename = Mutation.Rename(
                parent: from,
                name: name(names[id] ?? ""),
                node: id,
                toParent: folder,
                toName: name(text),
                replaces: nil,
                isExchange: false,
                time: moment
            )
            guard try owner.run(.rename(rename)).isDone else { return }
            model.parents[id] = folder
            names[id] = text
        case 6, 7:
            guard let id = names.keys.sorted().randomElement(using: &random) else { return }
            if model.granted.contains(id) {
                _ = try region.store.revoke(guest.owner, on: id, by: owner.owner)
                model.granted.remove(id)
            } else {
                let request = GrantRequest(rights: [.read, .write, .update])
                _ = try region.store.grant(request, to: guest.owner, on: id, by: owner.owner)
                model.granted.insert(id)
            }
        case 8:
            guard let id = names.keys.sorted().randomElement(using: &random) else { return }
            let becomes = !model.published.contains(id)
            _ = try region.store.setVisibility(VisibilityRequest(isPublic: becomes), of: id, by: owner.owner)
            if becomes { model.published.insert(id) } else { model.published.remove(id) }
        default:
            // The stranger and the guest try things that must not open anything.
            guard let id = contents.keys.sorted().randomElement(using: &random), let folder = model.parents[id] else {
                return
            }
            let grab = Mutation.Rename(
                parent: folder,
                name: name(names[id] ?? ""),
                node: id,
                toParent: stranger.root,
                toName: name("grabbed"),
                replaces: nil,
                isExchange: false,
                time: moment
            )
            _ = try stranger.run(.rename(grab))
            _ = try guest.run(.rename(grab))
            _ = try stranger.run(.link(parent: stranger.root, name: name("linked \(step)"), node: id, time: moment))
        }
    }

    /// Whether each way of reading gives the bytes.
    private func reads(
        of id: NodeID,
        _ content: (revision: Revision, bytes: [UInt8]),
        as device: TestDevice,
        _ region: TestRegion,
        _ surfaces: TestSurfaces
    ) throws -> [Bool] {
        var ways: [Bool] = []
        for path in [
            "/v1/nodes/\(id)/content", "/v1/nodes/\(id)/content/\(content.revision)/spans/0",
            "/v1/nodes/\(id)/versions/\(content.revision)/content",
        ] {
            let answer = try surfaces.send(.get, path, as: device.owner)
            if answer.status == 200 {
                #expect(answer.body == content.bytes)
            } else {
                #expect(!contains(answer.body, content.bytes))
            }
            ways.append(answer.status == 200)
        }
        ways.append(try surfaces.send(.get, "/v1/nodes/\(id)", as: device.owner).status == 200)
        ways.append(
            try surfaces.send(.get, "/v1/nodes/\(id)/content/\(content.revision)", as: device.owner).status == 200
        )
        return ways
    }

    /// Knowing everything about a file but its bytes is of no use.
    private func steal(
        _ id: NodeID,
        _ content: (revision: Revision, bytes: [UInt8]),
        as stranger: TestDevice,
        _ region: TestRegion
    ) throws {
        let digest = SHA256.digest(of: content.bytes)
        let own = try stranger.make("own \(Random.word())")
        let commit = Mutation.Commit(
            node: own,
            base: .content(0),
            size: Int64(content.bytes.count),
            spans: [Span(index: 0, bytes: content.bytes.count, source: .chunk(digest))],
            modified: moment,
            time: moment
        )
        #expect(try stranger.run(.commit(commit)) == .incomplete(missing: [digest]))
        #expect(try region.store.missing([digest], of: stranger.owner) == [digest])
        #expect(throws: APIError.self) {
            try region.store.copy(id, to: CopyRequest(toParent: stranger.root, name: name("copy")), by: stranger.owner)
        }
        #expect(throws: APIError.self) { try region.store.chunkPlace(for: id, of: stranger.owner) }
    }

    private func lookAround(
        _ stranger: TestDevice,
        _ model: Model,
        _ contents: [NodeID: (revision: Revision, bytes: [UInt8])],
        _ surfaces: TestSurfaces
    ) throws {
        for path in [
            "/v1/search?q=n", "/v1/shared-with-me", "/v1/shared-by-me", "/v1/trash", "/v1/audit", "/v1/links",
            "/v1/changes?after=1.0", "/v1/nodes/\(model.root)", "/v1/nodes/\(model.root)/children",
            "/v1/nodes/\(model.root)/zip", "/p/\(model.root)",
        ] {
            let answer = try surfaces.send(.get, path, as: stranger.owner)
            for (id, content) in contents where !model.isPublic(id) {
                #expect(!contains(answer.body, content.bytes) && !answer.text.contains("\(id)"), "\(path)")
            }
        }
        let owner = try stranger.region.store.read { db in
            try NodeTable.load(model.root, db).flatMap { try TreeTable.load(number: $0.tree, db)?.owner }
        }
        let feed = try surfaces.send(.get, "/v1/changes?after=1.0&owner=\(try #require(owner))", as: stranger.owner)
        #expect(feed.status == 404)
    }

    private func contains(_ body: [UInt8], _ bytes: [UInt8]) -> Bool {
        guard let first = bytes.first, body.count >= bytes.count else { return false }
        return body.indices.contains { index in
            body[index] == first && body[index...].starts(with: bytes)
        }
    }
}
