import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// What others may do in a tree that is not theirs, and what they hear of it.
@Suite(.bothDatabases) struct SharingTests {
    let region: TestRegion
    let owner: TestDevice
    let guest: TestDevice

    init() throws {
        region = try TestRegion()
        owner = try TestDevice(region)
        guest = try TestDevice(region)
    }

    private func share(_ node: NodeID, _ rights: Rights, expires: Timestamp? = nil) throws {
        _ = try region.store.grant(
            GrantRequest(rights: rights, expires: expires),
            to: guest.owner,
            on: node,
            by: owner.owner
        )
    }

    private func code(_ body: () throws -> Void) -> APIError.Code? {
        do {
            try body()
            return nil
        } catch {
            return (error as? APIError)?.code
        }
    }

    @Test func `what is not shared does not exist for others, and what is shared says what may be done`() throws {
        let folder = try owner.make("plans", .folder)
        let file = try owner.make("a", in: folder)
        #expect(code { _ = try guest.node(file) } == .notFound)
        #expect(try guest.run(.attributes(.init(node: file, mode: 0o600, time: moment))).conflict == .missing)

        try share(folder, [.read])

        #expect(try guest.node(file).rights == [.read])
        #expect(try guest.children(folder).map(\.node.rights) == [[.read]])
        #expect(try guest.run(.attributes(.init(node: file, mode: 0o600, time: moment))).deniedCode == "forbidden")
        #expect(code { _ = try guest.node(owner.root) } == .notFound)
        #expect(try owner.node(folder).visibility == .shared && owner.node(file).rights == nil)
    }

    @Test func `a guest writes into a shared folder, and bytes, quota and feed are the owner's`() throws {
        let folder = try owner.make("plans", .folder)
        try share(folder, [.read, .write])
        let bytes: [UInt8] = Array("hello".utf8)
        let file = try guest.make("new", in: folder)

        let content = try #require(try guest.run(guest.commit(bytes, to: file, base: .content(0))).content)

        #expect(try owner.bytes(file, at: content) == bytes)
        #expect(try region.store.usage(of: owner.owner).bytesUsed == 5)
        #expect(try region.store.usage(of: guest.owner).bytesUsed == 0)
        #expect(try owner.node(file).creator == guest.owner)
        let told = try region.store.changes(of: owner.owner, after: Cursor(epoch: 1, sequence: 0))
        #expect(told.changes.last?.nodes.first?.id == file)
    }

