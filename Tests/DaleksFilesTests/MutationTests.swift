import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// Each operation, when it fits and in each way in which it does not.
@Suite(.bothDatabases) struct MutationTests {
    let region: TestRegion
    let device: TestDevice

    init() throws {
        region = try TestRegion()
        device = try TestDevice(region)
    }

    // MARK: create

    @Test(arguments: NodeKind.allCases)
    func `a created node has what it was created with`(kind: NodeKind) throws {
        let (mutation, id) = try device.creation("a", kind)

        let outcome = try device.run(mutation)

        #expect(outcome == .done(revision: 1, content: nil))
        let node = try device.node(id)
        #expect(node.attributes.kind == kind)
        #expect(node.attributes.mode == 0o644)
        #expect(node.attributes.links == (kind == .folder ? 2 : 1))
        #expect(node.attributes.size == (kind == .symlink ? 6 : 0))
        #expect(node.target == (kind == .symlink ? Array("target".utf8) : nil))
        #expect(node.revision == 1 && node.content == 0 && node.owner == device.owner)
        for time in [node.attributes.accessed, node.attributes.modified, node.attributes.changed] {
            #expect(time.nanoseconds == 1_000)
        }
        let root = try device.node(device.root)
        #expect(root.attributes.modified.nanoseconds == 1_000 && root.attributes.changed.nanoseconds == 1_000)
        #expect(root.revision == 1)
        #expect(root.attributes.links == (kind == .folder ? 3 : 2))
    }

    @Test func `a name that is taken is a conflict that shows who has it`() throws {
        let first = try device.make("a")

        let outcome = try device.run(try device.creation("a").0)

        #expect(outcome.conflict == .exists && outcome.currentNode == first)
    }

    @Test func `an id that is taken is a conflict`() throws {
        let first = try device.make("a")

        let outcome = try device.run(try device.creation("b", id: first).0)

        #expect(outcome.conflict == .exists && outcome.currentNode == first)
    }

    @Test func `an id that another owner has is a conflict that shows nothing`() throws {
        let other = try TestDevice(region)
        let theirs = try other.make("a")

        let outcome = try device.run(try device.creation("b", id: theirs).0)

        #expect(outcome == .conflict(.exists, current: nil))
    }

    @Test func `a folder that is not there is missing, and so is another owner's`() throws {
        let other = try TestDevice(region)

        #expect(try device.run(try device.creation("a", in: .random(at: .zero)).0).conflict == .missing)
        #expect(try device.run(try device.creation("a", in: other.root).0) == .conflict(.missing, current: nil))
    }

    @Test func `nothing is created in a file or in a folder that was removed`() throws {
        let file = try device.make("file")
        let folder = try device.make("folder", .folder)
        #expect(try device.run(.remove(parent: device.root, name: name("folder"), node: folder, time: moment)).isDone)

        let inFile = try device.run(try device.creation("a", in: file).0)
        let inFolder = try device.run(try device.creation("a", in: folder).0)

        #expect(inFile.conflict == .kind && inFile.currentNode == file)
        #expect(inFolder.conflict == .missing)
    }

    // MARK: link

    @Test func `a linked node has one name more`() throws {
        let file = try device.make("a")

        #expect(try device.run(.link(parent: device.root, name: name("b"), node: file, time: moment)).isDone)

        #expect(try device.node(file).attributes.links == 2)
        #expect(try device.node(file).attributes.changed == moment)
        #expect(try device.node(file).attributes.modified.nanoseconds == 1_000)
        #expect(try device.children(device.root).map(\.node.id) == [file, file])
    }

    @Test func `a link to a folder, to nothing, or at a taken name is a conflict`() throws {
        let folder = try device.make("folder", .folder)
        let file = try device.make("file")

        func link(_ text: String, _ node: NodeID) throws -> OperationResult.Outcome {
            try device.run(.link(parent: device.root, name: name(text), node: node, time: moment))
        }
        #expect(try link("b", folder).conflict == .kind)
        #expect(try link("b", .random(at: .zero)).conflict == .missing)
        #expect(try link("folder", file).conflict == .exists)
    }

    // MARK: remove

