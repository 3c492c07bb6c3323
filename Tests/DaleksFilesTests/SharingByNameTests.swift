import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// Programs save a file by writing another and renaming that over it: whoever saw the file sees what took its place.
@Suite(.bothDatabases) struct SharingByNameTests {
    let region: TestRegion
    let owner: TestDevice
    let guest: TestDevice

    init() throws {
        region = try TestRegion()
        owner = try TestDevice(region)
        guest = try TestDevice(region)
    }

    private func share(_ node: NodeID, _ rights: Rights, with user: TestDevice, expires: Timestamp? = nil) throws {
        let request = GrantRequest(rights: rights, expires: expires)
        _ = try region.store.grant(request, to: user.owner, on: node, by: owner.owner)
    }

    private func put(_ node: NodeID, _ from: String, over old: NodeID, _ to: String, in folder: NodeID) -> Mutation {
        .rename(
            .init(
                parent: folder,
                name: name(from),
                node: node,
                toParent: folder,
                toName: name(to),
                replaces: old,
                isExchange: false,
                time: moment
            )
        )
    }

    private func isHidden(_ node: NodeID, from user: TestDevice) -> Bool { (try? user.node(node)) == nil }

    @Test func `who sees a file sees what replaces it, with the same rights`() throws {
        let friend = try TestDevice(region)
        let file = try owner.make("letter")
        _ = try owner.run(owner.commit([1], to: file, base: .content(0)))
        let end = region.clock.source.wall + .seconds(100)
        try share(file, [.read], with: guest, expires: end)
        try share(file, [.read, .update], with: friend)
        let saved = try owner.make("letter.new")
        _ = try owner.run(owner.commit([2], to: saved, base: .content(0)))

        #expect(try owner.run(put(saved, "letter.new", over: file, "letter", in: owner.root)).isDone)

        #expect(try guest.node(saved).rights == [.read])
        #expect(try friend.node(saved).rights == [.read, .update])
        #expect(isHidden(file, from: guest) && isHidden(file, from: friend))
        #expect(try owner.node(saved).visibility == .shared)
        let grants = try region.store.grants(on: saved, for: owner.owner)
        #expect(grants.map(\.user).sorted() == [guest.owner, friend.owner].sorted())
        #expect(grants.first { $0.user == guest.owner }?.expires == end)
        // And once more: a program saves again and again.
        let again = try owner.make("letter.new")
        #expect(try owner.run(put(again, "letter.new", over: saved, "letter", in: owner.root)).isDone)
        #expect(try guest.node(again).rights == [.read] && isHidden(saved, from: guest))
        #expect(try region.store.sharedWithMe(guest.owner, after: nil, limit: 10).items.map(\.node.id) == [again])
        region.clock.advance(by: .seconds(200))
        #expect(isHidden(again, from: guest))
    }

    @Test func `who has it hears of one that went and of one that came`() throws {
        let file = try owner.make("letter")
        try share(file, [.read], with: guest)
        let saved = try owner.make("letter.new")
        let before = try region.store.tree(of: guest.owner).record.cursor

        #expect(try owner.run(put(saved, "letter.new", over: file, "letter", in: owner.root)).isDone)

        let cursor = try #require(Cursor(before))
        let told = try region.store.changes(of: guest.owner, after: cursor).changes.flatMap(\.shares)
        #expect(told.first { $0.node == file }?.rights == nil && told.contains { $0.node == file })
        #expect(told.first { $0.node == saved }?.rights == [.read])
        let shared = try region.store.sharedWithMe(guest.owner, after: nil, limit: 10)
        #expect(shared.items.map(\.node.id) == [saved])
    }

    @Test func `what is public and what links lead to is what has the name`() throws {
        let surfaces = try TestSurfaces(region)
        let file = try owner.make("page")
        _ = try owner.run(owner.commit(Array("old".utf8), to: file, base: .content(0)))
        _ = try region.store.setVisibility(VisibilityRequest(isPublic: true), of: file, by: owner.owner)
        _ = try surfaces.visitors.makeLink(LinkRequest(kind: .view), to: file, by: owner.owner)
        let saved = try owner.make("page.new")
        _ = try owner.run(owner.commit(Array("new".utf8), to: saved, base: .content(0)))

        #expect(try owner.run(put(saved, "page.new", over: file, "page", in: owner.root)).isDone)

        #expect(try guest.node(saved).visibility == .public)
        #expect(isHidden(file, from: guest))
        #expect(try surfaces.visitors.links(on: saved, for: owner.owner).count == 1)
    }

    @Test func `who may change a folder saves in it, and what others may do with the file stays`() throws {
        let friend = try TestDevice(region)
        let folder = try owner.make("plans", .folder)
        let file = try owner.make("today", in: folder)
        try share(folder, [.read, .write, .update, .delete], with: guest)
        try share(file, [.read], with: friend)
        let saved = try guest.make("today.new", in: folder)

        #expect(try guest.run(put(saved, "today.new", over: file, "today", in: folder)).isDone)

        #expect(try friend.node(saved).rights == [.read])
        // Of the same batch: what somebody has by the name counts at once.
        let again = try guest.creation("today.new", in: folder)
        let results = try guest.run([again.0, put(again.1, "today.new", over: saved, "today", in: folder)])
        #expect(results.allSatisfy { $0.isDone })
        #expect(try friend.node(again.1).rights == [.read] && isHidden(saved, from: friend))
    }

    @Test func `what is said of both counts as said of the name, and what has another name keeps its own`() throws {
        let (file, other) = (try owner.make("a"), try owner.make("b"))
        try share(file, [.read], with: guest)
        try share(other, [.read, .update], with: guest)
        #expect(try owner.run(put(other, "b", over: file, "a", in: owner.root)).isDone)
        #expect(try guest.node(other).rights == [.read])

        #expect(try owner.run(.link(parent: owner.root, name: name("hard"), node: other, time: moment)).isDone)
        let saved = try owner.make("a.new")
        #expect(try owner.run(put(saved, "a.new", over: other, "a", in: owner.root)).isDone)
        #expect(try guest.node(other).rights == [.read])
        #expect(isHidden(saved, from: guest))
    }

    @Test func `who may not read a file does not come to read it by moving it over one that he may`() throws {
        let folder = try owner.make("plans", .folder)
        let (secret, mine) = (try owner.make("secret", in: folder), try owner.make("mine", in: folder))
        let published = try owner.make("published", in: folder)
        try share(folder, [.update, .delete], with: guest)
        try share(mine, [.read, .update], with: guest)
        _ = try region.store.setVisibility(VisibilityRequest(isPublic: true), of: published, by: owner.owner)
        #expect(isHidden(secret, from: guest))

        #expect(try guest.run(put(secret, "secret", over: mine, "mine", in: folder)).isDone)
        #expect(isHidden(secret, from: guest))
        #expect(try guest.run(put(secret, "mine", over: published, "published", in: folder)).isDone)
        #expect(isHidden(secret, from: guest))
        #expect(try owner.node(secret).visibility == .private)
    }
}
