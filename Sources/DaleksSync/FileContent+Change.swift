import DaleksCache
import DaleksCore
import DaleksSystem
import Glibc

/// How far a change of bytes came, and what kept it from going on.
struct Progress {
    var bytes: Int64
    var failure: Errno?
}

/// The steps of a change of bytes: see `FileContent.change`.
extension FileContent {
    /// What a change has to do besides, decided when it came in.
    struct Plan {
        var isAppend = false
        var oldSize: Int64 = 0
        /// To where the file grows.
        var end: Int64 = 0
        /// Spans that become dirty.
        var fresh: [Int] = []
        /// Those of them that are absent and written whole.
        var covered: [Int] = []
        /// The tables must hear something before any byte is written.
        var mustTell = false
    }

    /// Marks and writes. What is thrown came before any byte that counts.
    func run(
        _ plan: Plan,
        _ range: Range<Int64>,
        _ perform: (Range<Int64>) -> Progress
    ) throws(Errno) -> Progress {
        if plan.fresh.isEmpty, !plan.mustTell { return perform(range) }
        var progress = Progress(bytes: 0, failure: nil)
        let others = plan.covered.isEmpty ? plan.fresh : plan.fresh.filter { !plan.covered.contains($0) }
        if plan.covered.isEmpty {
            try marks.mark(self, others) { progress = perform(range) }
            return progress
        }
        if plan.mustTell || !others.isEmpty { try marks.mark(self, others) {} }
        progress = perform(range)
        // A span of which a part got in is neither the region's nor ours: what came before it counts.
        let end = range.lowerBound + progress.bytes
        if progress.failure != nil, let torn = plan.covered.first(where: { !Self.isWhole($0, upTo: end, plan) }) {
            progress.bytes = max(0, min(progress.bytes, Int64(torn) * Int64(Limits.spanBytes) - range.lowerBound))
        }
        let whole = plan.covered.filter { Self.isWhole($0, upTo: end, plan) }
        if !whole.isEmpty { try marks.mark(self, whole) {} }
        return progress
    }

    private static func isWhole(_ span: Int, upTo end: Int64, _ plan: Plan) -> Bool {
        min(Int64(span + 1) * Int64(Limits.spanBytes), max(plan.oldSize, plan.end)) <= end
    }

    /// So many bytes are there now.
    func note(_ change: Change, _ plan: Plan, _ bytes: Int64) {
        let range = change.range.lowerBound..<change.range.lowerBound + bytes
        let now = time.wall
        state.withLock { state in
            if !change.keepsSize { state.size = max(state.size, range.upperBound) }
            if !plan.fresh.isEmpty {
                let end = range.upperBound
                state.take(plan.fresh.filter { !plan.covered.contains($0) || Self.isWhole($0, upTo: end, plan) })
            }
            if !state.pieces.isEmpty {
                // Growing changes what lies between the old end and the new, too.
                let grows = !change.keepsSize && range.upperBound > plan.oldSize
                state.notePieces(grows ? min(plan.oldSize, range.lowerBound)..<range.upperBound : range)
            }
            (state.modified, state.written) = (now, now)
            state.isUnsaved = true
            state.isUncommitted = true
            state.isUnsynchronized = true
        }
        marks.wrote(range.count)
    }

    /// After a change that broke off: what is in the backing file and does not count goes, or it would show in a hole
    /// one day, or make the file longer after a death. Spans of the file that were marked and not written are sent as
    /// they are; others lose their marks.
    func tidy(upTo end: Int64, _ plan: Plan) {
        freeze()
        for span in plan.covered where !Self.isWhole(span, upTo: end, plan) {
            let start = Int64(span) * Int64(Limits.spanBytes)
            try? backing.punchHole(
                max(start, min(end, start + Int64(Limits.spanBytes)))..<start + Int64(Limits.spanBytes)
            )
        }
        let size = live.size
        if let status = try? backing.status(), Int64(status.st_size) > size { try? backing.truncate(to: size) }
        thaw { state in
            let marked = plan.fresh.filter { !plan.covered.contains($0) && state.spans[$0] != .dirty }
            guard !marked.isEmpty else { return }
            state.take(marked)
            (state.isUnsaved, state.isUncommitted) = (true, true)
        }
        // Else whoever saves the file does it.
        try? unmarkStrays()
    }

    /// Tells the tables of spans that are not dirty after all. Nobody is inside meanwhile, who could be marking them.
    func unmarkStrays() throws(Errno) {
        guard state.withLock({ !$0.strays.isEmpty }) else { return }
        freeze()
        let strays = state.withLock { $0.strays }
        do throws(Errno) { try marks.unmark(inode, strays) } catch {
            thaw { _ in }
            throw error
        }
        thaw { ($0.strays, $0.premark) = ([], 0) }
    }
}

extension FileContent.State {
    /// The tables call these dirty, which they are as far as the file reaches.
    fileprivate mutating func take(_ marked: [Int]) {
        let count = FileContent.spanCount(of: size)
        for span in marked {
            guard span < count else {
                strays.insert(span)
                continue
            }
            if spans[span] == .clean { pieces[span] = PieceSet() }
            spans[span] = .dirty
        }
    }

    /// The backing file has its new size, and the tables know of it.
    mutating func resize(_ resizing: FileContent.Resizing) {
        let size = resizing.size
        glimpses = [:]
        for span in resizing.fresh { spans[span] = .dirty }
        spans.cut(at: FileContent.spanCount(of: size))
        strays.subtract(resizing.fresh)
        // The tables may have dropped it.
        premark = 0
        // A span that is cut is told whole.
        pieces = pieces.filter { Int64($0.key + 1) * Int64(Limits.spanBytes) <= min(size, self.size) }
        if size < remoteSize {
            cutFrom = max(cutFrom, remoteSize)
            remoteSize = size
        }
        if let snapshot, size < snapshot.size {
            // The region will have that much, or has it already.
            snapshot.noteCut(size)
            cutFrom = max(cutFrom, snapshot.size)
        }
        if size < self.size { (isCutDue, isUnsaved) = (true, true) }
        self.size = size
        (modified, written) = (resizing.modified, resizing.modified)
        isUnsynchronized = true
    }

    /// The tables were told of a size that the backing file did not take. They are told what it is by whoever saves it.
    /// Where it was to become shorter the disk is broken: the file counts as cut, and is opened anew as soon as it can.
    mutating func becameStuck(_ resizing: FileContent.Resizing, _ errno: Errno) {
        if resizing.size < size {
            resize(resizing)
            failure = failure ?? errno
        } else {
            take(resizing.fresh)
        }
        (isUnsaved, isUncommitted) = (true, true)
    }
}
