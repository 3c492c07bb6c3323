import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// A device may lose any answer, and send anything twice.
@Suite(.bothDatabases) struct IdempotenceTests {
    let region: TestRegion
    let device: TestDevice

    init() throws {
        region = try TestRegion()
        device = try TestDevice(region)
    }

    private func sequence() throws -> Revision { try region.store.tree(of: device.owner).sequence }

    @Test func `a batch whose answer was lost gets the same answer again and runs once`() throws {
        let (creation, file) = try device.creation("a")
        let batch = device.batch([
            creation, device.commit([1, 2], to: file, base: .operation(1)), try device.creation("a").0,
            device.commit([3], to: file, base: .content(77)),
        ])

        let first = try device.send(batch)
        let after = try sequence()
        let second = try device.send(batch)

        #expect(first == second)
        #expect(try sequence() == after)
        #expect(first[2].outcome.conflict == .exists && first[3].outcome.conflict == .changed)
    }

    @Test func `answers that were taken are known and what comes after runs`() throws {
        let batch = device.batch([try device.creation("a").0, try device.creation("b").0])
        _ = try device.send(batch)
        device.acknowledged = 2

        let more = MutationBatch(
            device: device.device,
            acknowledged: 2,
            operations: batch.operations + [Operation(sequence: 3, mutation: try device.creation("c").0)]
        )
        let results = try device.send(more)

        #expect(results.map(\.outcome) == [.known, .known, .done(revision: 3, content: nil)])
    }

    @Test func `a batch that overlaps the last one continues it`() throws {
        let mutations = try (0..<4).map { try device.creation("\($0)").0 }
        let first = try device.send(device.batch(Array(mutations[..<3])))

        let second = try device.send(device.batch(Array(mutations[1...]), from: 2))

        #expect(second.map(\.sequence) == [2, 3, 4])
        #expect(Array(second[..<2]) == Array(first[1...]))
        #expect(second[2].outcome == .done(revision: 4, content: nil))
    }

    @Test func `the bytes inline and the chunk put before are the same operation`() throws {
        let (creation, file) = try device.creation("a")
        let inline = device.commit([7, 8, 9], to: file, base: .operation(1))
        let first = try device.send(device.batch([creation, inline]))
        guard case .commit(var commit) = inline, case .inline(let bytes) = commit.spans[0].source else { return }
        commit.spans[0].source = .chunk(ChunkContent(bytes).digest)

        let second = try device.send(device.batch([creation, .commit(commit)]))

        #expect(first == second)
    }

    @Test(arguments: [0, 1] as [Int64])
    func `a device that says something else than before is forked, and nothing of the batch runs`(
        acknowledged: Int64
    ) throws {
        _ = try device.run([try device.creation("a").0])
        device.acknowledged = acknowledged
        _ = try device.run([try device.creation("b").0])
        let before = try sequence()

        let other = device.batch(
            [try device.creation("c").0, try device.creation("d").0, try device.creation("e").0],
            from: 1
        )
        let error = #expect(throws: APIError.self) { try device.send(other) }

        #expect(error?.code == .deviceForked && error?.status == .conflict)
        #expect(try sequence() == before)
    }

    @Test func `a device that begins in the middle is not one that we know`() throws {
        let error = #expect(throws: APIError.self) {
            try device.send(device.batch([try device.creation("a").0], from: 5))
        }
        #expect(error?.code == .deviceForked)
        #expect(try device.run(try device.creation("a").0).isDone)
    }

    @Test func `devices of one owner count apart, and so do owners with one device id`() throws {
        let second = try TestDevice(region, owner: device.owner)
        let stranger = try TestDevice(region, device: device.device)

        #expect(try device.run(try device.creation("a").0) == .done(revision: 1, content: nil))
        #expect(try second.run(try second.creation("b").0) == .done(revision: 2, content: nil))
        #expect(try stranger.run(try stranger.creation("c").0) == .done(revision: 1, content: nil))
    }

    @Test func `digests of taken answers are forgotten only far back`() throws {
        let count = Int(Limits.Files.rememberedOperationCount) + 100
        for first in stride(from: 0, to: count, by: 1_000) {
            device.acknowledged = device.last
            let mutations = try (first..<min(count, first + 1_000)).map { try device.creation("\($0)").0 }
            #expect(try device.run(mutations).allSatisfy(\.isDone))
        }
        device.acknowledged = device.last
        _ = try device.run(try device.creation("last").0)

        let kept = try region.store.read { db in
            try db.query("SELECT min(sequence), count(*) FROM operations") { (try $0.int64(0), try $0.int64(1)) }
        }
        #expect(kept[0].0 == 101 && kept[0].1 == Limits.Files.rememberedOperationCount + 1)
        let known = try device.send(device.batch([try device.creation("x").0], from: 1))
        #expect(known.map(\.outcome) == [.known])
    }

    @Test func `everything is as it was after the process comes back`() throws {
        let folder = region.folder
        let (creation, file) = try device.creation("a")
        let batch = device.batch([creation, device.commit([1, 2, 3], to: file, base: .operation(1))])
        let results = try device.send(batch)
        region.store.close()

        let again = try TestRegion(folder: folder)
        let back = try TestDevice(again, owner: device.owner, device: device.device)

        #expect(back.root == device.root)
        #expect(try back.send(batch) == results)
        #expect(try back.bytes(file, at: 2) == [1, 2, 3])
    }
}
