import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem

/// Makes the index durable, and before it the bytes that it speaks of.
///
/// Whatever the index is told of content carries the generation that is open then. `flush` closes the generation, waits
/// until those who are at it have put their bytes where they belong, makes the files of it durable, writes "vouched" up
/// to it, and then makes the log durable. Many callers share one flush.
///
/// ## Concurrency
/// `state` is guarded by its condition and held for arithmetic. One thread flushes at a time; the others wait for it
/// and, where they came too late, one of them flushes next.
final class ContentBarrier: ContentMarks {
    private struct State {
        var open: Int64 = 1
        var vouched: Int64 = 0
        /// Those who are telling the index something, by generation.
        var activeCounts: [Int64: Int] = [:]
        /// Files that the open generation speaks of.
        var files: [Inode: FileContent] = [:]
        /// More files than are worth one barrier each: the whole file system is made durable instead.
        var isMany = false
        /// Whether the open generation has anything to vouch for.
        var isUsed = false
        var isFlushing = false
        /// The log as it was when the last flush began.
        var flushed = LogPosition.start
        var writtenBytes = 0
        var isStopping = false
    }

    /// One barrier for the file system costs about as much as so many for single files, and keeps no descriptors.
    private static let fileCountMax = 48

    /// How long what was done may stay without a barrier, and how many bytes.
    private static let flushInterval: Duration = .seconds(5)
    private static let flushBytes = 64 << 20

    private let database: Database
    private let store: BackingStore
    private let logger: Logger
    private let gate: SpaceGate
    private let state = Condition(State())

    init(database: Database, store: BackingStore, gate: SpaceGate, logger: Logger) {
        self.database = database
        self.store = store
        self.gate = gate
        self.logger = logger
    }

    /// After recovery: what the index speaks of now is durable and vouched for.
    func begin(after generation: Int64) {
        state.withLock { state in
            state.vouched = generation
            state.open = generation + 1
        }
    }

    var vouched: Int64 { state.withLock { $0.vouched } }

    /// The generation that is open now.
    var open: Int64 { state.withLock { $0.open } }

    // MARK: Telling the index

    func mark(_ content: FileContent, _ spans: [Int], _ change: () throws(Errno) -> Void) throws(Errno) {
        try telling(content) { generation throws(Errno) in
            let inode = content.inode
            // A small file is placed when it is saved, which is soon and not in the writer's way.
            let isPlaceDue = spans != [0] && content.takePlaceDue()
            let (isCutDue, premark) = content.state.withLock { ($0.isCutDue, $0.premark) }
            // Told when the file was made, in this very generation, which stays open until the bytes are in.
            if premark == generation, spans == [0], !isCutDue {
                content.state.withLock { state in
                    (state.generation, state.isUnsynchronized) = (generation, true)
                    // Once: what the region has taken of the span is clean after that.
                    state.premark = 0
                }
                return try change()
            }
            let place: ContentPlace?
            do throws(Errno) {
                place = try database.writing { db throws -> ContentPlace? in
                    if isCutDue { try ContentGenerationTable.noteCutDone(of: inode, in: db) }
                    try ContentTable.mark(spans: spans, of: inode, generation: generation, in: db)
                    return isPlaceDue ? try ContentPlace.find(inode, in: db) : nil
                }
            } catch {
                if isPlaceDue { content.state.withLock { $0.isPlaced = false } }
                throw error
            }
            content.state.withLock { state in
                state.generation = generation
                // Before this generation can be closed: whoever writes says so himself only after he was here.
                state.isUnsynchronized = true
                // Nobody cuts it while somebody is inside.
                if isCutDue { state.isCutDue = false }
            }
            if let place { content.write(place) }
            try change()
        }
    }

    func unmark(_ inode: Inode, _ spans: Set<Int>) throws(Errno) {
        try database.writing { db throws in try ContentTable.drop(spans: spans.sorted(), of: inode, in: db) }
    }

