import DaleksAPI
import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// Moving, replacing, exchanging, and every way in which that does not fit.
@Suite(.bothDatabases) struct RenameTests {
    let device: TestDevice
    let left: NodeID
    let right: NodeID

    init() throws {
        device = try TestDevice(try TestRegion())
        left = try device.make("left", .folder)
        right = try device.make("right", .folder)
    }

    private func rename(
        _ node: NodeID,
        _ from: (NodeID, String),
        _ to: (NodeID, String),
        replaces: NodeID? = nil,
        isExchange: Bool = false
    ) throws -> OperationResult.Outcome {
        try device.run(
            .rename(
                Mutation.Rename(
                    parent: from.0,
                    name: name(from.1),
                    node: node,
                    toParent: to.0,
                    toName: name(to.1),
                    replaces: replaces,
                    isExchange: isExchange,
                    time: moment
                )
            )
        )
    }

    private func names(_ folder: NodeID) throws -> [String] { try device.children(folder).map { "\($0.name)" } }
    private func links(_ node: NodeID) throws -> UInt32 { try device.node(node).attributes.links }

    @Test func `a moved folder is counted where it is`() throws {
        let inner = try device.make("inner", .folder, in: left)

        #expect(try rename(inner, (left, "inner"), (right, "moved")).isDone)

        #expect(try names(left) == [] && names(right) == ["moved"])
        #expect(try links(left) == 2)
        #expect(try links(right) == 3)
        #expect(try device.node(inner).attributes.changed == moment)
        #expect(try device.node(inner).attributes.modified.nanoseconds == 1_000)
        #expect(try device.node(left).attributes.modified == moment)
        #expect(try device.node(right).attributes.modified == moment)
    }

    @Test func `a file replaces a file that the device named`() throws {
        let new = try device.make("new", in: left)
        let old = try device.make("old", in: right)

        #expect(try rename(new, (left, "new"), (right, "old"), replaces: old).isDone)

        #expect(try device.children(right).map(\.node.id) == [new])
        #expect(throws: (any Error).self) { try device.node(old) }
    }

    @Test func `what the device did not expect is not replaced`() throws {
        let new = try device.make("new", in: left)
        let old = try device.make("old", in: right)

        let unnamed = try rename(new, (left, "new"), (right, "old"))
        let misnamed = try rename(new, (left, "new"), (right, "old"), replaces: left)

        #expect(unnamed.conflict == .exists && unnamed.currentNode == old)
        #expect(misnamed.conflict == .exists && misnamed.currentNode == old)
        #expect(try names(left) == ["new"] && names(right) == ["old"])
    }

    @Test func `what should be replaced and is gone already is no obstacle`() throws {
        let new = try device.make("new", in: left)

        #expect(try rename(new, (left, "new"), (right, "old"), replaces: .random(at: .zero)).isDone)
    }

    @Test func `folders replace empty folders only, and files files`() throws {
        let full = try device.make("full", .folder, in: right)
        _ = try device.make("inside", in: full)
        let empty = try device.make("empty", .folder, in: right)
        let file = try device.make("file", in: left)
        let folder = try device.make("folder", .folder, in: left)

        #expect(try rename(folder, (left, "folder"), (right, "full"), replaces: full).conflict == .notEmpty)
        #expect(try rename(file, (left, "file"), (right, "empty"), replaces: empty).conflict == .kind)
        #expect(try rename(folder, (left, "folder"), (left, "file"), replaces: file).conflict == .kind)
        #expect(try rename(folder, (left, "folder"), (right, "empty"), replaces: empty).isDone)
        #expect(try links(left) == 2)
        #expect(try links(right) == 4)
    }

    @Test func `a folder never comes to lie in itself`() throws {
        let a = try device.make("a", .folder, in: left)
        let b = try device.make("b", .folder, in: a)
        let c = try device.make("c", .folder, in: b)

        #expect(try rename(a, (left, "a"), (c, "a")).conflict == .cycle)
        #expect(try rename(a, (left, "a"), (a, "a")).conflict == .cycle)
        #expect(try rename(left, (device.root, "left"), (c, "left")).conflict == .cycle)
        #expect(try rename(c, (b, "c"), (left, "c")).isDone)
        #expect(try rename(b, (a, "b"), (c, "b")).isDone)
        #expect(try rename(a, (left, "a"), (b, "a")).isDone)
        #expect(try rename(c, (left, "c"), (a, "c")).conflict == .cycle)
    }

    @Test func `an exchange gives each the other's name`() throws {
        let folder = try device.make("folder", .folder, in: left)
        let file = try device.make("file", in: right)

        let outcome = try rename(folder, (left, "folder"), (right, "file"), replaces: file, isExchange: true)

        #expect(outcome.isDone)
        #expect(try device.children(left).map(\.node.id) == [file])
        #expect(try device.children(right).map(\.node.id) == [folder])
        #expect(try links(left) == 2)
        #expect(try links(right) == 3)
    }

    @Test func `an exchange needs both as the device saw them and makes no cycle`() throws {
        let inner = try device.make("inner", .folder, in: left)
        let file = try device.make("file", in: inner)

        func exchange(_ to: (NodeID, String), _ other: NodeID) throws -> OperationResult.Outcome {
            try rename(left, (device.root, "left"), to, replaces: other, isExchange: true)
        }
        #expect(try exchange((right, "nothing"), file).conflict == .missing)
        #expect(try exchange((device.root, "right"), file).conflict == .exists)
        #expect(try exchange((inner, "file"), file).conflict == .cycle)
        #expect(
            try rename(file, (inner, "file"), (device.root, "left"), replaces: left, isExchange: true).conflict
                == .cycle
        )
    }

    @Test func `the source must be there and be what the device means`() throws {
        let file = try device.make("file", in: left)

        #expect(try rename(file, (left, "nothing"), (right, "a")).conflict == .missing)
        let other = try rename(right, (left, "file"), (right, "a"))
        #expect(other.conflict == .missing && other.currentNode == file)
        #expect(try rename(file, (left, "file"), (.random(at: .zero), "a")).conflict == .missing)
        #expect(try rename(right, (device.root, "right"), (file, "a")).conflict == .kind)
    }

    @Test func `one name twice, or two names of one node, succeed and change nothing`() throws {
        let file = try device.make("file", in: left)
        #expect(try device.run(.link(parent: right, name: name("second"), node: file, time: moment)).isDone)
        let before = try device.region.store.tree(of: device.owner).sequence

        #expect(try rename(file, (left, "file"), (left, "file")).isDone)
        #expect(try rename(file, (left, "file"), (right, "second"), replaces: file).isDone)

        #expect(try device.region.store.tree(of: device.owner).sequence == before)
        #expect(try names(left) == ["file"] && names(right) == ["second"])
    }
}
