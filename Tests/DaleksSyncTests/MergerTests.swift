import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksSync

/// News that comes while a listing is ahead of the feed, or behind it.
@Suite struct MergerTests {
    private let folder = ScratchFolder()
    private let database: Database
    private let owner = UserID.random(at: .zero)

    init() throws { database = try ReplicaDatabase.open(at: folder.path("replica.db"), logger: .silent) }

    private func id(_ number: UInt64) -> NodeID { NodeID(high: 1, low: number) }

    private func attributes(links: UInt32) -> Attributes {
        Attributes(
            kind: .folder,
            mode: 0o755,
            uid: 0,
            gid: 0,
            accessed: .zero,
            modified: .zero,
            changed: .zero,
            size: 0,
            links: links
        )
    }

    /// A folder that was listed when the region was that far.
    private func add(
        _ number: UInt64,
        as name: String?,
        in parent: Inode = .root,
        links: UInt32 = 2,
        listed: Revision,
        isStale: Bool = false
    ) throws -> Inode {
        try database.write { db throws in
            let node = LocalNode(
                inode: name == nil ? .root : Inode(rawValue: 0),
                id: id(number),
                attributes: attributes(links: links),
                revision: 1,
                isComplete: true,
                listed: listed,
                isStale: isStale
            )
            let inode = try NodeTable.insert(node, in: db)
            if let name { try EntryTable.insert(try Name(name), in: parent, node: inode, db) }
            return inode
        }
    }

    private func take(_ change: Change) throws {
        try database.write { db throws in
            var merger = Merger()
            try merger.merge(change, ownDevice: DeviceID(high: 0, low: 1), db)
            try merger.finish(db)
        }
    }

    private func record(_ number: UInt64, _ revision: Revision, links: UInt32) -> NodeRecord {
        NodeRecord(
            id: id(number),
            attributes: attributes(links: links),
            revision: revision,
            content: 0,
            owner: owner
        )
    }

    private func node(_ inode: Inode) throws -> LocalNode {
        try #require(try database.read { db throws in try NodeTable.find(inode, in: db) })
    }

    @Test func `a folder that stays in one for its unsent work is looked for where it is by now`() throws {
        // The region has moved it at 42, and the listing of the root could not take its name away.
        _ = try add(1, as: nil, listed: 42, isStale: true)
        _ = try add(2, as: "moved", listed: 9)
        let home = try add(3, as: "home", listed: 9)

        try take(
            Change(
                sequence: 42,
                device: DeviceID(high: 0, low: 2),
                operation: 1,
                nodes: [record(2, 42, links: 2)],
                entries: [
                    Change.Entry(parent: id(3), name: try Name("moved"), node: id(2)),
                    Change.Entry(parent: id(1), name: try Name("moved"), node: nil),
                ]
            )
        )

        #expect(try node(home).isStale)
    }

    @Test func `a folder in which others and we did something is counted anew once ours is settled`() throws {
        _ = try add(1, as: nil, listed: 40)
        // The listing brought another folder in it before the feed told how many there are; that one is removed here.
        let shared = try add(2, as: "shared", links: 1, listed: 40)
        try database.write { db throws in
            let removal = Mutation.remove(parent: id(2), name: try Name("other"), node: id(3), time: .zero)
            let subjects = JournalTable.Subjects(node: Inode(rawValue: 99), parent: shared)
            try Journaling.append(removal, subjects, db)
        }

        let change = Change(
            sequence: 33,
            device: DeviceID(high: 0, low: 2),
            operation: 1,
            nodes: [record(2, 33, links: 3)],
            entries: [Change.Entry(parent: id(2), name: try Name("other"), node: id(3))]
        )
        try take(change)
        #expect(try node(shared).isStale)

        try database.write { db throws in
            for row in try JournalTable.rows(in: shared, in: db) { try JournalTable.delete(place: row.place, in: db) }
            var merger = Merger()
            _ = try merger.merge(record(2, 41, links: 2), .answer, db)
        }
        #expect(try node(shared).attributes.links == 2)
    }

    /// What steps of ours did to a node, told in short.
    private func touch(_ number: UInt64, _ revision: Revision, by device: UInt64 = 1) -> Change {
        Change(
            sequence: revision,
            device: DeviceID(high: 0, low: device),
            operation: 1,
            nodes: [],
            entries: [],
            touched: [Change.Touch(node: id(number), revision: revision)]
        )
    }

    private func answer(_ inode: Inode, _ revision: Revision) throws {
        try database.write { db throws in try NodeTable.raiseAnswered(inode, to: revision, in: db) }
    }

    @Test func `a step of ours that was answered is only counted in`() throws {
        _ = try add(1, as: nil, listed: 9)
        let folder = try add(2, as: "folder", listed: 9)
        try answer(folder, 40)

        try take(touch(2, 40))
        #expect(try node(folder).revision == 40 && !node(folder).isStale)
        // It comes again, as after a daemon's death, or a listing knows less.
        try take(touch(2, 40))
        try database.write { db throws in
            var merger = Merger()
            _ = try merger.merge(record(2, 38, links: 5), .answer, db)
        }
        #expect(try node(folder).attributes.links == 2 && !node(folder).isStale)
    }

    @Test func `of what a step of ours did without an answer the region is asked`() throws {
        _ = try add(1, as: nil, listed: 9)
        let folder = try add(2, as: "folder", listed: 9)
        try answer(folder, 40)

        try take(touch(2, 44))
        #expect(try node(folder).isStale && node(folder).revision == 44)
        try database.write { db throws in
            var merger = Merger()
            _ = try merger.merge(record(2, 44, links: 3), .answer, db)
        }
        #expect(try node(folder).attributes.links == 3)
    }

    @Test func `a step of ours before the last that was answered says nothing`() throws {
        _ = try add(1, as: nil, listed: 9)
        let folder = try add(2, as: "folder", listed: 9)
        try answer(folder, 40)

        try take(touch(2, 30))
        #expect(try node(folder).revision == 1 && !node(folder).isStale)
    }

    @Test func `while something of ours is pending, a step of ours is counted in`() throws {
        _ = try add(1, as: nil, listed: 9)
        let folder = try add(2, as: "folder", listed: 9)
        try database.write { db throws in
            let removal = Mutation.remove(parent: id(2), name: try Name("other"), node: id(3), time: .zero)
            let subjects = JournalTable.Subjects(node: Inode(rawValue: 99), parent: folder)
            try Journaling.append(removal, subjects, db)
        }

        try take(touch(2, 44))
        #expect(try node(folder).revision == 44 && !node(folder).isStale)
    }

    @Test func `what another did under the id that was ours is asked for`() throws {
        _ = try add(1, as: nil, listed: 9)
        let folder = try add(2, as: "folder", listed: 9)

        try take(touch(2, 44, by: 7))
        #expect(try node(folder).isStale)
    }
}
