import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// Files that change their owner.
@Suite(.bothDatabases) struct TransferTests {
    let region: TestRegion
    let surfaces: TestSurfaces
    let sender: TestDevice
    let recipient: TestDevice
    let guest: TestDevice
    let bytes: [UInt8]

    init() throws {
        region = try TestRegion(bytesQuota: 4 << 20)
        surfaces = try TestSurfaces(region)
        sender = try TestDevice(region)
        recipient = try TestDevice(region)
        guest = try TestDevice(region)
        var random = SeededGenerator(for: "transfers")
        bytes = random.bytes(count: Limits.spanBytes + 999)
    }

    private func send(
        _ method: HTTPMethod,
        _ path: String,
        as device: TestDevice,
        _ body: String = ""
    ) throws -> TestSurfaces.Answer {
        try surfaces.send(method, path, as: device.owner, Array(body.utf8))
    }

    private func put(_ path: String, _ bytes: [UInt8]) throws {
        let status = try surfaces.send(.put, "/v1/paths/\(path)", as: sender.owner, bytes).status
        guard status < 300 else { throw TestFailure("\(path): \(status)") }
    }

    private func offer(_ node: NodeID) throws -> TransferRecord {
        let answer = try send(.post, "/v1/nodes/\(node)/transfer", as: sender, #"{"to":"\#(recipient.owner)"}"#)
        guard answer.status == 201 else { throw TestFailure(answer.text) }
        return try answer.json()
    }

    private func used(_ device: TestDevice) throws -> Int64 { try region.store.usage(of: device.owner).bytesUsed }

    /// `gift` with a file of two versions, a folder, a link, a symlink, an attribute and a hole.
    private func fill() throws -> NodeID {
        let gift = try sender.make("gift", .folder)
        let inner = try sender.make("inner", .folder, in: gift)
        try put("gift/large", Array(bytes.reversed()))
        try put("gift/large", bytes)
        let large = try send(.get, "/v1/items/gift/large", as: sender).json(NodeRecord.self)
        _ = try sender.make("sym", .symlink, in: inner)
        let sparse = try sender.make("sparse", in: inner)
        let hole = Mutation.Commit(
            node: sparse,
            base: .content(0),
            size: Int64(Limits.spanBytes) + 3,
            spans: [Span(index: 1, bytes: 3, source: .inline([1, 2, 3]))],
            modified: moment,
            time: moment
        )
        let outcomes = try sender.run([
            .commit(hole), .link(parent: inner, name: name("second name"), node: large.id, time: moment),
            .extended(.init(node: large.id, name: Array("user.mood".utf8), value: [7], time: moment)),
            .attributes(.init(node: inner, mode: 0o700, modified: Timestamp(seconds: 5), time: moment)),
        ])
        guard outcomes.allSatisfy(\.isDone) else { throw TestFailure("\(outcomes)") }
        return gift
    }

    @Test func `what both want changes its owner with all that is in it, and nobody sees more than before`() throws {
        let gift = try fill()
        _ = try region.store.grant(GrantRequest(rights: .all), to: guest.owner, on: gift, by: sender.owner)
        let before = try (used(sender), region.store.tree(of: recipient.owner).cursor)
        let offer = try offer(gift)

        #expect(try send(.get, "/v1/transfers", as: recipient).json(TransferList.self).transfers == [offer])
        #expect(try send(.get, "/v1/transfers", as: sender).json(TransferList.self).transfers == [offer])
        #expect(try send(.get, "/v1/transfers", as: guest).json(TransferList.self).transfers == [])
        for other in [guest, sender] {
            #expect(try send(.post, "/v1/transfers/\(offer.id)/accept", as: other, "{}").status == 404)
        }
        #expect(try send(.get, "/v1/nodes/\(gift)", as: recipient).status == 404)
        let accepted = try send(.post, "/v1/transfers/\(offer.id)/accept", as: recipient, #"{"name":"mine"}"#)

        #expect(accepted.status == 201, "\(accepted.text)")
        #expect(try accepted.json(NodeRecord.self).owner == recipient.owner)
        #expect(try send(.get, "/v1/paths/mine/large", as: recipient).body == bytes)
        #expect(try send(.get, "/v1/paths/mine/inner/second%20name", as: recipient).body == bytes)
        let sparse = try send(.get, "/v1/paths/mine/inner/sparse", as: recipient).body
        #expect(sparse == [UInt8](repeating: 0, count: Limits.spanBytes) + [1, 2, 3])
        func node(_ path: String) throws -> NodeRecord { try send(.get, "/v1/items/\(path)", as: recipient).json() }
        let large = try node("mine/large")
        let second = try node("mine/inner/second%20name")
        #expect(large.attributes.links == 2 && large.id == second.id)
        #expect(large.extended.items.map(\.value) == [[7]])
        let inner = try node("mine/inner").attributes
        #expect(inner.mode == 0o700 && inner.modified == Timestamp(seconds: 5))
        #expect(try node("mine/inner/sym").target == Array("target".utf8))

        #expect(try send(.get, "/v1/items/gift", as: sender).status == 404)
        #expect(try send(.get, "/v1/nodes/\(large.id)", as: guest).status == 404)
        #expect(try used(sender) == before.0 - Int64(bytes.count) - 3 && used(recipient) == Int64(bytes.count) + 3)
        #expect(try region.store.trash(of: sender.owner, after: nil, limit: 9).items.contains { $0.node.id == gift })
        let news = try region.store.changes(of: recipient.owner, after: before.1, for: recipient.owner).changes
        #expect(news.flatMap(\.entries).contains { $0.name == name("mine") && $0.node != nil })
        #expect(try send(.post, "/v1/transfers/\(offer.id)/accept", as: recipient, "{}").status == 404)
        let findings = try Fsck(store: region.store, chunks: region.chunks).run(readsContents: true).findings
        #expect(findings == [])
    }

    @Test func `an offer that cannot be kept changes nothing`() throws {
        let gift = try fill()
        let offer = try offer(gift)
        func accept(_ body: String = "{}") throws -> TestSurfaces.Answer {
            try send(.post, "/v1/transfers/\(offer.id)/accept", as: recipient, body)
        }

        for user in [sender.owner, .random(at: .zero)] {
            let answer = try send(.post, "/v1/nodes/\(sender.root)/transfer", as: sender, #"{"to":"\#(user)"}"#)
            #expect(answer.status == 422)
        }
        _ = try recipient.make("gift")
        #expect(try accept().member("code") == "already_exists")
        #expect(try accept(#"{"name":"a","to_parent":"\#(sender.root)"}"#).status == 404)
        let much = [UInt8](repeating: 1, count: 3 << 20)
        let filled = try surfaces.send(.put, "/v1/paths/much", as: recipient.owner, much + bytes.prefix(1 << 19))
        #expect(filled.status == 201)
        #expect(try accept(#"{"name":"a"}"#).member("code") == "quota_exceeded")
        #expect(try send(.get, "/v1/items/a", as: recipient).status == 404)
        #expect(try send(.get, "/v1/paths/gift/large", as: sender).body == bytes)
        region.clock.advance(by: .seconds(8 * 86_400))
        #expect(try region.store.read { db in try TransferTable.load(offer.id, db) } != nil)
        #expect(throws: APIError.self) {
            try Transfers(items: items).accept(offer.id, TransferAcceptance(), by: recipient.owner)
        }
        try region.collector().collect()
        #expect(try region.store.read { db in try TransferTable.load(offer.id, db) } == nil)
    }

    private var items: Items {
        let known = KnownAnswers(region.store.stamps, time: region.clock.source)
        return Items(store: region.store, content: region.content, feed: region.feed, known: known)
    }

    @Test func `either of the two may end an offer`() throws {
        let gift = try sender.make("gift")
        for device in [sender, recipient] {
            let offer = try offer(gift)
            #expect(try send(.delete, "/v1/transfers/\(offer.id)", as: guest).status == 404)
            #expect(try send(.delete, "/v1/transfers/\(offer.id)", as: device).status == 204)
            #expect(try send(.post, "/v1/transfers/\(offer.id)/accept", as: recipient, "{}").status == 404)
        }
        let (first, second) = (try offer(gift), try offer(gift))
        #expect(try send(.post, "/v1/transfers/\(first.id)/accept", as: recipient, "{}").status == 404)
        #expect(try send(.post, "/v1/transfers/\(second.id)/accept", as: recipient, "{}").status == 201)
    }
}
