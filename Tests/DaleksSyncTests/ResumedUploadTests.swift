import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles
@testable import DaleksSync

/// A daemon ends while the region has its upload and it has no answer yet. The next one goes on.
@Suite struct ResumedUploadTests {
    let storage: RegionStorage
    let owner = UserID.random(at: .zero)

    init() throws { storage = try RegionStorage() }

    private static let large: [UInt8] = {
        var random = SeededGenerator(seed: 11)
        return random.bytes(count: (2 << 20) + 500)
    }()

    private func machine(
        folder: ScratchFolder = ScratchFolder(),
        isConnected: Bool = true
    ) throws -> Machine {
        try Machine(storage, owner: owner, folder: folder, isConnected: isConnected)
    }

    /// When the file is cut: by the daemon that sent it, or by the next one.
    enum Cutter: CaseIterable { case first, second }

    @Test(arguments: Cutter.allCases, [true, false])
    func `a file that was cut and grows again has zeros there, whenever the answer to its upload comes`(
        cutter: Cutter,
        isKilled: Bool
    ) throws {
        let before = try machine()
        _ = try before.list()
        try before.write([1], to: "file")
        try before.drain()
        before.region.loseAnswers(.max)
        try before.write(Self.large, to: "file")
        let node = try before.lookup("file")
        #expect(
            try eventually {
                try storage.store.node(node.id, for: owner).attributes.size == Int64(Self.large.count)
            }
        )
        if cutter == .first { try cut(before) }
        let folder: ScratchFolder
        if isKilled {
            folder = try StateCopy(of: before).folder
            before.stop()
        } else {
            before.stop()
            folder = before.folder
        }

        let after = try machine(folder: folder, isConnected: false)
        defer { after.stop() }
        if cutter == .second { try cut(after) }
        let grown = (1 << 20) + 700_000
        let inode = try after.lookup("file").inode
        _ = try after.doing { tree throws(Obstacle) in try tree.truncate(inode, to: Int64(grown)) }
        let expected = Self.large[..<10] + [UInt8](repeating: 0, count: grown - 10)
        #expect(try after.read("file") == Array(expected), "before the answer")
        after.region.setUp(true)
        try after.drain()

        #expect(try after.read("file") == Array(expected), "after the answer")
        let elsewhere = try machine()
        defer { elsewhere.stop() }
        #expect(try elsewhere.read("file") == Array(expected), "elsewhere")
    }

    private func cut(_ machine: Machine) throws {
        let inode = try machine.lookup("file").inode
        _ = try machine.doing { tree throws(Obstacle) in try tree.truncate(inode, to: 10) }
    }
}
