import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem

extension Pusher {
    /// Takes the answers in, with the files whose commits are among them frozen: between the index saying "clean" and
    /// the open file knowing it nobody may write, or that write would leave no mark.
    func settle(_ items: [Settlement.Item]) throws(Errno) {
        let settlement = try news.inTurn { () throws(Errno) -> Settlement in
            let commits = active.withLock { active in items.compactMap { active[$0.row.place] } }
            for commit in commits { commit.content.freeze() }
            var changes: [Inode: @Sendable (inout FileContent.State) -> Void] = [:]
            defer {
                for commit in commits {
                    let change = changes[commit.content.inode]
                    commit.content.thaw { state in change?(&state) }
                }
            }
            let settlement = try write(items)
            for item in items {
                guard let change = Self.change(item, settlement) else { continue }
                changes[item.row.subjects.node] = change
            }
            return settlement
        }
        for place in settlement.settledPlaces { finish(place) }
        for item in items where settlement.settledPlaces.contains(item.row.place) {
            if let replaced = item.row.subjects.replaced { tree.collect(replaced) }
            tree.collect(item.row.subjects.node)
        }
        for report in settlement.reports {
            logger.warning(report.message, ["inode": report.node, "detail": report.detail])
        }
        for (parent, name) in settlement.renamed { news.tellEntry(name, in: parent) }
    }

    private func write(_ items: [Settlement.Item]) throws(Errno) -> Settlement {
        let snapshots = active.withLock { $0.mapValues(\.snapshot) }
        let now = tree.wallNow
        let suffix = "conflict from \(hostName) \(now.rfc3339().prefix(10))"
        return try tree.database.writing { db throws -> Settlement in
            var settlement = Settlement(
                changedSince: snapshots.mapValues(\.changedSince),
                cutSince: snapshots.mapValues(\.cut),
                conflictSuffix: suffix,
                now: now
            )
            try settlement.settle(items, db)
            return settlement
        }
    }

    /// What an open file must learn from the answer to its commit.
    private static func change(
        _ item: Settlement.Item,
        _ settlement: Settlement
    ) -> (@Sendable (inout FileContent.State) -> Void)? {
        guard case .commit(let commit) = item.operation.mutation else { return nil }
        switch item.outcome {
        case .done(_, let content):
            guard let content else { return nil }
            let cleaned = settlement.cleaned[item.row.place] ?? []
            let cut = settlement.cutSince[item.row.place]
            return { state in state.settle(commit, content, cut: cut, cleaned: cleaned) }
        case .conflict:
            guard settlement.ownCopies.contains(item.row.place) else { return nil }
            return { state in
                state.revision = 0
                state.remoteSize = 0
                state.cutFrom = 0
                for span in state.spans.keys { state.spans[span] = .dirty }
            }
        case .known, .denied, .incomplete, .waiting: return nil
        }
    }
}
