import DaleksCore
import DaleksSystem

/// Nodes that were used lately, as the replica has them: what the kernel asks again and again needs no database.
///
/// The kernel's questions about one file come in a row (an attribute, a capability, an attribute again), so few are
/// worth many.
///
/// ## Concurrency
/// Each shard has its own lock, held for arithmetic. Who reads a node from the database first asks for the shard's
/// `generation` and gives it back with the node: a commit that changed anything in the shard meanwhile has raised it,
/// and the node, which may be older than that commit, is not kept. `stage`, `committed` and `undone` belong to whoever
/// has the writer's turn.
public final class NodeMemory: Sendable {
    /// A moment of one shard.
    public struct Generation: Sendable {
        fileprivate let number: UInt64
    }

    /// Two generations of nodes: when the younger is full, the older goes. What is used again becomes young again.
    private struct Shard {
        var generation: UInt64 = 0
        var young: [Inode: LocalNode] = [:]
        var old: [Inode: LocalNode] = [:]

        mutating func keep(_ node: LocalNode) {
            if young.count >= Limits.NodeMemory.shardNodesMax { (old, young) = (young, [:]) }
            young[node.inode] = node
        }
    }

    private let shards: [Lock<Shard>]
    /// What the transaction that runs leaves of some of the rows it changes.
    private let staged = Lock(Staged())

    private struct Staged {
        var nodes: [LocalNode] = []
        var revisions: [Inode: Int64] = [:]
        var answers: [Inode: Int64] = [:]

        mutating func take() -> Staged {
            defer { self = Staged() }
            return self
        }
    }

    public init() { shards = (0..<Limits.NodeMemory.shardCount).map { _ in Lock(Shard()) } }

    private func shard(of inode: Inode) -> Lock<Shard> {
        shards[Int(truncatingIfNeeded: inode.rawValue % UInt64(Limits.NodeMemory.shardCount))]
    }

    public func generation(of inode: Inode) -> Generation {
        Generation(number: shard(of: inode).withLock { $0.generation })
    }

    public func find(_ inode: Inode) -> LocalNode? {
        shard(of: inode).withLock { shard in
            if let node = shard.young[inode] { return node }
            guard let node = shard.old.removeValue(forKey: inode) else { return nil }
            shard.keep(node)
            return node
        }
    }

    /// Keeps what was read after `generation` was asked for.
    public func keep(_ node: LocalNode, readAfter generation: Generation) {
        shard(of: node.inode).withLock { shard in
            guard shard.generation == generation.number else { return }
            shard.keep(node)
        }
    }

    /// What a transaction makes of a node, told by its last step: kept once that is committed, so that who asks next
    /// needs neither the database nor the writer's turn.
    public func stage(_ node: LocalNode) { staged.withLock { $0.nodes.append(node) } }

    /// A transaction that changes nothing else of a node raises these numbers: whatever is known of it stays known.
    public func stage(revision: Int64, of inode: Inode) { staged.withLock { $0.revisions[inode] = revision } }
    public func stage(answered: Int64, of inode: Inode) { staged.withLock { $0.answers[inode] = answered } }

    /// The transaction came to nothing.
    public func undone() { staged.withLock { $0 = Staged() } }

    /// A commit changed these.
    public func committed(_ rows: [Int64]) {
        let staged = staged.withLock { $0.take() }
        for row in rows { renew(Inode(column: row), staged) }
        for node in staged.nodes where rows.contains(node.inode.column) {
            shard(of: node.inode).withLock { $0.keep(node) }
        }
    }

    /// What was remembered is not so any more, but for a number or two that are known.
    private func renew(_ inode: Inode, _ staged: Staged) {
        let (revision, answered) = (staged.revisions[inode], staged.answers[inode])
        shard(of: inode).withLock { shard in
            shard.generation += 1
            let known = shard.young.removeValue(forKey: inode) ?? shard.old.removeValue(forKey: inode)
            guard var node = known, revision != nil || answered != nil else { return }
            node.revision = max(node.revision, revision ?? 0)
            node.answered = max(node.answered, answered ?? 0)
            shard.keep(node)
        }
    }
}

extension Limits {
    enum NodeMemory {
        /// Enough that a change of one file hardly ever gets in the way of reading another.
        static let shardCount = 64

        /// Twice this for each shard: some 16,000 nodes of about 300 bytes.
        static let shardNodesMax = 128
    }
}
