/// What each span of a file is here. Compact, so that asking costs a load: one byte a span up to a size that files
/// really have, a dictionary behind that.
struct SpanMap: Sendable {
    private var dense: [FileContent.SpanState] = []
    private var sparse: [Int: FileContent.SpanState] = [:]

    /// A terabyte of dense states is a megabyte.
    private static let denseCountMax = 1 << 20

    subscript(span: Int) -> FileContent.SpanState {
        get {
            if span < dense.count { return dense[span] }
            return sparse.isEmpty ? .absent : sparse[span, default: .absent]
        }
        set {
            if span < Self.denseCountMax {
                if span >= dense.count {
                    guard newValue != .absent else { return }
                    dense.append(contentsOf: repeatElement(.absent, count: span + 1 - dense.count))
                }
                dense[span] = newValue
            } else {
                sparse[span] = newValue == .absent ? nil : newValue
            }
        }
    }

    /// Spans that are not absent, in order.
    var keys: [Int] { spans { $0 != .absent } }

    func spans(where matches: (FileContent.SpanState) -> Bool) -> [Int] {
        var found: [Int] = []
        for span in dense.indices where matches(dense[span]) { found.append(span) }
        if !sparse.isEmpty { found += sparse.filter { matches($0.value) }.keys.sorted() }
        return found
    }

    func contains(_ state: FileContent.SpanState) -> Bool {
        dense.contains(state) || sparse.values.contains(state)
    }

    var isEmpty: Bool { !dense.contains { $0 != .absent } && sparse.isEmpty }

    /// Forgets spans from an index on.
    mutating func cut(at count: Int) {
        if dense.count > count { dense.removeLast(dense.count - count) }
        if !sparse.isEmpty { sparse = sparse.filter { $0.key < count } }
    }

    mutating func removeAll() {
        dense.removeAll()
        sparse.removeAll()
    }
}