    @Test func `a removed name is gone and the node with its last one`() throws {
        let file = try device.make("a")
        try device.run(.link(parent: device.root, name: name("b"), node: file, time: moment))

        #expect(try device.run(.remove(parent: device.root, name: name("a"), node: file, time: moment)).isDone)
        #expect(try device.node(file).attributes.links == 1)
        #expect(try device.run(.remove(parent: device.root, name: name("b"), node: file, time: moment)).isDone)

        #expect(throws: APIError.self) { try device.node(file) }
        #expect(try device.children(device.root).isEmpty)
        #expect(try region.store.usage(of: device.owner).filesUsed == 0)
    }

    @Test func `removing what is not there, another node, or a full folder is a conflict`() throws {
        let folder = try device.make("folder", .folder)
        let inside = try device.make("inside", in: folder)

        func remove(_ text: String, _ node: NodeID) throws -> OperationResult.Outcome {
            try device.run(.remove(parent: device.root, name: name(text), node: node, time: moment))
        }
        #expect(try remove("nothing", folder) == .conflict(.missing, current: nil))
        let other = try remove("folder", inside)
        #expect(other.conflict == .missing && other.currentNode == folder)
        #expect(try remove("folder", folder).conflict == .notEmpty)
        #expect(try device.run(.remove(parent: folder, name: name("inside"), node: inside, time: moment)).isDone)
        #expect(try remove("folder", folder).isDone)
        #expect(try device.node(device.root).attributes.links == 2)
    }

    // MARK: attributes

    @Test func `attributes change as told and nothing else does`() throws {
        let file = try device.make("a")
        let before = try device.node(file).attributes

        let change = Mutation.AttributeChange(
            node: file,
            mode: 0o4755,
            accessed: Timestamp(nanoseconds: -5),
            time: moment
        )
        #expect(try device.run(.attributes(change)).isDone)

        var expected = before
        expected.mode = 0o4755
        expected.accessed = Timestamp(nanoseconds: -5)
        expected.changed = moment
        #expect(try device.node(file).attributes == expected)
        let missing = Mutation.AttributeChange(node: .random(at: .zero), time: moment)
        #expect(try device.run(.attributes(missing)).conflict == .missing)
    }

    // MARK: order and limits

    @Test func `operations of one batch build on each other`() throws {
        let (folderCreation, folder) = try device.creation("folder", .folder)
        let (fileCreation, file) = try device.creation("file", in: folder)

        let outcomes = try device.run([
            folderCreation, fileCreation,
            device.commit([1, 2, 3], to: file, base: .operation(2)),
            device.commit([4, 5], to: file, base: .operation(3)),
            .remove(parent: folder, name: name("absent"), node: file, time: moment),
            .link(parent: folder, name: name("second"), node: file, time: moment),
        ])

        #expect(outcomes.map(\.revision) == [1, 2, 3, 4, nil, 5])
        #expect(outcomes[4].conflict == .missing)
        #expect(try device.bytes(file, at: 4) == [4, 5])
        #expect(try device.bytes(file, at: 3) == [1, 2, 3])
    }

    @Test func `an operation of a newer client is denied by name and the next one runs`() throws {
        let (mutation, id) = try device.creation("a")
        let next = Operation(sequence: 2, mutation: mutation)
        let body = """
            {"device":"\(device.device)","acknowledged":0,"operations":[
            {"sequence":1,"op":"teleport","node":"\(id)"},\(String(decoding: next.jsonBytes, as: UTF8.self))]}
            """

        let results = try region.mutations.run(Array(body.utf8), of: device.owner).results

        #expect(results[0].outcome.deniedCode == "unsupported")
        #expect(results[1].outcome.isDone)
        #expect(try region.mutations.run(Array(body.utf8), of: device.owner).results == results)
    }

    @Test func `a batch with too many operations is too large, one that is no batch malformed`() throws {
        let mutation = try device.creation("a").0
        let many = device.batch(Array(repeating: mutation, count: Limits.Wire.batchOperationCountMax + 1))

        let tooMany = #expect(throws: APIError.self) { try PreparedBatch(body: many.jsonBytes) }
        let noBatch = #expect(throws: APIError.self) { try PreparedBatch(body: Array("{}".utf8)) }

        #expect(tooMany?.status == .contentTooLarge)
        #expect(noBatch?.status == .badRequest)
    }
}
