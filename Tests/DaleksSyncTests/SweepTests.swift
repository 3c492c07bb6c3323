import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksSync

/// What nobody can reach any more is let go of at a start.
@Suite struct SweepTests {
    private let folderCount = 300

    @Test(.timeLimit(.minutes(1)))
    func `nodes that nobody can reach go, however many of them the journal still wants`() throws {
        let machine = try Machine(RegionStorage(), owner: UserID.random(at: .zero))
        defer { machine.stop() }
        _ = try machine.list()
        let file = try machine.make("file")
        try machine.drain()
        machine.region.setUp(false)
        let (wanted, unwanted) = try machine.engine.database.writing { db throws -> ([Inode], [Inode]) in
            var inodes: [Inode] = []
            for number in 0..<2 * folderCount {
                var folder = try #require(try NodeTable.find(.root, in: db))
                folder.inode = Inode(rawValue: 0)
                folder.id = .random(at: Timestamp(seconds: Int64(number)))
                folder.inode = try NodeTable.insert(folder, in: db)
                inodes.append(folder.inode)
            }
            let (wanted, unwanted) = (inodes.prefix(folderCount), inodes.suffix(folderCount))
            for folder in wanted {
                let change = Mutation.AttributeChange(node: file.id, mode: 0o600, time: file.attributes.changed)
                let subjects = JournalTable.Subjects(node: file.inode, parent: folder)
                try Journaling.append(.attributes(change), subjects, db)
            }
            return (Array(wanted), Array(unwanted))
        }

        let isOver = Gate()
        let tree = machine.engine.tree
        let sweeper = Thread(name: "sweep") {
            try? tree.sweep()
            isOver.open()
        }
        try #require(isOver.wait(timeout: .seconds(20)), "it goes round and round")
        sweeper.join()

        let left = try machine.engine.database.reading { db throws in try NodeTable.unreachable(limit: 9_999, in: db) }
        #expect(left == wanted)
        #expect(Set(left).isDisjoint(with: unwanted))
    }
}