    /// Runs `body`, which writes what it says of the content with the generation that it is given.
    func telling<Result, Failure: Error>(
        _ content: FileContent,
        _ body: (Int64) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let generation = state.withLock { state in
            state.activeCounts[state.open, default: 0] += 1
            state.isUsed = true
            if !state.isMany { state.files[content.inode] = content }
            if state.files.count > Self.fileCountMax { (state.isMany, state.files) = (true, [:]) }
            return state.open
        }
        defer { endTelling(generation) }
        return try body(generation)
    }

    private func endTelling(_ generation: Int64) {
        let isLast = state.withLock { state in
            let left = (state.activeCounts[generation] ?? 1) - 1
            state.activeCounts[generation] = left > 0 ? left : nil
            return left <= 0 && generation < state.open
        }
        if isLast { state.broadcast() }
    }

    func admit(_ count: Int) throws(Obstacle) { try gate.admit(count) }

    func wrote(_ count: Int) {
        let isEnough = state.withLock { state in
            let before = state.writtenBytes
            state.writtenBytes += count
            return before < Self.flushBytes && state.writtenBytes >= Self.flushBytes
        }
        if isEnough { state.broadcast() }
    }

    // MARK: The barrier

    private struct Work {
        var generation: Int64
        var files: [FileContent]
        var isMany: Bool
        var isUsed: Bool
    }

    private enum Turn {
        case done
        case lead
    }

    /// Returns when everything that was done before the call survives a power cut.
    func flush() throws(Errno) {
        let position = database.position
        let target = state.withLock { $0.isUsed ? $0.open : $0.open - 1 }
        while true {
            let turn = state.wait { state -> Turn? in
                if state.vouched >= target, self.database.isDurable(position) { return .done }
                guard !state.isFlushing else { return nil }
                state.isFlushing = true
                return .lead
            }
            guard turn == .lead else { return }
            defer {
                state.withLock { $0.isFlushing = false }
                state.broadcast()
            }
            try lead()
        }
    }

    private func lead() throws(Errno) {
        let work = state.withLock { state in
            let work = Work(
                generation: state.open,
                files: Array(state.files.values),
                isMany: state.isMany,
                isUsed: state.isUsed
            )
            if work.isUsed { state.open += 1 }
            (state.files, state.isMany, state.isUsed, state.writtenBytes) = ([:], false, false, 0)
            return work
        }
        do throws(Errno) {
            try perform(work)
        } catch {
            // They are due still.
            state.withLock { state in
                for file in work.files { state.files[file.inode] = file }
                state.isMany = state.isMany || work.isMany
                state.isUsed = state.isUsed || work.isUsed
            }
            logger.error("what was written could not be made durable", ["reason": error])
            throw error
        }
        if work.isUsed { state.withLock { $0.vouched = max($0.vouched, work.generation) } }
    }

    private func perform(_ work: Work) throws(Errno) {
        if work.isUsed {
            _ = state.wait { $0.activeCounts.keys.contains { $0 <= work.generation } ? nil : true }
            if work.isMany { try store.synchronizeAll() }
            for file in work.files { try file.synchronize() }
            try database.writing { db throws in try MetaTable.set(.vouched, work.generation, in: db) }
        }
        do { try database.flush() } catch { throw Errno(error) }
    }

    // MARK: In the background

    /// On a thread of its own: keeps the part of the log that is not durable short.
    func run() {
        while true {
            let isStopping =
                state.wait(timeout: Self.flushInterval) { state -> Bool? in
                    if state.isStopping { return true }
                    return state.writtenBytes >= Self.flushBytes ? false : nil
                } ?? false
            if isStopping { return }
            // A failure is logged; whoever asks for an fsync hears of it.
            try? flush()
            state.withLock { $0.writtenBytes = 0 }
        }
    }

    func stop() {
        state.withLock { $0.isStopping = true }
        state.broadcast()
    }
}
