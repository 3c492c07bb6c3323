import DaleksCore
import DaleksJSON
import Testing

@testable import DaleksAPI

struct SharingCodingTests {
    private let node: NodeID = NodeID(high: 1, low: 2)
    private let user: UserID = UserID(high: 3, low: 4)
    private let time = Timestamp(nanoseconds: 5_000_000_006)

    private func roundTrip<Value: JSONEncodable & JSONDecodable & Equatable>(_ value: Value) throws {
        let bytes = value.jsonBytes
        #expect(try Value(json: try JSONValue.parse(bytes)) == value, "\(String(decoding: bytes, as: UTF8.self))")
    }

    private var record: NodeRecord {
        var record = NodeRecord(
            id: node,
            attributes: Attributes(
                kind: .file,
                mode: 0o644,
                uid: 1,
                gid: 2,
                accessed: time,
                modified: time,
                changed: time,
                size: 9,
                links: 1
            ),
            revision: 7,
            content: 6,
            owner: user
        )
        record.creator = UserID(high: 8, low: 9)
        record.visibility = .shared
        record.rights = [.read, .update]
        return record
    }

    @Test
    func `what sharing says reads back as it was written`() throws {
        let grant = Grant(node: node, user: user, rights: [.read, .share], grantor: user, granted: time, expires: time)
        try roundTrip(grant)
        try roundTrip(GrantRequest(rights: .all, expires: nil))
        try roundTrip(VisibilityRequest(isPublic: true))
        try roundTrip(record)
        let reason = AccessRecord.Reason(rights: [.read], node: node, name: nil, grantor: nil, expires: nil)
        try roundTrip(
            AccessRecord(
                owner: user,
                isOwner: false,
                rights: [.read],
                visibility: .public,
                reasons: [reason],
                why: ["x"]
            )
        )
        let name = try Name([0xff, 0x41])
        let item = SharedItem(node: record, name: name, grantor: user, granted: time, expires: nil, cursor: "1.2")
        try roundTrip(SharedWithMe(items: [item], next: node, cursor: "1.3"))
        try roundTrip(SharedByMe(items: [.init(node: record, path: "/a", grants: [grant])], next: nil))
    }

    @Test
    func `a change with shares and the answer for several trees read back`() throws {
        let gone = Change.Share(node: node, owner: user, rights: nil, expires: nil)
        let here = Change.Share(node: node, owner: user, rights: [.read], expires: time)
        let change = Change(
            sequence: 3,
            device: nil,
            operation: nil,
            nodes: [record],
            entries: [],
            shares: [gone, here]
        )
        try roundTrip(change)
        try roundTrip(FollowRequest([.init(owner: user, cursor: "1.2")], waitSeconds: 5))
        let page = ChangesPage(changes: [change], cursor: "1.3")
        try roundTrip(
            FollowAnswer([
                .init(owner: user, outcome: .changes(page)), .init(owner: user, outcome: .cursorExpired),
                .init(owner: user, outcome: .notFound),
            ])
        )
    }

    @Test
    func `versions and trash read back`() throws {
        let version = VersionRecord(
            content: 4,
            size: 10,
            modified: time,
            superseded: time,
            author: user,
            label: "draft",
            isPinned: true
        )
        try roundTrip(VersionList([version]))
        try roundTrip(VersionChange(label: "", isPinned: false))
        let item = TrashItem(
            node: record,
            name: try Name("a"),
            parent: node,
            removed: time,
            remover: nil,
            expires: time
        )
        try roundTrip(TrashPage(items: [item], next: node))
        try roundTrip(TrashRestoreRequest(toParent: node, toName: try Name("b"), onConflict: .rename))
        try roundTrip(TrashRestoreRequest())
    }

    @Test(arguments: [
        #"{"rights":[]}"#, #"{"rights":["own"]}"#, #"{"rights":"read"}"#,
        #"{"rights":["read","read","read","read","read","read"]}"#,
    ])
    func `a grant of what is no right is refused`(text: String) throws {
        #expect(throws: JSONError.self) { _ = try GrantRequest(json: try JSONValue.parse(Array(text.utf8))) }
    }
}
