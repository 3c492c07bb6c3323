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
/// `marks.mark` runs with no lock held and before the first byte goes into a span: the index never calls a span clean
/// that holds a user's byte.
public final class FileContent: Sendable {
    enum SpanState: UInt8, Sendable {
        case absent, clean, dirty
        /// Clean before a stop that was none: to be hashed before anybody believes it.
        case suspect
    }

    struct State {
        var spans = SpanMap()
        var filling: Set<Int> = []
        /// For dirty spans that were whole when they were first written to: which pieces changed since the region's
        /// content. One that is not here counts as changed all over.
        var pieces: [Int: PieceSet] = [:]
        /// Pieces of absent spans, of the region's content: see `Glimpse`.
        var glimpses: [Int: [UInt8]] = [:]
        var size: Int64
        /// The region's content that clean and absent spans belong to.
        var revision: Revision
        /// Where the region's bytes end; behind it an absent span is a hole and not a lack.
        var remoteSize: Int64
        /// How far the region's content reached before the file was cut here: growing again makes holes up to there
        /// that the region must be told of. 0 where it was not cut.
        var cutFrom: Int64 = 0
        /// The tables say that the backing file is to be cut, for the case that the daemon dies before it is. It is by
        /// now, and they must hear of that before it grows again, or the next start would cut what was written since.
        var isCutDue = false
        var modified: Timestamp
        /// When somebody last wrote here, which `modified` does not say where a program set another time since.
        var written = Timestamp.zero
        /// Size or time changed since the database last heard of them.
        var isUnsaved = false
        /// Bytes changed since the journal last got a commit for this file.
        var isUncommitted = false
        /// Spans that the region was handed before a power cut took them from here: they come back once it has
        /// answered, and until then nobody may take them for holes.
        var owed: Set<Int> = []
        /// Bytes changed since the backing file was last made durable.
        var isUnsynchronized = false
        var isSynchronizing = false
        /// Set for good once the disk failed to take bytes: what it dropped it does not report again.
        var failure: Errno?
        /// The last generation in which the index was told of this file.
        var generation: Int64 = 0
        /// Spans that the tables call dirty because of writes that did not get in, and that are none.
        var strays: Set<Int> = []
        /// The generation in which the first span was marked when the file was made, before anybody wrote to it; 0
        /// where it was not, or where the mark is gone.
        var premark: Int64 = 0
        /// Whether the backing file says whose it is.
        var isPlaced = false
        var insideCount = 0
        /// Somebody writes at the end, wherever that is when he is done.
        var isAppending = false
        var isFrozen = false
        var snapshot: ContentSnapshot?
    }

    public let inode: Inode
    let backing: FileDescriptor
    let state: Condition<State>
    let marks: any ContentMarks
    let time: TimeSource

    init(
        _ known: KnownContent,
        backing: consuming FileDescriptor,
        time: TimeSource,
        marks: any ContentMarks
    ) throws(Errno) {
        let node = known.node
        inode = node.inode
        self.marks = marks
        self.time = time
        var state = State(
            size: node.attributes.size,
            revision: node.content,
            remoteSize: node.content == 0 ? 0 : node.contentSize,
            cutFrom: known.cutFrom,
            modified: node.attributes.modified
        )
        for (span, kept) in known.spans {
            let isSuspect = known.isSuspect && known.suspects?.contains(span) ?? true
            state.spans[span] = kept == .dirty ? .dirty : isSuspect ? .suspect : .clean
        }
        state.pieces = known.pieces.filter { state.spans[$0.key] == .dirty }
        state.owed = known.owed
        // Who wrote and closed may have left to us what an fsync has to make certain.
        state.generation = known.generation
        if let premark = known.premark { (state.premark, state.strays) = (premark, [0]) }
        state.isUnsynchronized = state.spans.contains(.dirty)
        // Without spans nothing but the size must be kept, and leftovers of older content must not shine through. The
        // size is compared first: most files have it, and setting it costs.
        let backingSize = try backing.status().st_size
        let isStale = backingSize != off_t(state.size)
        if known.spans.isEmpty {
            var hasBytes = false
            if backingSize > 0 { hasBytes = try backing.nextData(from: 0) != nil }
            if hasBytes { try backing.truncate(to: 0) }
            if isStale || hasBytes { try backing.truncate(to: state.size) }
        } else if isStale, !state.spans.contains(.dirty) {
            try backing.truncate(to: state.size)
        }
        self.backing = backing
        self.state = Condition(state)
    }

    // MARK: What the kernel asks

