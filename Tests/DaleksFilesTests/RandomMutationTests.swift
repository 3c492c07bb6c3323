import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// Thousands of operations without a plan, against a model, and everything that follows from them.
@Suite(.bothDatabases) struct RandomMutationTests {
    let region: TestRegion
    let device: TestDevice

    init() throws {
        region = try TestRegion()
        device = try TestDevice(region)
    }

    @Test func `two thousand random operations do what a simple model says`() throws {
        var random = SeededGenerator(for: "random mutations")
        var model = ModelTree(root: try device.node(device.root))
        var history = History()

        for _ in 0..<200 {
            let mutations = (0..<10).map { _ in history.mutation(on: model, &random) }
            // The model runs along while the batch is drawn, so that later operations mean what earlier ones made.
            var expected: [ModelTree.Verdict] = []
            var batch: [Mutation] = []
            for draw in mutations {
                let mutation = draw(model, &random)
                expected.append(model.run(mutation))
                batch.append(mutation)
            }
            let outcomes = try device.run(batch)
            for (index, outcome) in outcomes.enumerated() {
                try #require(Self.verdict(outcome) == expected[index], "\(batch[index])")
            }
            if random.oneIn(3) { device.acknowledged = device.last }
        }

        try compareTree(with: model)
        try compareContents(with: model)
        try compareFeed(with: model)
        let usage = try region.store.usage(of: device.owner)
        #expect(usage.bytesUsed == model.bytesUsed && usage.filesUsed == Int64(model.nodes.count - 1))
        #expect(model.nodes.count > 20, "the walk should leave something to look at")
    }

    private static func verdict(_ outcome: OperationResult.Outcome) -> ModelTree.Verdict? {
        switch outcome {
        case .done(let revision, _): .done(revision)
        case .conflict(let conflict, _): .conflict(conflict)
        case .known, .denied, .incomplete, .waiting: nil
        }
    }

