import DaleksCore
import DaleksHTTP
import DaleksSystem

/// How much lies in each tree that no file of it names yet: chunks that were put for a commit to come, uploads that are
/// not whole. The quota counts files; without this, whoever never commits would fill the disk of everybody.
///
/// Each tree may have as much of it as its quota, so that even who replaces everything does so, and a little more. What
/// was put is added up, and counted in the database only where the sum goes past that: commits make it too large.
///
/// ## Concurrency
/// `trees` is guarded by itself and held for arithmetic. Two who come at once may both count.
final class StagingRoom: Sendable {
    private struct Tree {
        var bytes: Int64 = 0
        /// It was full when it was counted: not counted again before.
        var fullUntil: Instant?
    }

    private let trees = Lock([TreeNumber: Tree]())

    /// Throws where so many bytes more are too many. `count` asks the database.
    func take(
        _ bytes: Int64,
        in number: TreeNumber,
        quota: Int64,
        at now: Instant,
        count: () throws(APIError) -> Int64
    ) throws(APIError) {
        let most = min(quota, .max - Limits.Files.stagingSlackBytes) + Limits.Files.stagingSlackBytes
        let isTaken = trees.withLock { trees -> Bool? in
            var tree = trees[number] ?? Tree()
            if let until = tree.fullUntil, now < until { return false }
            guard tree.bytes + bytes <= most else { return nil }
            tree.bytes += bytes
            // Whoever is forgotten begins at nothing, and is counted when that is used up.
            if trees.count >= Limits.Files.stagingTreeCountMax { trees.removeAll(keepingCapacity: true) }
            trees[number] = tree
            return true
        }
        if isTaken == true { return }
        guard isTaken == nil else { throw Self.full(quota) }
        let counted = try count()
        let fits = trees.withLock { trees in
            let fits = counted + bytes <= most
            trees[number] = Tree(
                bytes: fits ? counted + bytes : counted,
                fullUntil: fits ? nil : now + Limits.Files.stagingPause
            )
            return fits
        }
        guard fits else { throw Self.full(quota) }
    }

    private static func full(_ quota: Int64) -> APIError {
        APIError(
            .quotaExceeded,
            "more was put than the owner's quota of \(quota) bytes without becoming files: commit it, end uploads,"
                + " or wait until it is given up"
        )
    }
}
