import DaleksCore
import DaleksTestSupport
import Glibc

/// What a disk holds, and what it would hold if the power went now.
///
/// It behaves as ext4 does in its usual mode. Bytes are certain once their file was synchronised. Names are kept by a
/// log that any synchronisation makes certain up to that moment. What is younger may or may not be there after a cut:
/// of the names the first part, of each file's changes the first part, and of those that changed bytes in place any.
struct LossyImage {
    enum Change {
        case write(Int, [UInt8])
        case resize(Int)
    }

    struct Node {
        var mode: UInt32
        var links: UInt32 = 1
        var data: [UInt8] = []
        var attributes: [[UInt8]: [UInt8]] = [:]
        var children: [[UInt8]: UInt64] = [:]
        var modified = Timestamp.zero
        /// As the disk has it for certain, and what came after.
        var certainData: [UInt8] = []
        var certainAttributes: [[UInt8]: [UInt8]] = [:]
        var changes: [Change] = []
        /// References of the kernel: a node without a name lives as long as there are any.
        var references: UInt64 = 0

        var isFolder: Bool { mode & S_IFMT == S_IFDIR }

        mutating func change(_ change: Change) {
            Self.apply(change, to: &data)
            changes.append(change)
        }

        mutating func synchronize() {
            for change in changes { Self.apply(change, to: &certainData) }
            changes = []
            certainAttributes = attributes
        }

        static func apply(_ change: Change, to data: inout [UInt8]) {
            switch change {
            case .resize(let size):
                if size < data.count {
                    data.removeLast(data.count - size)
                } else {
                    data += [UInt8](repeating: 0, count: size - data.count)
                }
            case .write(let offset, let bytes):
                let end = offset + bytes.count
                if data.count < end { data += [UInt8](repeating: 0, count: end - data.count) }
                data.withUnsafeMutableBytes { all in
                    UnsafeMutableRawBufferPointer(rebasing: all[offset..<end]).copyBytes(from: bytes)
                }
            }
        }
    }

    /// One step of the names; those of one step hold together.
    struct Step {
        var removed: [(parent: UInt64, name: [UInt8])] = []
        var added: [(parent: UInt64, name: [UInt8], node: UInt64)] = []
    }

    static let root: UInt64 = 1

    var nodes: [UInt64: Node] = [root: Node(mode: S_IFDIR | 0o777, links: 2)]
    private var last: UInt64 = root
    private var certainChildren: [UInt64: [[UInt8]: UInt64]] = [root: [:]]
    private var steps: [Step] = []
    /// Those that have neither name nor reference any more, and come back where a cut undoes that.
    private var departed: [UInt64: Node] = [:]

    /// One that is there; a request for one that is gone is answered with nothing.
    func node(_ id: UInt64) -> Node { nodes[id] ?? Node(mode: 0) }

    // MARK: Changing

    mutating func make(_ mode: UInt32, _ name: [UInt8], in parent: UInt64, at time: Timestamp) -> UInt64 {
        last += 1
        nodes[last] = Node(mode: mode, links: mode & S_IFMT == S_IFDIR ? 2 : 1, modified: time)
        perform(Step(added: [(parent, name, last)]))
        return last
    }

    mutating func perform(_ step: Step) {
        for (parent, name) in step.removed { nodes[parent]?.children[name] = nil }
        for (parent, name, node) in step.added { nodes[parent]?.children[name] = node }
        steps.append(step)
    }

    mutating func change(_ node: UInt64, _ change: Change, at time: Timestamp) {
        nodes[node]?.modified = time
        nodes[node]?.change(change)
    }

    /// A node that has neither name nor reference goes.
    mutating func release(_ node: UInt64) {
        guard let found = nodes[node], found.links == 0, found.references == 0 else { return }
        nodes[node] = nil
        departed[node] = found
    }

    // MARK: Certainty

    mutating func synchronize(_ node: UInt64) {
        synchronizeNames()
        nodes[node]?.synchronize()
    }

    private mutating func synchronizeNames() {
        for step in steps { Self.apply(step, to: &certainChildren) }
        steps = []
        departed = [:]
    }

    private static func apply(_ step: Step, to children: inout [UInt64: [[UInt8]: UInt64]]) {
        for (parent, name) in step.removed { children[parent]?[name] = nil }
        for (parent, name, node) in step.added {
            children[parent, default: [:]][name] = node
        }
    }

    /// The power goes: what is left is certain.
    mutating func cut(_ random: inout SeededGenerator) {
        let kept = random.oneIn(3) ? 0 : Int.random(in: 0...steps.count, using: &random)
        for step in steps.prefix(kept) { Self.apply(step, to: &certainChildren) }
        steps = []
        nodes.merge(departed) { present, _ in present }
        departed = [:]
        var reached: [UInt64: UInt32] = [:]
        var waiting = [Self.root]
        while let folder = waiting.popLast() {
            for child in certainChildren[folder, default: [:]].values {
                reached[child, default: 0] += 1
                if nodes[child]?.isFolder == true { waiting.append(child) }
            }
        }
        for (id, node) in nodes {
            guard id == Self.root || reached[id] != nil else {
                nodes[id] = nil
                continue
            }
            var left = node
            left.data = Self.remains(of: node, &random)
            left.certainData = left.data
            left.attributes = random.oneIn(2) ? node.attributes : node.certainAttributes
            left.certainAttributes = left.attributes
            left.changes = []
            left.references = 0
            left.children = certainChildren[id, default: [:]]
            left.links = node.isFolder ? max(2, node.links) : reached[id] ?? 1
            nodes[id] = left
        }
        certainChildren = certainChildren.filter { nodes[$0.key] != nil }
    }

    private static func remains(of node: Node, _ random: inout SeededGenerator) -> [UInt8] {
        var data = node.certainData
        guard !node.changes.isEmpty else { return data }
        let kept: Int
        switch Int.random(in: 0..<4, using: &random) {
        case 0: kept = 0
        case 1: kept = node.changes.count
        default: kept = Int.random(in: 0...node.changes.count, using: &random)
        }
        let isTorn = random.oneIn(2)
        for change in node.changes.prefix(kept) {
            // Pages that lie inside the file reach the disk in any order; the size never runs ahead of the bytes.
            if isTorn, case .write(let offset, let bytes) = change, offset + bytes.count <= data.count {
                Self.tear(offset, bytes, &data, &random)
            } else {
                Node.apply(change, to: &data)
            }
        }
        return data
    }

    private static func tear(_ offset: Int, _ bytes: [UInt8], _ data: inout [UInt8], _ random: inout SeededGenerator) {
        var position = offset
        while position < offset + bytes.count {
            let end = min((position / 4_096 + 1) * 4_096, offset + bytes.count)
            if !random.oneIn(4) {
                data.replaceSubrange(position..<end, with: bytes[position - offset..<end - offset])
            }
            position = end
        }
    }
}
