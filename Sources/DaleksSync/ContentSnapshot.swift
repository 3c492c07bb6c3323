import DaleksCore
import DaleksSystem

/// A file at one instant, for as long as it takes to upload it: which spans it had changed, how large it was, and
/// copies of those that have been written over since. The copies lie in a nameless file, so a gigabyte rewritten during
/// its own upload costs disk and not memory.
///
/// ## Concurrency
/// `state` has its own lock, taken after the file's. Spans are saved aside with the file's lock held and nobody may
/// write to them before that; `read` looks for a copy before and after reading the file itself, so it never returns a
/// mixture.
final class ContentSnapshot: Sendable {
    private struct State: ~Copyable {
        var waiting: Set<Int>
        var changed: Set<Int> = []
        var saved: Set<Int> = []
        var cut: Int64
        var isSettled = false
        var aside: FileDescriptor?
    }

    let size: Int64
    let modified: Timestamp
    /// The region's content that the spans and pieces differ from.
    let base: Revision
    /// How far that content reaches at the region, whatever was cut off here since.
    let baseSize: Int64
    /// In order.
    let spans: [Int]
    /// What changed of those spans of which that is known.
    let pieces: [Int: PieceSet]
    private let members: Set<Int>
    private let asideFolder: String
    private let state: Lock<State>

    init(
        size: Int64,
        modified: Timestamp,
        base: Revision,
        baseSize: Int64,
        spans: [Int],
        pieces: [Int: PieceSet],
        asideFolder: String
    ) {
        self.size = size
        self.modified = modified
        self.base = base
        self.baseSize = baseSize
        self.spans = spans
        self.pieces = pieces
        members = Set(spans)
        self.asideFolder = asideFolder
        state = Lock(State(waiting: Set(spans), cut: size))
    }

    func covers(_ span: Int) -> Bool { members.contains(span) }

    /// Tells that a span is about to change, and copies it away first where the upload still needs it.
    func willChange(_ span: Int, in backing: borrowing FileDescriptor) throws(Errno) {
        let mustSave = state.withLock { state in
            state.changed.insert(span)
            return state.waiting.contains(span) && !state.saved.contains(span)
        }
        guard mustSave else { return }
        let bytes = try bytes(of: span, in: backing)
        let folder = asideFolder
        try state.withLock { state throws(Errno) in
            if state.aside == nil { state.aside = try FileDescriptor.openNameless(in: folder) }
            try state.aside?.writeAll(bytes, at: Int64(span) * Int64(Limits.spanBytes))
            state.saved.insert(span)
        }
    }

    /// The span's bytes as they were at the instant.
    func read(_ span: Int, from backing: borrowing FileDescriptor) throws(Errno) -> [UInt8] {
        if let copy = try copy(of: span) { return copy }
        let bytes = try bytes(of: span, in: backing)
        // A copy that appeared meanwhile means that the file may have changed under the read.
        return try copy(of: span) ?? bytes
    }

    /// The upload has read this one; it may change freely.
    func finished(_ span: Int) { state.withLock { _ = $0.waiting.remove(span) } }

    /// Spans that were written again since the instant: they are still dirty when the region has this.
    var changedSince: Set<Int> { state.withLock { $0.changed } }

    /// The file was cut here since the instant.
    func noteCut(_ size: Int64) { state.withLock { $0.cut = min($0.cut, size) } }

    /// The least size that the file has had since the instant.
    var cut: Int64 { state.withLock { $0.cut } }

    /// The region took it.
    func noteSettled() { state.withLock { $0.isSettled = true } }
    var isSettled: Bool { state.withLock { $0.isSettled } }

    private func copy(of span: Int) throws(Errno) -> [UInt8]? {
        let count = FileContent.bytes(in: span, ofSize: size)
        return try state.withLock { state throws(Errno) -> [UInt8]? in
            guard state.saved.contains(span) else { return nil }
            return try state.aside?.bytes(count: count, at: Int64(span) * Int64(Limits.spanBytes))
        }
    }

    private func bytes(of span: Int, in backing: borrowing FileDescriptor) throws(Errno) -> [UInt8] {
        try backing.bytes(
            count: FileContent.bytes(in: span, ofSize: size),
            at: Int64(span) * Int64(Limits.spanBytes)
        )
    }
}
