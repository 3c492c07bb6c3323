import DaleksCache
import DaleksCore
import DaleksSystem

/// Which spans an operation touches, and what must be so before it may.
extension FileContent {
    static func spans(of range: Range<Int64>) -> Range<Int> {
        guard !range.isEmpty else { return 0..<0 }
        let span = Int64(Limits.spanBytes)
        return Int(range.lowerBound / span)..<Int((range.upperBound - 1) / span) + 1
    }

    static func spanCount(of size: Int64) -> Int {
        Int((size + Int64(Limits.spanBytes) - 1) / Int64(Limits.spanBytes))
    }

    /// How many bytes of a file of `size` lie in the span.
    static func bytes(in span: Int, ofSize size: Int64) -> Int {
        Int(max(0, min(Int64(Limits.spanBytes), size - Int64(span) * Int64(Limits.spanBytes))))
    }

    static func isLacking(_ span: Int, _ state: State) -> Bool {
        switch state.spans[span] {
        case .clean, .dirty: false
        case .suspect: true
        case .absent: Int64(span) * Int64(Limits.spanBytes) < state.remoteSize || state.owed.contains(span)
        }
    }

    static func requirePresent(_ range: Range<Int64>, _ inode: Inode, _ state: State) throws(Obstacle) {
        let spans = Self.spans(of: range)
        guard let first = spans.first(where: { isLacking($0, state) }),
            let last = spans.last(where: { isLacking($0, state) })
        else { return }
        throw .needs(.spans(inode, first..<last + 1))
    }

    /// Which spans a change of bytes must mark dirty first; asks for what it would only partly overwrite.
    func prepare(_ range: Range<Int64>, growingTo end: Int64, _ state: inout State) throws(Obstacle) -> [Int] {
        let spans = Self.spans(of: range)
        if state.snapshot == nil, state.filling.isEmpty, end <= state.size || state.cutFrom <= state.size {
            // The way of nearly every write: its spans are dirty already, and no other span changes.
            let isExtendingOther = end > state.size && Self.isCut(state.size) && !spans.contains(Self.lastSpan(state))
            if !isExtendingOther, spans.allSatisfy({ state.spans[$0] == .dirty }) { return [] }
        }
        let span = Int64(Limits.spanBytes)
        var touched = Array(spans)
        if end > state.size {
            // Growing past the old end changes the span that the old end cut: it gets longer.
            if Self.isCut(state.size), !touched.contains(Self.lastSpan(state)) { touched.append(Self.lastSpan(state)) }
            touched += Self.regrown(state.size, end, state).filter { !touched.contains($0) }
        }
        for index in touched where state.filling.contains(index) { throw .needs(.spans(inode, index..<index + 1)) }
        for index in touched where Self.isLacking(index, state) {
            let start = Int64(index) * span
            let covered = range.lowerBound <= start && range.upperBound >= min(start + span, max(state.size, end))
            if !covered { throw .needs(.spans(inode, index..<index + 1)) }
        }
        for index in touched { try saveAside(index, state) }
        return touched.filter { state.spans[$0] != .dirty }
    }

    private static func isCut(_ size: Int64) -> Bool { size % Int64(Limits.spanBytes) != 0 }

    private static func lastSpan(_ state: State) -> Int { Int(state.size / Int64(Limits.spanBytes)) }

    /// Spans that the region has bytes for and that were cut off here: where the file grows over them they are holes,
    /// and a commit must say so.
    private static func regrown(_ size: Int64, _ end: Int64, _ state: State) -> [Int] {
        guard state.cutFrom > size else { return [] }
        return spans(of: size..<max(size, min(end, state.cutFrom))).filter { state.spans[$0] != .dirty }
    }

    func prepareTruncation(to size: Int64, _ state: inout State) throws(Obstacle) -> [Int] {
        let span = Int64(Limits.spanBytes)
        var touched: [Int] = []
        if size < state.size, Self.isCut(size) { touched.append(Int(size / span)) }
        if size > state.size {
            if Self.isCut(state.size) { touched.append(Self.lastSpan(state)) }
            touched += Self.regrown(state.size, size, state).filter { !touched.contains($0) }
        }
        for index in touched where Self.isLacking(index, state) { throw .needs(.spans(inode, index..<index + 1)) }
        if let snapshot = state.snapshot {
            for index in snapshot.spans where size < Int64(index + 1) * span { try saveAside(index, state) }
        }
        for index in touched { try saveAside(index, state) }
        return touched.filter { state.spans[$0] != .dirty }
    }

    /// A span that a running upload still has to read is copied away before it changes. Input and output under the
    /// lock: rare, at most one span, and the change must not overtake it.
    private func saveAside(_ index: Int, _ state: State) throws(Obstacle) {
        guard let snapshot = state.snapshot, snapshot.covers(index) else { return }
        do throws(Errno) {
            try snapshot.willChange(index, in: backing)
        } catch {
            throw .errno(error)
        }
    }
}