    @Test func `who made a file in another's tree changes and deletes it with write alone, and nothing else`() throws {
        let folder = try owner.make("drop", .folder)
        let theirs = try owner.make("theirs", in: folder)
        try share(folder, [.read, .write])
        let mine = try guest.make("mine", in: folder)

        func rename(_ from: String, _ node: NodeID, _ to: String, over: NodeID? = nil) -> Mutation {
            .rename(
                .init(
                    parent: folder,
                    name: name(from),
                    node: node,
                    toParent: folder,
                    toName: name(to),
                    replaces: over,
                    isExchange: false,
                    time: moment
                )
            )
        }
        #expect(try guest.run(rename("mine", mine, "still mine")).isDone)
        #expect(try guest.run(rename("still mine", mine, "theirs", over: theirs)).deniedCode == "forbidden")
        #expect(try guest.run(rename("theirs", theirs, "x")).deniedCode == "forbidden")
        let removal = Mutation.remove(parent: folder, name: name("theirs"), node: theirs, time: moment)
        #expect(try guest.run(removal).deniedCode == "forbidden")
        #expect(
            try guest.run(.remove(parent: folder, name: name("still mine"), node: mine, time: moment)).isDone
        )
        #expect(try region.store.trash(of: owner.owner, after: nil, limit: 10).items.map(\.remover) == [guest.owner])
    }

    @Test func `nothing is moved or linked across owners or across shares`() throws {
        let (one, two) = (try owner.make("one", .folder), try owner.make("two", .folder))
        try share(one, .all)
        try share(two, .all)
        let file = try owner.make("a", in: one)
        let own = try guest.make("own")
        func move(_ node: NodeID, _ text: String, _ from: NodeID, _ to: NodeID) -> Mutation {
            .rename(
                .init(
                    parent: from,
                    name: name(text),
                    node: node,
                    toParent: to,
                    toName: name("moved"),
                    replaces: nil,
                    isExchange: false,
                    time: moment
                )
            )
        }
        #expect(try guest.run(move(file, "a", one, two)).deniedCode == "cross_share")
        #expect(try guest.run(move(file, "a", one, guest.root)).deniedCode == "cross_owner")
        #expect(try guest.run(move(own, "own", guest.root, one)).deniedCode == "cross_owner")
        #expect(
            try guest.run(.link(parent: two, name: name("l"), node: file, time: moment)).deniedCode == "cross_share"
        )
        // A folder that may not be seen is missing, not elsewhere.
        #expect(try guest.run(move(own, "own", guest.root, owner.root)).conflict == .missing)
        #expect(try owner.run(move(file, "a", one, two)).isDone)
    }

    @Test func `knowing a digest is not having the bytes`() throws {
        let secret = Array("the owner's secret".utf8)
        let digest = SHA256.digest(of: secret)
        let hidden = try owner.make("hidden")
        _ = try owner.run(owner.commit(secret, to: hidden, base: .content(0)))
        let folder = try owner.make("shared", .folder)
        try share(folder, [.read, .write, .update])
        let file = try guest.make("grab", in: folder)
        func naming(_ node: NodeID, base: Revision) -> Mutation {
            .commit(
                .init(
                    node: node,
                    base: .content(base),
                    size: Int64(secret.count),
                    spans: [Span(index: 0, bytes: secret.count, source: .chunk(digest))],
                    modified: moment,
                    time: moment
                )
            )
        }

        #expect(try guest.run(naming(file, base: 0)) == .incomplete(missing: [digest]))
        let place = try region.store.chunkPlace(for: file, of: guest.owner)
        #expect(try region.store.missing([digest], in: place) == [digest])
        let own = try guest.make("own")
        #expect(try guest.run(naming(own, base: 0)) == .incomplete(missing: [digest]))

        // Put by whoever has them, they may be named.
        #expect(try region.content.put(secret, as: digest, for: file, of: guest.owner))
        #expect(try guest.run(naming(file, base: 0)).isDone)
    }

    @Test func `what a guest put and nobody uses is not the owner's to name`() throws {
        let bytes = Array("the guest's draft".utf8)
        let digest = SHA256.digest(of: bytes)
        let folder = try owner.make("shared", .folder)
        try share(folder, [.read, .write])
        _ = try region.content.put(bytes, as: digest, for: folder, of: guest.owner)

        #expect(try region.store.missing([digest], of: owner.owner) == [digest])
        _ = try region.content.put(bytes, as: digest, of: owner.owner)
        #expect(try region.store.missing([digest], of: owner.owner).isEmpty)
    }

    @Test func `the feed of another's tree tells what may be seen and moves past the rest`() throws {
        let folder = try owner.make("shared", .folder)
        try share(folder, [.read])
        let start = try #require(
            Cursor(try region.store.sharedWithMe(guest.owner, after: nil, limit: 9).items[0].cursor)
        )
        let hidden = try owner.make("private")
        let seen = try owner.make("seen", in: folder)
        func page() throws -> TreeStore.FeedPage {
            try region.store.changes(of: owner.owner, after: start, for: guest.owner)
        }

        #expect(try page().changes.flatMap(\.entries).map(\.node) == [seen])
        #expect(try page().changes.flatMap(\.nodes).map(\.rights).allSatisfy { $0 == [.read] })
        #expect(try page().changes.flatMap(\.nodes).map(\.id).contains(hidden) == false)

        // Into sight: with its node. Out of sight: as gone, wherever it was told before.
        func move(_ node: NodeID, _ text: String, _ from: NodeID, _ to: NodeID) -> Mutation {
            .rename(
                .init(
                    parent: from,
                    name: name(text),
                    node: node,
                    toParent: to,
                    toName: name(text),
                    replaces: nil,
                    isExchange: false,
                    time: moment
                )
            )
        }
        #expect(try owner.run(move(hidden, "private", owner.root, folder)).isDone)
        let appeared = try #require(try page().changes.last)
        #expect(appeared.entries.map(\.node) == [hidden] && appeared.nodes.map(\.id).contains(hidden))
        #expect(try owner.run(move(seen, "seen", folder, owner.root)).isDone)
        #expect(try page().changes.flatMap(\.nodes).map(\.id).contains(seen) == false)
        #expect(try page().changes.flatMap(\.entries).map(\.node) == [nil, hidden, nil])
        #expect(try page().cursor == region.store.tree(of: owner.owner).cursor)
        _ = try region.store.revoke(guest.owner, on: folder, by: owner.owner)
        #expect(code { _ = try page() } == .notFound)
    }

    @Test func `one's own feed tells of shares that come, change and go`() throws {
        let folder = try owner.make("shared", .folder)
        func shares() throws -> [Change.Share] {
            try region.store.changes(of: guest.owner, after: Cursor(epoch: 1, sequence: 0)).changes.flatMap(\.shares)
        }

        try share(folder, [.read])
        try share(folder, [.read, .write])
        _ = try region.store.revoke(guest.owner, on: folder, by: owner.owner)
        try share(folder, [.read])
        #expect(
            try owner.run(.remove(parent: owner.root, name: name("shared"), node: folder, time: moment)).isDone
        )
        _ = try region.store.restoreTrash(folder, TrashRestoreRequest(), of: owner.owner)

        #expect(try shares().map(\.rights) == [[.read], [.read, .write], nil, [.read], nil, [.read]])
        #expect(try guest.node(folder).rights == [.read])
    }

    @Test func `grants end when they expire, and a sharer gives no more than it has`() throws {
        let folder = try owner.make("shared", .folder)
        try share(folder, [.read, .share], expires: region.clock.source.wall + .seconds(100))
        let third = UserID.random(at: .zero)
        func give(_ rights: Rights) throws {
            _ = try region.store.grant(GrantRequest(rights: rights), to: third, on: folder, by: guest.owner)
        }
        #expect(code { try give([.update]) } == .forbidden)
        try give([.read])
        #expect(
            code { _ = try region.store.setVisibility(.init(isPublic: true), of: owner.root, by: guest.owner) }
                == .notFound
        )
        let why = try region.store.accessRecord(to: folder, for: guest.owner)
        #expect(why.rights == [.read, .share] && why.why.count == 1 && why.reasons[0].expires != nil)

        region.clock.advance(by: .seconds(101))
        #expect(code { _ = try guest.node(folder) } == .notFound)
        #expect(try region.store.sharedWithMe(guest.owner, after: nil, limit: 9).items.isEmpty)
        #expect(try region.store.node(folder, for: third).rights == [.read])
    }

    @Test func `a share can be left and is listed on both sides`() throws {
        let folder = try owner.make("shared", .folder)
        try share(folder, [.read, .delete])

        let item = try #require(try region.store.sharedWithMe(guest.owner, after: nil, limit: 9).items.first)
        #expect(item.name == name("shared") && item.node.rights == [.read, .delete])
        let mine = try #require(try region.store.sharedByMe(owner.owner, after: nil, limit: 9).items.first)
        #expect(mine.path == "/shared" && mine.grants.map(\.user) == [guest.owner])
        _ = try region.store.revoke(guest.owner, on: folder, by: guest.owner)

        #expect(try region.store.sharedWithMe(guest.owner, after: nil, limit: 9).items.isEmpty)
        #expect(try region.store.sharedByMe(owner.owner, after: nil, limit: 9).items.isEmpty)
        #expect(try owner.node(folder).visibility == .private)
    }

    @Test func `what is public may be read by everybody and nothing more`() throws {
        let folder = try owner.make("public", .folder)
        let file = try owner.make("a", in: folder)
        _ = try region.store.setVisibility(VisibilityRequest(isPublic: true), of: folder, by: owner.owner)

        #expect(try guest.node(file).rights == [.read])
        #expect(try guest.node(folder).visibility == .public)
        let (creation, _) = try guest.creation("b", in: folder)
        #expect(try guest.run(creation).deniedCode == "forbidden")
        _ = try region.store.setVisibility(VisibilityRequest(isPublic: false), of: folder, by: owner.owner)
        #expect(code { _ = try guest.node(file) } == .notFound)
    }

    @Test func `a share gives nothing of what was removed before it, whatever lay above`() throws {
        let folder = try owner.make("shared", .folder)
        let inner = try owner.make("inner", .folder, in: folder)
        let file = try owner.make("secret", in: inner)
        let content = try #require(try owner.run(owner.commit([1, 2, 3], to: file, base: .content(0))).content)
        _ = try region.store.discard(inner, HTTPFields(), by: owner.owner)
        region.clock.advance(by: .seconds(60))

        try share(folder, [.read])
        _ = try region.store.setVisibility(VisibilityRequest(isPublic: true), of: folder, by: owner.owner)

        for reader in [guest.owner, PublicAccess.nobody] {
            #expect(code { _ = try region.store.file(file, at: content, for: reader) } == .notFound)
            #expect(code { _ = try region.content.read(0, of: file, at: content, for: reader) } == .notFound)
            #expect(code { _ = try region.store.node(inner, for: reader) } == .notFound)
        }
        #expect(try owner.bytes(file, at: content) == [1, 2, 3])
    }

    @Test func `whoever could read it before goes on for a day after a folder above was removed`() throws {
        let folder = try owner.make("shared", .folder)
        try share(folder, [.read])
        let inner = try owner.make("inner", .folder, in: folder)
        let file = try owner.make("open", in: inner)
        let content = try #require(try owner.run(owner.commit([1], to: file, base: .content(0))).content)
        region.clock.advance(by: .seconds(60))
        _ = try region.store.discard(inner, HTTPFields(), by: owner.owner)

        region.clock.advance(by: .seconds(86_000))
        #expect(try guest.bytes(file, at: content) == [1])
        region.clock.advance(by: .seconds(1_000))
        #expect(code { _ = try guest.bytes(file, at: content) } == .notFound)
    }

    @Test func `the feed tells a guest nothing from before the share, wherever he says he is`() throws {
        let folder = try owner.make("shared", .folder)
        let inner = try owner.make("inner", .folder, in: folder)
        let gone = try owner.make("a telling name", in: inner)
        #expect(
            try owner.run(.remove(parent: inner, name: name("a telling name"), node: gone, time: moment)).isDone
        )
        let kept = try owner.make("kept", in: folder)
        region.clock.advance(by: .seconds(60))
        try share(folder, [.read])
        let later = try owner.make("later", in: folder)

        let told = try region.store.changes(of: owner.owner, after: Cursor(epoch: 1, sequence: 0), for: guest.owner)

        #expect(told.changes.flatMap(\.entries).map(\.node) == [later])
        #expect(!told.changes.flatMap(\.nodes).map(\.id).contains { $0 == gone || $0 == kept })
        // More rights for the same person are no new beginning: nothing of what came meanwhile is skipped.
        try share(folder, [.read, .write])
        let again = try region.store.changes(of: owner.owner, after: Cursor(epoch: 1, sequence: 0), for: guest.owner)
        #expect(again.changes.flatMap(\.entries).map(\.node) == [later])
    }

    @Test func `a page of which a guest may see nothing is not the end of the feed`() throws {
        let folder = try owner.make("shared", .folder)
        try share(folder, [.read])
        let cursor = try region.store.tree(of: owner.owner).cursor
        let hidden = try (0...Limits.Wire.changesPageCountMax).map { try owner.creation("hidden \($0)").0 }
        for start in stride(from: 0, to: hidden.count, by: 500) {
            #expect(try owner.run(Array(hidden[start..<min(start + 500, hidden.count)])).allSatisfy(\.isDone))
        }
        let seen = try owner.make("seen", in: folder)

        let told = try region.store.changes(of: owner.owner, after: cursor, for: guest.owner)

        #expect(told.changes.flatMap(\.entries).map(\.node) == [seen])
    }

    @Test func `a share that lies in another says so`() throws {
        let outer = try owner.make("outer", .folder)
        let inner = try owner.make("inner", .folder, in: outer)
        let file = try owner.make("file", in: inner)
        for node in [file, inner] { try share(node, [.read]) }
        func within() throws -> [NodeID: NodeID?] {
            let items = try region.store.sharedWithMe(guest.owner, after: nil, limit: 9).items
            return Dictionary(uniqueKeysWithValues: items.map { ($0.node.id, $0.within) })
        }
        #expect(try within() == [inner: nil, file: inner])

        try share(outer, [.read])

        #expect(try within() == [outer: nil, inner: outer, file: outer])
    }
}
