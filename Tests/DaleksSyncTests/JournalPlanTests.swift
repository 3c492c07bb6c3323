import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksJSON
import DaleksSystem
import Testing

@testable import DaleksSync

/// The sentences of the promise "the region is always a state that a power cut could have left", one by one.
@Suite struct JournalPlanTests {
    private let folder = Inode(rawValue: 10)
    private let other = Inode(rawValue: 11)

    private func row(
        _ place: Int64,
        _ kind: JournalTable.Kind,
        _ node: UInt64,
        parent: Inode? = nil,
        otherParent: Inode? = nil,
        replaced: UInt64? = nil,
        barrier: Inode? = nil,
        _ mutation: Mutation? = nil
    ) -> JournalTable.Row {
        JournalTable.Row(
            place: place,
            kind: kind,
            subjects: JournalTable.Subjects(
                node: Inode(rawValue: node),
                parent: parent,
                otherParent: otherParent,
                replaced: replaced.map(Inode.init(rawValue:))
            ),
            body: kind == .metadata ? Operation(sequence: 1, mutation: mutation ?? Self.touched).jsonBytes : nil,
            barrier: barrier
        )
    }

    private static let (now, id) = (Timestamp(nanoseconds: 1), NodeID.random(at: Timestamp(nanoseconds: 1)))
    private static let touched = Mutation.attributes(Mutation.AttributeChange(node: id, time: now))

    private static func name(_ text: String) throws -> Name { try Name(Array(text.utf8)) }

    private func create(_ place: Int64, _ node: UInt64, _ name: String, in folder: Inode) throws -> JournalTable.Row {
        let creation = Mutation.Creation(
            parent: Self.id,
            name: try Self.name(name),
            node: Self.id,
            kind: .file,
            mode: 0,
            uid: 0,
            gid: 0,
            time: Self.now
        )
        return row(place, .metadata, node, parent: folder, .create(creation))
    }

    private func remove(_ place: Int64, _ node: UInt64, _ name: String, in folder: Inode) throws -> JournalTable.Row {
        let mutation = Mutation.remove(parent: Self.id, name: try Self.name(name), node: Self.id, time: Self.now)
        return row(place, .metadata, node, parent: folder, mutation)
    }

    private func rename(
        _ place: Int64,
        _ node: UInt64,
        _ name: String,
        in folder: Inode,
        to newName: String,
        in newFolder: Inode,
        replaced: UInt64? = nil
    ) throws -> JournalTable.Row {
        let rename = Mutation.Rename(
            parent: Self.id,
            name: try Self.name(name),
            node: Self.id,
            toParent: Self.id,
            toName: try Self.name(newName),
            replaces: nil,
            isExchange: false,
            time: Self.now
        )
        return row(
            place,
            .metadata,
            node,
            parent: folder,
            otherParent: newFolder,
            replaced: replaced,
            .rename(rename)
        )
    }

    /// What happens to each row when commits of the nodes in `uploading` have content that is still on its way.
    private func verdicts(
        _ rows: [JournalTable.Row],
        uploading: Set<UInt64>,
        setAside: Set<Int64> = [],
        folders: [UInt64: Inode] = [:],
        areFolders: Set<UInt64> = []
    ) throws -> [JournalPlan.Verdict] {
        var plan = JournalPlan(setAside: setAside)
        let questions = JournalPlan.Questions<any Error>(
            folders: { folders[$0.rawValue].map { [$0] } ?? [] },
            isFolder: { areFolders.contains($0.rawValue) },
            mutation: { try Journaling.operation(of: $0).mutation }
        )
        return try rows.map { row in
            let verdict = try plan.judge(row, isPrepared: row.body != nil, questions)
            if verdict == .prepare, uploading.contains(row.subjects.node.rawValue) { plan.hold(row) }
            return verdict
        }
    }

    @Test func `a rename never overtakes the content of what it renames`() throws {
        let rows = [
            row(1, .metadata, 1, parent: folder), row(2, .commit, 1),
            row(3, .metadata, 1, parent: folder, otherParent: folder, replaced: 2),
        ]

        #expect(try verdicts(rows, uploading: [1]) == [.send, .prepare, .wait])
        #expect(try verdicts(rows, uploading: []) == [.send, .prepare, .send])
    }

    @Test func `what was replaced waits with what replaces it`() throws {
        let rows = [
            row(1, .commit, 1), row(2, .metadata, 1, parent: folder, otherParent: folder, replaced: 2),
            row(3, .metadata, 2),
        ]

        #expect(try verdicts(rows, uploading: [1]) == [.prepare, .wait, .wait])
    }

