import DaleksTestSupport

/// A folder of few names, as one machine with one disk would have it: what each name stands for, by number, and 0 where
/// it stands for nothing. All that was made has a number of its own, but folders, which are all 1.
struct FolderModel: SequentialModel {
    enum Act: Hashable, Sendable {
        /// Where nothing was: O_EXCL, `link`, `mkdir`, RENAME_NOREPLACE of something that others do not know.
        case made(Int, node: Int)
        /// EEXIST.
        case exists(Int)
        /// O_CREAT alone.
        case openedOrMade(Int, node: Int)
        /// By `rename`, over what was there or not.
        case put(Int, node: Int)
        /// By `unlink` and `rmdir`.
        case removed(Int)
        /// ENOENT.
        case absent(Int)
        /// Renamed to where others do not see it.
        case took(Int, node: Int)
        /// Opened, and looked at.
        case saw(Int, node: Int)
        case moved(Int, to: Int)
        case movedWhereNothingWas(Int, to: Int)
        case exchanged(Int, Int)
        /// ENOENT of what concerns both.
        case oneIsAbsent(Int, Int)
    }

    /// The number of what somebody made who did not live to hear what it is.
    static let unknown = -1

    var nodes: [Int]

    init(count: Int) { nodes = Array(repeating: 0, count: count) }

    mutating func apply(_ act: Act) -> Bool {
        switch act {
        case .made(let name, let node): return replace(name, by: node, if: nodes[name] == 0)
        case .exists(let name): return nodes[name] != 0
        case .openedOrMade(let name, let node):
            return replace(name, by: node, if: nodes[name] == node || nodes[name] == 0 && !nodes.contains(node))
        case .put(let name, let node): return replace(name, by: node, if: true)
        case .removed(let name): return replace(name, by: 0, if: nodes[name] != 0)
        case .absent(let name): return nodes[name] == 0
        case .took(let name, let node): return replace(name, by: 0, if: nodes[name] == node)
        case .saw(let name, let node): return nodes[name] == node
        case .moved(let name, let other): return move(name, to: other, if: nodes[name] != 0)
        case .movedWhereNothingWas(let name, let other):
            return move(name, to: other, if: nodes[name] != 0 && nodes[other] == 0)
        case .exchanged(let name, let other):
            guard nodes[name] != 0, nodes[other] != 0 else { return false }
            nodes.swapAt(name, other)
            return true
        case .oneIsAbsent(let name, let other): return nodes[name] == 0 || nodes[other] == 0
        }
    }

    private mutating func replace(_ name: Int, by node: Int, if isPossible: Bool) -> Bool {
        if isPossible { nodes[name] = node }
        return isPossible
    }

    /// Two names of one file stay as they are, as POSIX has it.
    private mutating func move(_ name: Int, to other: Int, if isPossible: Bool) -> Bool {
        guard isPossible, nodes[name] != nodes[other] else { return isPossible }
        nodes[other] = nodes[name]
        nodes[name] = 0
        return true
    }
}
