public import DaleksCache
public import DaleksCore
public import DaleksSystem
import Glibc

/// The bytes of one file on this machine: a sparse backing file and what each of its spans means.
///
/// ## Concurrency
/// `state` is guarded by its condition. A read or write counts itself in before its system call and out after, so that
/// `freeze` and `adopt`, which wait until nobody is inside and let nobody in, see the file at one instant. A span that
/// is being filled belongs to the filler; whoever wants it waits. The backing descriptor lives as long as this object.
/// `markDirty` runs with no lock held and before the first byte goes into a span: the index never calls a span clean
/// that holds a user's byte.
public final class FileContent: Sendable {
    enum SpanState: UInt8 {
        case absent, clean, dirty
    }

    struct State {
        var spans: [Int: SpanState] = [:]
        var filling: Set<Int> = []
        var size: Int64
        /// The region's content that clean and absent spans belong to.
        var revision: Revision
        /// Where the region's bytes end; behind it an absent span is a hole and not a lack.
        var remoteSize: Int64
        var modified: Timestamp
        /// Size or time changed since the database last heard of them.
        var isUnsaved = false
        /// Bytes changed since the journal last got a commit for this file.
        var isUncommitted = false
        var insideCount = 0
        var isFrozen = false
        var snapshot: ContentSnapshot?
    }

    public let inode: Inode
    let backing: FileDescriptor
    let state: Condition<State>
    private let markDirty: @Sendable (Inode, [Int]) throws(Errno) -> Void
    private let time: TimeSource

    init(
        node: LocalNode,
        spans: [(span: Int, state: ContentTable.State)],
        backing: consuming FileDescriptor,
        time: TimeSource,
        markDirty: @escaping @Sendable (Inode, [Int]) throws(Errno) -> Void
    ) throws(Errno) {
        inode = node.inode
        self.markDirty = markDirty
        self.time = time
        var state = State(
            size: node.attributes.size,
            revision: node.content,
            remoteSize: node.content == 0 ? 0 : node.contentSize,
            modified: node.attributes.modified
        )
        for (span, kept) in spans { state.spans[span] = kept == .dirty ? .dirty : .clean }
        // Without dirty spans nothing but the size must be kept, and leftovers of older content must not shine through.
        if !state.spans.values.contains(.dirty) {
            if state.spans.isEmpty { try backing.truncate(to: 0) }
            try backing.truncate(to: state.size)
        }
        self.backing = backing
        self.state = Condition(state)
    }

    // MARK: What the kernel asks

    public var live: (size: Int64, modified: Timestamp) { state.withLock { ($0.size, $0.modified) } }

    /// Throws what a read there would lack.
    public func requireReadable(at offset: Int64, count: Int) throws(Obstacle) {
        guard offset >= 0 else { throw .errno(.invalid) }
        try state.withLock { state throws(Obstacle) in
            let end = offset + min(Int64(count), max(0, state.size - offset))
            if end > offset { try Self.requirePresent(offset..<end, inode, state) }
        }
    }