    @Test func `a huge upload does not hold back unrelated files`() throws {
        let rows = [row(1, .commit, 1), row(2, .metadata, 2, parent: folder), row(3, .commit, 2)]

        #expect(try verdicts(rows, uploading: [1], folders: [1: folder]) == [.prepare, .send, .prepare])
    }

    @Test func `nothing done after an fsync in the folder is seen before its content`() throws {
        let rows = [
            row(1, .commit, 1, barrier: folder), row(2, .metadata, 2, parent: folder), row(3, .commit, 2),
            row(4, .commit, 3), row(5, .metadata, 3), row(6, .metadata, 4, parent: other), row(7, .commit, 4),
            row(8, .metadata, 5, parent: other, otherParent: folder),
        ]
        let folders: [UInt64: Inode] = [1: folder, 2: folder, 3: folder, 4: other, 5: folder]

        #expect(
            try verdicts(rows, uploading: [1], folders: folders)
                == [.prepare, .wait, .wait, .wait, .wait, .send, .prepare, .wait]
        )
    }

    @Test func `files that were never made safe hold nobody back`() throws {
        let rows = [row(1, .commit, 1), row(2, .metadata, 2, parent: folder), row(3, .commit, 3)]

        #expect(try verdicts(rows, uploading: [1], folders: [1: folder, 3: folder]) == [.prepare, .send, .prepare])
    }

    @Test func `nothing overtakes the making of its folder`() throws {
        let rows = [
            row(1, .metadata, 10, parent: other), row(2, .metadata, 1, parent: folder), row(3, .commit, 1),
            row(4, .metadata, 2, parent: other),
        ]

        #expect(try verdicts(rows, uploading: [], setAside: [1]) == [.wait, .wait, .wait, .send])
    }

    @Test func `of one file one content is on its way at a time`() throws {
        let rows = [row(1, .commit, 1), row(2, .commit, 1), row(3, .metadata, 1)]

        #expect(try verdicts(rows, uploading: []) == [.prepare, .wait, .wait])
    }

    @Test func `a name is taken only once it was left`() throws {
        let left = [
            try rename(2, 1, "a", in: folder, to: "b", in: other), try remove(2, 1, "a", in: folder),
        ]
        for leaving in left {
            let rows = [
                row(1, .commit, 1), leaving, try create(3, 2, "a", in: folder), row(4, .commit, 2),
                try create(5, 3, "c", in: folder), try rename(6, 4, "d", in: folder, to: "a", in: folder),
            ]

            #expect(try verdicts(rows, uploading: [1]) == [.prepare, .wait, .wait, .wait, .send, .wait])
            #expect(try verdicts(rows, uploading: []) == [.prepare, .send, .send, .prepare, .send, .send])
        }
    }

    @Test func `what is to come to a name is there before that is changed`() throws {
        let rows = [
            row(1, .commit, 1), try rename(2, 1, "a", in: folder, to: "b", in: folder),
            try rename(3, 2, "c", in: folder, to: "a", in: folder), try remove(4, 2, "a", in: folder),
            try create(5, 3, "c", in: folder), try create(6, 4, "a", in: other),
        ]

        #expect(try verdicts(rows, uploading: [1]) == [.prepare, .wait, .wait, .wait, .wait, .send])
    }

    @Test func `a folder goes after what was in it`() throws {
        for leaving in [
            try remove(2, 1, "a", in: folder), try rename(2, 1, "a", in: folder, to: "a", in: other),
        ] {
            let rows = [
                row(1, .commit, 1), leaving, row(3, .metadata, folder.rawValue),
                try remove(4, folder.rawValue, "folder", in: .root),
            ]
            let over = [
                row(1, .commit, 1), leaving,
                try rename(3, 3, "x", in: .root, to: "folder", in: .root, replaced: folder.rawValue),
            ]

            #expect(try verdicts(rows, uploading: [1]) == [.prepare, .wait, .send, .wait])
            #expect(try verdicts(over, uploading: [1]) == [.prepare, .wait, .wait])
        }
    }

    @Test func `folders are moved in their order, files are not`() throws {
        let rows = [
            try rename(1, 20, "a", in: folder, to: "a", in: other),
            try rename(2, 10, "folder", in: .root, to: "folder", in: Inode(rawValue: 21)),
            try rename(3, 1, "file", in: .root, to: "file", in: Inode(rawValue: 21)),
        ]

        #expect(try verdicts(rows, uploading: [], setAside: [1], areFolders: [10, 20]) == [.wait, .wait, .send])
    }
}
