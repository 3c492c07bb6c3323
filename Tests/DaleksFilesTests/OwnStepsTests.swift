import DaleksAPI
import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// What a device is told of what it did itself.
@Suite struct OwnStepsTests {
    private let here = DeviceID(high: 0, low: 1)
    private let there = DeviceID(high: 0, low: 2)
    private let owner = UserID.random(at: .zero)

    private func id(_ number: UInt64) -> NodeID { NodeID(high: 1, low: number) }

    private func step(_ sequence: Revision, _ device: DeviceID?, _ nodes: UInt64...) throws -> Change {
        Change(
            sequence: sequence,
            device: device,
            operation: device.map { _ in sequence },
            nodes: nodes.map { record($0, sequence) },
            entries: [Change.Entry(parent: id(1), name: try Name("\(sequence)"), node: id(9))]
        )
    }

    private func record(_ number: UInt64, _ revision: Revision) -> NodeRecord {
        let attributes = Attributes(
            kind: .file,
            mode: 0o644,
            uid: 0,
            gid: 0,
            accessed: .zero,
            modified: .zero,
            changed: .zero,
            size: 0,
            links: 1
        )
        return NodeRecord(id: id(number), attributes: attributes, revision: revision, content: 0, owner: owner)
    }

    private func touch(_ number: UInt64, _ revision: Revision) -> Change.Touch {
        Change.Touch(node: id(number), revision: revision)
    }

    @Test func `a run of steps is one, and others' steps stand between`() throws {
        let changes = [
            try step(1, here, 1, 2), try step(2, here, 1, 3), try step(3, there, 1), try step(4, here, 1, 2),
            try step(5, nil, 2),
        ]
        let told = Change.inShort(changes, for: here)

        #expect(told.map(\.sequence) == [2, 3, 4, 5])
        #expect(told[0].touched == [touch(1, 2), touch(2, 1), touch(3, 2)])
        #expect(told[0].device == here && told[0].operation == 2)
        #expect(told[0].nodes.isEmpty && told[0].entries.isEmpty)
        #expect(told[1] == changes[2] && told[3] == changes[4])
        #expect(told[2].touched == [touch(1, 4), touch(2, 4)])
    }

    @Test func `a step that brings something of somebody else's is told whole`() throws {
        var step = try self.step(2, here, 1)
        step.shares = [Change.Share(node: id(5), owner: .random(at: .zero), rights: .all, expires: nil)]
        let changes = [try self.step(1, here, 1), step, try self.step(3, here, 1)]

        #expect(Change.inShort(changes, for: here).map(\.touched.count) == [1, 0, 1])
        #expect(Change.inShort(changes, for: here)[1] == step)
        #expect(Change.inShort(changes, for: there) == changes)
    }
}
