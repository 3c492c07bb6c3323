import DaleksCache
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
        barrier: Inode? = nil
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
            body: kind == .metadata ? [1] : nil,
            barrier: barrier
        )
    }

    /// What happens to each row when commits of the nodes in `uploading` have content that is still on its way.
    private func verdicts(
        _ rows: [JournalTable.Row],
        uploading: Set<UInt64>,
        setAside: Set<Int64> = [],
        folders: [UInt64: Inode] = [:]
    ) -> [JournalPlan.Verdict] {
        var plan = JournalPlan(setAside: setAside)
        return rows.map { row in
            let places: (Inode) -> [Inode] = { folders[$0.rawValue].map { [$0] } ?? [] }
            let verdict = plan.judge(row, isPrepared: row.body != nil, folders: places)
            if verdict == .prepare, uploading.contains(row.subjects.node.rawValue) { plan.hold(row) }
            return verdict
        }
    }

    @Test func `a rename never overtakes the content of what it renames`() {
        let rows = [
            row(1, .metadata, 1, parent: folder), row(2, .commit, 1),
            row(3, .metadata, 1, parent: folder, otherParent: folder, replaced: 2),
        ]

        #expect(verdicts(rows, uploading: [1]) == [.send, .prepare, .wait])
        #expect(verdicts(rows, uploading: []) == [.send, .prepare, .send])
    }

    @Test func `what was replaced waits with what replaces it`() {
        let rows = [
            row(1, .commit, 1), row(2, .metadata, 1, parent: folder, otherParent: folder, replaced: 2),
            row(3, .metadata, 2),
        ]

        #expect(verdicts(rows, uploading: [1]) == [.prepare, .wait, .wait])
    }

    @Test func `a huge upload does not hold back unrelated files`() {
        let rows = [row(1, .commit, 1), row(2, .metadata, 2, parent: folder), row(3, .commit, 2)]

        #expect(verdicts(rows, uploading: [1], folders: [1: folder]) == [.prepare, .send, .prepare])
    }

    @Test func `nothing done after an fsync in the folder is seen before its content`() {
        let rows = [
            row(1, .commit, 1, barrier: folder), row(2, .metadata, 2, parent: folder), row(3, .commit, 2),
            row(4, .commit, 3), row(5, .metadata, 3), row(6, .metadata, 4, parent: other), row(7, .commit, 4),
            row(8, .metadata, 5, parent: other, otherParent: folder),
        ]
        let folders: [UInt64: Inode] = [1: folder, 2: folder, 3: folder, 4: other, 5: folder]

        #expect(
            verdicts(rows, uploading: [1], folders: folders)
                == [.prepare, .wait, .wait, .wait, .wait, .send, .prepare, .wait]
        )
    }

    @Test func `files that were never made safe hold nobody back`() {
        let rows = [row(1, .commit, 1), row(2, .metadata, 2, parent: folder), row(3, .commit, 3)]

        #expect(verdicts(rows, uploading: [1], folders: [1: folder, 3: folder]) == [.prepare, .send, .prepare])
    }

    @Test func `nothing overtakes the making of its folder`() {
        let rows = [
            row(1, .metadata, 10, parent: other), row(2, .metadata, 1, parent: folder), row(3, .commit, 1),
            row(4, .metadata, 2, parent: other),
        ]

        #expect(verdicts(rows, uploading: [], setAside: [1]) == [.wait, .wait, .wait, .send])
    }

    @Test func `of one file one content is on its way at a time`() {
        let rows = [row(1, .commit, 1), row(2, .commit, 1), row(3, .metadata, 1)]

        #expect(verdicts(rows, uploading: []) == [.prepare, .wait, .wait])
    }
}
