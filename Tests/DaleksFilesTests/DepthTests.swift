import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// How deep folders may lie in each other: whatever walks up or down a tree has an end.
@Suite(.bothDatabases) struct DepthTests {
    let region: TestRegion
    let device: TestDevice

    init() throws {
        region = try TestRegion()
        device = try TestDevice(region)
    }

    /// Folders in each other, the outermost first; those that were made.
    private func chain(_ count: Int, in top: NodeID) throws -> [NodeID] {
        var made: [NodeID] = []
        var parent = top
        while made.count < count {
            let round = min(count - made.count, Limits.Wire.batchOperationCountMax)
            var mutations: [Mutation] = []
            for _ in 0..<round {
                let (creation, id) = try device.creation("d", .folder, in: parent)
                mutations.append(creation)
                made.append(id)
                parent = id
            }
            let outcomes = try device.run(mutations)
            guard let failed = outcomes.firstIndex(where: { !$0.isDone }) else { continue }
            #expect(outcomes[failed].deniedCode == "too_deep")
            return Array(made.prefix(made.count - round + failed))
        }
        return made
    }

    private func move(_ node: NodeID, _ text: String, from parent: NodeID, to target: NodeID) -> Mutation {
        .rename(
            .init(
                parent: parent,
                name: name(text),
                node: node,
                toParent: target,
                toName: name(text),
                replaces: nil,
                isExchange: false,
                time: moment
            )
        )
    }

    @Test func `folders lie in each other as deep as the limit, and what is that deep is read, copied and restored`()
        throws
    {
        let deep = try chain(Limits.Files.pathDepthMax + 5, in: device.root)
        #expect(deep.count == Limits.Files.pathDepthMax)
        let file = try device.make("f", in: deep[deep.count - 1])
        #expect(try device.node(file).attributes.kind == .file)

        // As a worker does it, whose stack is small.
        let failure = Lock<(any Error)?>(nil)
        let done = Gate()
        let (region, owner, top) = (region, device.owner, deep[0])
        _ = Thread(name: "worker", stackBytes: 1 << 20) {
            do {
                let copy = CopyRequest(toParent: try region.store.tree(of: owner).root, name: name("copy"))
                _ = try region.store.copy(top, to: copy, by: owner)
                _ = try region.store.discard(top, HTTPFields(), by: owner)
                _ = try region.store.restoreTrash(top, TrashRestoreRequest(), of: owner)
            } catch { failure.withLock { $0 = error } }
            done.open()
        }
        done.wait()
        failure.withLock { #expect($0 == nil) }
        #expect(try device.node(file).attributes.links == 1)
    }

    @Test func `nothing comes to lie deeper by a move, a copy or out of the trash`() throws {
        let half = Limits.Files.pathDepthMax / 2
        let one = try device.make("one", .folder)
        let (first, two) = (try chain(half, in: one), try device.make("two", .folder))
        let second = try chain(half, in: two)
        let (end, last) = (first[half - 1], second[half - 1])

        #expect(try device.run(move(two, "two", from: device.root, to: end)).deniedCode == "too_deep")
        let exchange = Mutation.Rename(
            parent: device.root,
            name: name("two"),
            node: two,
            toParent: first[half - 2],
            toName: name("d"),
            replaces: end,
            isExchange: true,
            time: moment
        )
        #expect(try device.run(.rename(exchange)).deniedCode == "too_deep")
        #expect(throws: APIError.self) {
            try region.store.copy(two, to: CopyRequest(toParent: end, name: name("copy")), by: device.owner)
        }
        _ = try region.store.discard(two, HTTPFields(), by: device.owner)
        let into = TrashRestoreRequest(toParent: end)
        #expect(throws: APIError.self) { try region.store.restoreTrash(two, into, of: device.owner) }
        _ = try region.store.restoreTrash(two, TrashRestoreRequest(), of: device.owner)

        // What one batch made counts for its next move, before any of it is written.
        let (creation, fresh) = try device.creation("fresh", .folder)
        let (below, inner) = try device.creation("inner", .folder, in: fresh)
        let outcomes = try device.run([
            creation, below, move(first[0], "d", from: one, to: inner),
            move(fresh, "fresh", from: device.root, to: last),
        ])
        #expect(outcomes.prefix(3).allSatisfy(\.isDone) && outcomes[3].deniedCode == "too_deep")
        // Sideways and upwards is always open.
        #expect(try device.run(move(first[0], "d", from: inner, to: device.root)).isDone)
        #expect(try device.node(end).attributes.kind == .folder)
    }
}