    private func compareTree(with model: ModelTree) throws {
        for (id, node) in model.nodes {
            let record = try device.node(id)
            #expect(record.attributes == node.attributes)
            #expect(record.content == node.content && record.target == node.target)
            #expect(record.extended == node.extended)
            if id != model.root { #expect(record.revision == node.revision) }
        }
        for (folder, entries) in model.entries {
            let children = try device.children(folder, pageCount: 7)
            #expect(children.map(\.name) == entries.keys.sorted())
            #expect(children.map(\.node.id) == entries.keys.sorted().map { entries[$0] })
        }
    }

    private func compareContents(with model: ModelTree) throws {
        for (id, node) in model.nodes where node.attributes.kind == .file {
            let manifest = try region.content.manifest(of: id, at: node.content, inPieces: false, for: device.owner)
            #expect(manifest.size == node.attributes.size)
            #expect(Set(manifest.spans.map(\.index)) == Set(node.spans.keys))
            for (index, bytes) in node.spans { #expect(try device.bytes(id, at: node.content, span: index) == bytes) }
        }
    }

    /// A reader who knew only the root and followed the feed has the same tree.
    private func compareFeed(with model: ModelTree) throws {
        var nodes: [NodeID: NodeRecord] = [:]
        var entries: [NodeID: [Name: NodeID]] = [:]
        var cursor = Cursor(epoch: 1, sequence: 0)
        while true {
            let page = try region.store.changes(of: device.owner, after: cursor)
            if page.changes.isEmpty { break }
            for change in page.changes {
                #expect(change.sequence == cursor.sequence + 1 && change.device == device.device)
                cursor.sequence = change.sequence
                for node in change.nodes { nodes[node.id] = node.attributes.links == 0 ? nil : node }
                for entry in change.entries { entries[entry.parent, default: [:]][entry.name] = entry.node }
            }
        }
        #expect(cursor.sequence == model.sequence)
        for (id, node) in model.nodes where id != model.root {
            #expect(nodes[id]?.attributes == node.attributes && nodes[id]?.content == node.content)
        }
        #expect(Set(nodes.keys).subtracting([model.root]) == Set(model.nodes.keys).subtracting([model.root]))
        for (folder, names) in model.entries { #expect(entries[folder] ?? [:] == names) }
    }
}

/// Draws operations that mostly fit and sometimes do not.
private struct History {
    typealias Draw = (ModelTree, inout SeededGenerator) -> Mutation
    private var clock: Int64 = 10_000
    private static let kinds: [NodeKind] = [.file, .file, .file, .folder, .folder, .symlink, .fifo]

    mutating func mutation(on model: ModelTree, _ random: inout SeededGenerator) -> Draw {
        clock += 1
        let time = Timestamp(nanoseconds: clock)
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<7: return { Self.creation($0, &$1, time) }
        case 7: return { Self.link($0, &$1, time) }
        case 8..<12: return { Self.rename($0, &$1, time) }
        case 12..<14: return { Self.removal($0, &$1, time) }
        case 14: return { Self.attributes($0, &$1, time) }
        case 15: return { Self.extended($0, &$1, time) }
        default: return { Self.commit($0, &$1, time) }
        }
    }

    private static func anyNode(_ model: ModelTree, _ random: inout SeededGenerator) -> NodeID {
        if random.oneIn(25) { return NodeID(high: 1, low: random.next() % 4) }
        return model.nodes.keys.sorted().randomElement(using: &random) ?? model.root
    }

    private static func folder(_ model: ModelTree, _ random: inout SeededGenerator) -> NodeID {
        if random.oneIn(20) { return anyNode(model, &random) }
        return model.entries.keys.sorted().randomElement(using: &random) ?? model.root
    }

    /// Few of them, so that they meet; one is not UTF-8.
    private static func name(_ random: inout SeededGenerator) -> Name {
        let names: [[UInt8]] = ["a", "b", "c", "d", "ä", "A", "long name"].map { Array($0.utf8) } + [[0xff, 0xfe]]
        guard let name = try? Name(names.randomElement(using: &random) ?? [97]) else {
            preconditionFailure("a bad name")
        }
        return name
    }

    /// An entry that is there, mostly.
    private static func entry(_ model: ModelTree, _ random: inout SeededGenerator) -> (NodeID, Name, NodeID) {
        let all = model.entries.keys.sorted().flatMap { folder in
            (model.entries[folder] ?? [:]).sorted { $0.key < $1.key }.map { (folder, $0.key, $0.value) }
        }
        guard !random.oneIn(12), let entry = all.randomElement(using: &random) else {
            return (folder(model, &random), name(&random), anyNode(model, &random))
        }
        return entry
    }

    private static func creation(_ model: ModelTree, _ random: inout SeededGenerator, _ time: Timestamp) -> Mutation {
        let kind = kinds.randomElement(using: &random) ?? .file
        let isRepeat = random.oneIn(40)
        return .create(
            Mutation.Creation(
                parent: folder(model, &random),
                name: name(&random),
                node: isRepeat ? anyNode(model, &random) : NodeID(high: 2, low: random.next()),
                kind: kind,
                mode: UInt32.random(in: 0...0o7777, using: &random),
                uid: UInt32.random(in: 0...UInt32.max, using: &random),
                gid: 100,
                time: time,
                target: kind == .symlink ? random.bytes(count: 5) : nil
            )
        )
    }

    private static func link(_ model: ModelTree, _ random: inout SeededGenerator, _ time: Timestamp) -> Mutation {
        .link(parent: folder(model, &random), name: name(&random), node: anyNode(model, &random), time: time)
    }

    private static func removal(_ model: ModelTree, _ random: inout SeededGenerator, _ time: Timestamp) -> Mutation {
        let (parent, name, node) = entry(model, &random)
        return .remove(parent: parent, name: name, node: node, time: time)
    }

    private static func rename(_ model: ModelTree, _ random: inout SeededGenerator, _ time: Timestamp) -> Mutation {
        let (parent, name, node) = entry(model, &random)
        let (toParent, toName) = (folder(model, &random), Self.name(&random))
        let occupant = model.entries[toParent]?[toName]
        let replaces = random.oneIn(6) ? nil : occupant
        return .rename(
            Mutation.Rename(
                parent: parent,
                name: name,
                node: node,
                toParent: toParent,
                toName: toName,
                replaces: replaces,
                isExchange: replaces != nil && random.oneIn(3),
                time: time
            )
        )
    }

    private static func attributes(_ model: ModelTree, _ random: inout SeededGenerator, _ time: Timestamp) -> Mutation {
        .attributes(
            Mutation.AttributeChange(
                node: anyNode(model, &random),
                mode: random.oneIn(2) ? 0o600 : nil,
                uid: random.oneIn(2) ? 5 : nil,
                gid: random.oneIn(2) ? 6 : nil,
                accessed: random.oneIn(2) ? Timestamp(nanoseconds: -1) : nil,
                modified: random.oneIn(2) ? Timestamp(nanoseconds: .max) : nil,
                time: time
            )
        )
    }

    private static func extended(_ model: ModelTree, _ random: inout SeededGenerator, _ time: Timestamp) -> Mutation {
        .extended(
            Mutation.ExtendedChange(
                node: anyNode(model, &random),
                name: [0x75, random.oneIn(2) ? 0xff : 0x76],
                value: random.oneIn(3) ? nil : [1, 2, 3],
                time: time
            )
        )
    }

    /// Small files, and long ones that are mostly holes; the span at the end is always given.
    private static func commit(_ model: ModelTree, _ random: inout SeededGenerator, _ time: Timestamp) -> Mutation {
        let files = model.nodes.keys.sorted().filter { model.nodes[$0]?.attributes.kind == .file }
        let node = random.oneIn(15) ? anyNode(model, &random) : files.randomElement(using: &random) ?? model.root
        let base = random.oneIn(10) ? Revision(random.next() % 50) : model.nodes[node]?.content ?? 0
        let wholeSpans = Int.random(in: 0...3, using: &random) * (random.oneIn(4) ? 40 : 1)
        let rest = Int.random(in: 0...200, using: &random)
        var spans: [Span] = []
        if wholeSpans > 0, random.oneIn(2) {
            spans.append(Span(index: wholeSpans - 1, bytes: Limits.spanBytes, source: .hole))
        }
        if rest > 0 { spans.append(Span(index: wholeSpans, bytes: rest, source: .inline(random.bytes(count: rest)))) }
        return .commit(
            Mutation.Commit(
                node: node,
                base: .content(base),
                size: Int64(wholeSpans * Limits.spanBytes + rest),
                spans: spans,
                modified: time,
                time: time
            )
        )
    }
}
