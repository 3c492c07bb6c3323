import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem

extension Pusher {
    /// Takes the answers in. Where the region agreed with all of it, a few at a time: the kernel's requests want the
    /// database too, and what is not taken in yet when the daemon dies is answered again. Conflicts look at what else
    /// is in the batch, so then it is one transaction.
    func settle(_ items: [Settlement.Item], of device: DeviceID, seen: String) throws(Errno) {
        let isAgreed = items.allSatisfy { item in if case .done = item.outcome { true } else { false } }
        let sliceCount = isAgreed ? Self.sliceRowCount : max(1, items.count)
        for start in stride(from: 0, to: items.count, by: sliceCount) {
            let slice = Array(items[start..<min(start + sliceCount, items.count)])
            try settle(slice: slice, of: device, seen: seen, isAgreed)
        }
    }

    /// With the files whose commits are among them frozen: between the index saying "clean" and the open file knowing
    /// it nobody may write, or that write would leave no mark.
    private func settle(
        slice items: [Settlement.Item],
        of device: DeviceID,
        seen: String,
        _ isAgreed: Bool
    ) throws(Errno) {
        let files = Set(items.filter { $0.row.kind == .commit }.map(\.row.subjects.node))
        let resumed = Set(
            items.filter { item in item.row.kind == .commit && active.withLock { $0[item.row.place] == nil } }
                .map(\.row.subjects.node)
        ).filter { (try? tree.contents.use($0)) != nil }
        defer { for inode in resumed { tree.contents.leave(inode) } }
        let settlement = try news.inTurn { () throws(Errno) -> Settlement? in
            // Who counts under another id by now has numbered all this anew: the answers are nobody's.
            guard try isCounting(under: device) else { return nil }
            return try tree.contents.holding(files) { held throws(Errno) in try settle(items, held, seen) }
        }
        guard let settlement else { return }
        for place in settlement.settledPlaces { finish(place) }
        if !isAgreed {
            // What a conflict did to a file's spans, a content that nobody uses does not know.
            tree.contents.dropIdle(Set(items.map(\.row.subjects.node)).union(settlement.ownCopies))
        }
        let settled = Set(settlement.settledPlaces)
        for item in items where item.row.kind == .commit && settled.contains(item.row.place) {
            tree.contents.forgetHandedOver(item.row.subjects.node)
        }
        for item in items where settled.contains(item.row.place) {
            if let replaced = item.row.subjects.replaced { tree.collect(replaced) }
            tree.collect(item.row.subjects.node)
        }
        for inode in settlement.nameless { tree.collect(inode) }
        tell(settlement)
    }

    private func isCounting(under device: DeviceID) throws(Errno) -> Bool {
        try tree.database.reading { db throws in try MetaTable.text(.device, in: db) } == "\(device)"
    }

    private func settle(
        _ items: [Settlement.Item],
        _ held: [Inode: FileContent],
        _ seen: String
    ) throws(Errno) -> Settlement {
        for content in held.values { content.freeze() }
        var changes: [Inode: @Sendable (inout FileContent.State) -> Void] = [:]
        defer {
            for (inode, content) in held {
                let change = changes[inode]
                content.thaw { state in change?(&state) }
            }
        }
        var resumed: [Int64: Set<Int>] = [:]
        for item in items where item.row.kind == .commit && active.withLock({ $0[item.row.place] == nil }) {
            guard case .commit(let commit) = item.operation.mutation, let content = held[item.row.subjects.node] else {
                continue
            }
            resumed[item.row.place] = ResumedCommit.changedSpans(of: content, since: commit)
        }
        let settlement = try write(resumed) { settlement, db in
            try settlement.settle(items, db)
            try SeenCursor.note(seen, db)
        }
        for item in items {
            guard let change = Self.change(item, settlement) else { continue }
            changes[item.row.subjects.node] = change
        }
        return settlement
    }

    /// Nobody waits any more for what was left to the region. False where it may have heard of that.
    func withdraw(_ question: RegionQuestion) throws(Errno) -> Bool {
        guard let place = question.place else { return false }
        let isTakenBack = Lock(false)
        let settlement = try news.inTurn { () throws(Errno) in
            try write { settlement, db in
                let isSo = try settlement.withdraw(questionAt: place, db)
                isTakenBack.withLock { $0 = isSo }
            }
        }
        for inode in settlement.nameless { tree.collect(inode) }
        tell(settlement)
        // What was held back while it was pending is to be asked for now.
        wasAnswered()
        return isTakenBack.withLock { $0 }
    }

    func tell(_ settlement: Settlement) {
        for report in settlement.reports {
            logger.warning(report.message, ["inode": report.node, "detail": report.detail])
        }
        for spot in settlement.renamed { news.tellEntry(spot.name, in: spot.parent) }
    }

    func write(
        _ resumed: [Int64: Set<Int>] = [:],
        _ body: (inout Settlement, borrowing Connection) throws -> Void
    ) throws(Errno) -> Settlement {
        let snapshots = active.withLock { $0.mapValues(\.snapshot) }
        let changedSince = snapshots.mapValues(\.changedSince).merging(resumed) { mine, _ in mine }
        let now = tree.wallNow
        let suffix = ConflictName.suffix(host: hostName, date: now.rfc3339().prefix(10))
        return try tree.database.writing { db throws -> Settlement in
            var settlement = Settlement(
                changedSince: changedSince,
                cutSince: snapshots.mapValues(\.cut),
                mustVerify: tree.contents.isSuspect,
                conflictSuffix: suffix,
                now: now
            )
            try body(&settlement, db)
            settlement.stageNodes(in: tree)
            tree.questions.note(settlement.answers)
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
            guard settlement.ownCopies.contains(item.row.subjects.node) else { return nil }
            return { becomeOwn(&$0) }
        case .known, .denied, .incomplete, .waiting: return nil
        }
    }
}