    /// Fills as much of the buffer as the file has from `offset` on.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(Obstacle) -> Int {
        let count = try enter { state throws(Obstacle) -> Int in
            guard offset >= 0 else { throw .errno(.invalid) }
            let count = Int(min(Int64(buffer.count), max(0, state.size - offset)))
            if count > 0 { try Self.requirePresent(offset..<offset + Int64(count), inode, state) }
            return count
        }
        defer { leave() }
        guard count > 0 else { return 0 }
        do throws(Errno) {
            return try backing.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]), at: offset)
        } catch {
            throw .errno(error)
        }
    }

    /// Writes at `offset`, or at the end of the file as it is when the write happens.
    public func write(
        _ bytes: UnsafeRawBufferPointer,
        at requested: Int64?,
        limit: Int64 = Limits.fileBytesMax
    ) throws(Obstacle) -> Int {
        guard !bytes.isEmpty else { return 0 }
        var fresh: [Int] = []
        let range = try enter { state throws(Obstacle) -> Range<Int64> in
            let offset = requested ?? state.size
            guard offset >= 0, offset <= limit - Int64(bytes.count) else { throw .errno(.fileTooLarge) }
            let range = offset..<offset + Int64(bytes.count)
            fresh = try prepare(range, growingTo: range.upperBound, &state)
            // An append reserves its place now, so that two never get the same one.
            if requested == nil { state.size = range.upperBound }
            return range
        }
        defer { leave() }
        do throws(Errno) {
            if !fresh.isEmpty { try markDirty(inode, fresh) }
            try backing.write(bytes, at: range.lowerBound)
        } catch {
            throw .errno(error)
        }
        let now = time.wall
        state.withLock { state in
            for span in Self.spans(of: range) { state.spans[span] = .dirty }
            for span in fresh { state.spans[span] = .dirty }
            state.size = max(state.size, range.upperBound)
            state.modified = now
            state.isUnsaved = true
            state.isUncommitted = true
        }
        return bytes.count
    }

    /// Cuts or extends. The caller writes the new size to the database before it answers.
    public func truncate(to size: Int64) throws(Obstacle) {
        guard size >= 0, size <= Limits.fileBytesMax else { throw .errno(size < 0 ? .invalid : .fileTooLarge) }
        var fresh: [Int] = []
        try freezing { state throws(Obstacle) in
            fresh = try prepareTruncation(to: size, &state)
        } then: { () throws(Errno) in
            if !fresh.isEmpty { try markDirty(inode, fresh) }
            try backing.truncate(to: size)
        }
        let now = time.wall
        state.withLock { state in
            for span in fresh { state.spans[span] = .dirty }
            let end = Self.spanCount(of: size)
            state.spans = state.spans.filter { $0.key < end }
            state.size = size
            state.remoteSize = min(state.remoteSize, size)
            state.modified = now
            state.isUnsaved = true
            state.isUncommitted = true
        }
    }

    public func synchronize() throws(Errno) { try backing.synchronizeData() }

    // MARK: Spans

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

    private static func isLacking(_ span: Int, _ state: State) -> Bool {
        state.spans[span, default: .absent] == .absent && Int64(span) * Int64(Limits.spanBytes) < state.remoteSize
    }

    private static func requirePresent(_ range: Range<Int64>, _ inode: Inode, _ state: State) throws(Obstacle) {
        let spans = Self.spans(of: range)
        guard let first = spans.first(where: { isLacking($0, state) }),
            let last = spans.last(where: { isLacking($0, state) })
        else { return }
        throw .needs(.spans(inode, first..<last + 1))
    }

    /// Which spans a write must mark dirty before it may touch them; asks for what it would only partly overwrite.
    private func prepare(_ range: Range<Int64>, growingTo end: Int64, _ state: inout State) throws(Obstacle) -> [Int] {
        let span = Int64(Limits.spanBytes)
        var touched = Array(Self.spans(of: range))
        // Growing past the old end changes the span that the old end cut: it gets longer.
        if end > state.size, state.size % span != 0 {
            let last = Int(state.size / span)
            if !touched.contains(last) { touched.insert(last, at: 0) }
        }
        for index in touched where state.filling.contains(index) { throw .needs(.spans(inode, index..<index + 1)) }
        for index in touched where Self.isLacking(index, state) {
            let start = Int64(index) * span
            let covered = range.lowerBound <= start && range.upperBound >= min(start + span, max(state.size, end))
            if !covered { throw .needs(.spans(inode, index..<index + 1)) }
        }
        for index in touched { try saveAside(index, state) }
        return touched.filter { state.spans[$0, default: .absent] != .dirty }
    }

    private func prepareTruncation(to size: Int64, _ state: inout State) throws(Obstacle) -> [Int] {
        let span = Int64(Limits.spanBytes)
        var touched: [Int] = []
        if size < state.size, size % span != 0 { touched.append(Int(size / span)) }
        if size > state.size, state.size % span != 0 { touched.append(Int(state.size / span)) }
        for index in touched where Self.isLacking(index, state) { throw .needs(.spans(inode, index..<index + 1)) }
        if let snapshot = state.snapshot {
            for index in snapshot.spans where size < Int64(index + 1) * span { try saveAside(index, state) }

        }
        return touched.filter { state.spans[$0, default: .absent] != .dirty }
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

    // MARK: Doors

    private func enter<Result>(_ body: (inout State) throws(Obstacle) -> Result) throws(Obstacle) -> Result {
        try state.waitThrowing(until: { !$0.isFrozen }) { state throws(Obstacle) in
            let result = try body(&state)
            state.insideCount += 1
            return result
        }
    }

    private func leave() {
        state.withLock { $0.insideCount -= 1 }
        state.broadcast()
    }

    /// Runs `body` with nobody inside, then `then` with nobody let in, without the lock.
    private func freezing(
        _ body: (inout State) throws(Obstacle) -> Void,
        then: () throws(Errno) -> Void
    ) throws(Obstacle) {
        try state.waitThrowing(until: Self.isQuiet) { state throws(Obstacle) in
            try body(&state)
            state.isFrozen = true
        }
        defer { thaw { _ in } }
        do throws(Errno) { try then() } catch { throw .errno(error) }
    }

    static func isQuiet(_ state: State) -> Bool {
        !state.isFrozen && state.insideCount == 0 && state.filling.isEmpty
    }

    /// Waits until nobody is inside and keeps everybody out until `thaw`.
    func freeze() {
        state.waitThrowing(until: Self.isQuiet) { $0.isFrozen = true }
    }

    func thaw(_ change: (inout State) -> Void) {
        state.withLock { state in
            change(&state)
            state.isFrozen = false
        }
        state.broadcast()
    }
}