    /// Whether the tables lack something of what it is now.
    var isUnsaved: Bool { state.withLock { $0.isUnsaved || $0.isUncommitted || !$0.strays.isEmpty } }

    /// Whether somebody is inside, who may be telling the tables.
    var isBusy: Bool { state.withLock { $0.insideCount > 0 } }

    /// Whether the backing file says nothing that the region does not say too.
    var hasNothingHere: Bool {
        state.withLock { state in
            state.spans.isEmpty && state.revision != 0 && Self.isQuiet(state) && state.insideCount == 0
                && state.snapshot == nil && !state.isUnsaved && !state.isUncommitted && !state.isCutDue
                && state.strays.isEmpty && state.premark == 0
        }
    }

    public var live: (size: Int64, modified: Timestamp) { state.withLock { ($0.size, $0.modified) } }

    /// Throws what a read there would lack.
    public func requireReadable(at offset: Int64, count: Int) throws(Obstacle) {
        guard offset >= 0 else { throw .errno(.invalid) }
        try state.withLock { state throws(Obstacle) in
            let end = offset + min(Int64(count), max(0, state.size - offset))
            if end > offset { try Self.requirePresent(offset..<end, inode, state) }
        }
    }

    /// Fills as much of the buffer as the file has from `offset` on. What is not here comes from the glimpse.
    public func read(
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: Int64,
        with glimpse: Glimpse? = nil
    ) throws(Obstacle) -> Int {
        var parts: [(offset: Int64, bytes: [UInt8])] = []
        let count = try enter { state throws(Obstacle) -> Int in
            guard offset >= 0 else { throw .errno(.invalid) }
            let count = Int(min(Int64(buffer.count), max(0, state.size - offset)))
            guard count > 0 else { return 0 }
            let range = offset..<offset + Int64(count)
            if let glimpse, Self.hasAll(range, glimpse, state) {
                parts = glimpse.parts.filter { part in
                    Self.isLacking(Int(part.offset / Int64(Limits.spanBytes)), state)
                }
            } else {
                try Self.requirePresent(range, inode, state)
            }
            return count
        }
        defer { leave() }
        guard count > 0 else { return 0 }
        let target = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
        do throws(Errno) {
            let read = try backing.read(into: target, at: offset)
            guard !parts.isEmpty else { return read }
        } catch {
            throw .errno(error)
        }
        for part in parts {
            let range = (part.offset..<part.offset + Int64(part.bytes.count)).clamped(
                to: offset..<offset + Int64(count)
            )
            guard !range.isEmpty else { continue }
            part.bytes.withUnsafeBytes { bytes in
                let from = Int(range.lowerBound - part.offset)
                let to = UnsafeMutableRawBufferPointer(rebasing: target[Int(range.lowerBound - offset)...])
                to.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[from..<from + range.count]))
            }
        }
        return count
    }

    /// Writes at `offset`, or at the end of the file as it is when the write happens. Says how much of it got in.
    public func write(
        _ bytes: UnsafeRawBufferPointer,
        at requested: Int64?,
        limit: Int64 = Limits.fileBytesMax
    ) throws(Obstacle) -> Int {
        guard !bytes.isEmpty else { return 0 }
        try marks.admit(bytes.count)
        let place = { (state: State) throws(Obstacle) -> Change in
            let offset = requested ?? state.size
            guard offset >= 0, offset <= limit - Int64(bytes.count) else { throw .errno(.fileTooLarge) }
            return Change(range: offset..<offset + Int64(bytes.count))
        }
        return try change(place, isAppend: requested == nil) { range in
            let (count, failure) = backing.writeSome(bytes, at: range.lowerBound)
            return Progress(bytes: Int64(count), failure: failure)
        }
    }

    /// The last part of a change of bytes: where, and whether the size stays though bytes change (punched holes).
    struct Change {
        var range: Range<Int64>
        var keepsSize = false
    }

    /// Changes bytes: decides where under the lock, marks what becomes dirty, runs the system call, and takes note.
    /// Says how many bytes were changed: fewer where the disk took no more, and then the file is as if those had been
    /// all. Where it took none that is thrown, and nothing has changed.
    ///
    /// A span that is absent and written whole gets its bytes before its mark: were it the other way, a death between
    /// the two would leave a dirty span of zeros in place of the region's bytes.
    @discardableResult
    func change(
        _ decide: (State) throws(Obstacle) -> Change,
        isAppend: Bool = false,
        _ perform: (Range<Int64>) -> Progress
    ) throws(Obstacle) -> Int {
        var plan = Plan(isAppend: isAppend)
        let change = try enter(isAppend: isAppend) { state throws(Obstacle) -> Change in
            let change = try decide(state)
            plan.oldSize = state.size
            plan.end = change.keepsSize ? min(state.size, change.range.upperBound) : change.range.upperBound
            plan.fresh = try prepare(change.range, growingTo: plan.end, &state)
            if !plan.fresh.isEmpty {
                plan.covered = plan.fresh.filter { Self.isLacking($0, state) }
                // Nobody fills them meanwhile.
                for span in plan.covered { state.filling.insert(span) }
            }
            plan.mustTell = state.isCutDue
            if !state.strays.isEmpty { state.strays.subtract(plan.fresh) }
            return change
        }
        var progress = Progress(bytes: 0, failure: nil)
        do throws(Errno) { progress = try run(plan, change.range, perform) } catch { progress.failure = error }
        let isWhole = progress.failure == nil
        if isWhole || progress.bytes > 0 { note(change, plan, progress.bytes) }
        leave(plan)
        if !isWhole { tidy(upTo: change.range.lowerBound + progress.bytes, plan) }
        if let failure = progress.failure, progress.bytes == 0 { throw .errno(failure) }
        return Int(progress.bytes)
    }

    /// What the tables are told of a cut or an extension, before the backing file gets that size.
    struct Resizing {
        var size: Int64
        var old: Int64
        var modified: Timestamp
        /// Spans that become dirty with it.
        var fresh: [Int]
    }

    /// Cuts or extends. `tell` writes that into the tables, in one transaction; where it fails nothing has happened.
    func truncate(to size: Int64, telling tell: (Resizing) throws(Obstacle) -> Void) throws(Obstacle) {
        guard size >= 0, size <= Limits.fileBytesMax else { throw .errno(size < 0 ? .invalid : .fileTooLarge) }
        let now = time.wall
        var resizing = Resizing(size: size, old: 0, modified: now, fresh: [])
        try state.waitThrowing(until: Self.isQuiet) { state throws(Obstacle) in
            resizing.fresh = try prepareTruncation(to: size, &state)
            resizing.old = state.size
            state.isFrozen = true
        }
        do throws(Obstacle) { try tell(resizing) } catch {
            thaw { _ in }
            throw error
        }
        do throws(Errno) { try backing.truncate(to: size) } catch {
            thaw { $0.becameStuck(resizing, error) }
            throw .errno(error)
        }
        thaw { $0.resize(resizing) }
    }

    /// The bytes survive a power cut when this returns.
    public func synchronize() throws(Errno) {
        let isDue = try state.waitThrowing(until: { !$0.isSynchronizing }) { state throws(Errno) -> Bool in
            if let failure = state.failure { throw failure }
            guard state.isUnsynchronized else { return false }
            (state.isUnsynchronized, state.isSynchronizing) = (false, true)
            return true
        }
        guard isDue else { return }
        var failure: Errno?
        do throws(Errno) { try backing.synchronizeData() } catch { failure = error }
        state.withLock { state in
            state.isSynchronizing = false
            state.failure = state.failure ?? failure
        }
        state.broadcast()
        if let failure { throw failure }
    }

    // MARK: Doors

    /// Who appends waits for whoever does: where the other does not get everything in, this one begins where that
    /// ended.
    func enter<Result>(
        isAppend: Bool = false,
        _ body: (inout State) throws(Obstacle) -> Result
    ) throws(Obstacle) -> Result {
        try state.waitThrowing(until: { !$0.isFrozen && !(isAppend && $0.isAppending) }) { state throws(Obstacle) in
            let result = try body(&state)
            state.insideCount += 1
            if isAppend { state.isAppending = true }
            return result
        }
    }

    func leave() { leave(Plan()) }

    func leave(_ plan: Plan) {
        state.withLock { state in
            state.insideCount -= 1
            if plan.isAppend { state.isAppending = false }
            for span in plan.covered { state.filling.remove(span) }
        }
        state.broadcast()
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

/// What the index knows of a file when it is opened.
struct KnownContent {
    var node: LocalNode
    var spans: [(span: Int, state: ContentTable.State)]
    var cutFrom: Int64 = 0
    /// The last stop was none: clean bytes must be hashed first.
    var isSuspect = false
    /// Which of them, where this daemon looked at the file before.
    var suspects: Set<Int>?
    /// What changed of dirty spans, as far as that is known.
    var pieces: [Int: PieceSet] = [:]
    /// The last generation in which the index was told of it.
    var generation: Int64 = 0
    var owed: Set<Int> = []
    /// Made a moment ago, with its first span marked in this generation.
    var premark: Int64?
}
