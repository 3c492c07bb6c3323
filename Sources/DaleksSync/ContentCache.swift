import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem

/// The files that somebody works with now: at most one `FileContent` for each inode.
///
/// ## Concurrency
/// `state` is guarded by its condition. Loading does input and output without the lock; whoever wants the same inode
/// waits for it. Uses are counted, and a content leaves when the last user lets go of it.
final class ContentCache: Sendable {
    private struct Slot {
        var content: FileContent
        var useCount: Int
    }

    private struct State {
        var slots: [Inode: Slot] = [:]
        /// Being loaded, or being changed from outside: whoever wants one of these waits.
        var loading: Set<Inode> = []
        var isSuspect = false
        var trustsUnhashed = false
        /// Files that were used since the index last heard of it, and when.
        var uses: [Inode: Timestamp] = [:]
        /// Which pieces of dirty spans changed, of files that nobody has open; what is forgotten is uploaded whole.
        var pieces: [Inode: (base: Revision, pieces: [Int: PieceSet])] = [:]
        /// Of files that this daemon used: which spans nobody has hashed yet. What is forgotten is hashed again.
        var suspects: [Inode: Set<Int>] = [:]
    }

    private static let piecesCountMax = 4_096
    private static let suspectsCountMax = 65_536

    private let database: Database
    private let store: BackingStore
    private let time: TimeSource
    let barrier: ContentBarrier
    private let state = Condition(State())

    init(database: Database, store: BackingStore, barrier: ContentBarrier, time: TimeSource) {
        self.database = database
        self.store = store
        self.barrier = barrier
        self.time = time
    }

    /// Clean bytes that an earlier daemon left are not believed before they were hashed.
    func distrust(_ ending: LocalTree.Ending) {
        state.withLock { ($0.isSuspect, $0.trustsUnhashed) = (true, ending == .killed) }
    }

    /// Whether an earlier daemon left clean bytes that nobody vouches for.
    var isSuspect: Bool { state.withLock { $0.isSuspect } }

    /// Whether clean bytes count where nobody noted what they hash to.
    var trustsUnhashed: Bool { state.withLock { $0.trustsUnhashed } }

    /// The content of a file, for use until `release`.
    func use(_ inode: Inode) throws(Errno) -> FileContent {
        let present: FileContent? = state.waitThrowing(until: { !$0.loading.contains(inode) }) { state in
            if let slot = state.slots[inode] {
                state.slots[inode]?.useCount += 1
                return slot.content
            }
            state.loading.insert(inode)
            return nil
        }
        if let present { return present }
        defer { state.broadcast() }
        do throws(Errno) {
            let content = try load(inode)
            state.withLock { state in
                state.slots[inode] = Slot(content: content, useCount: 1)
                state.loading.remove(inode)
            }
            return content
        } catch {
            state.withLock { _ = $0.loading.remove(inode) }
            throw error
        }
    }

    /// Ends a use.
    func release(_ inode: Inode) { leave(inode, isUse: true) }

    /// Ends a use that was none for those who count: looking after a file is not using it.
    func leave(_ inode: Inode) { leave(inode, isUse: false) }

    private func leave(_ inode: Inode, isUse: Bool) {
        state.withLock { state in
            guard let slot = state.slots[inode] else { return }
            if isUse { state.uses[inode] = time.wall }
            if slot.useCount > 1 {
                state.slots[inode]?.useCount -= 1
            } else {
                state.slots[inode] = nil
                let known = slot.content.state.withLock { ($0.revision, $0.pieces) }
                if state.pieces.count >= Self.piecesCountMax { state.pieces = [:] }
                state.pieces[inode] = known.1.isEmpty ? nil : known
                guard state.isSuspect else { return }
                // Or whoever opens it anew after what he needed was hashed would need it hashed again, and again.
                if state.suspects.count >= Self.suspectsCountMax { state.suspects = [:] }
                state.suspects[inode] = slot.content.state.withLock { state in
                    Set(state.spans.spans { $0 == .suspect })
                }
            }
        }
    }

    /// Runs `body` with those of the files that somebody works with, and lets nobody begin to work with the others
    /// meanwhile: what is loaded from tables that are being changed would go on showing the old.
    func holding<Result, Failure: Error>(
        _ inodes: Set<Inode>,
        _ body: ([Inode: FileContent]) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let held = state.waitThrowing(until: { $0.loading.isDisjoint(with: inodes) }) { state in
            var held: [Inode: FileContent] = [:]
            for inode in inodes {
                if let slot = state.slots[inode] {
                    state.slots[inode]?.useCount += 1
                    held[inode] = slot.content
                } else {
                    state.loading.insert(inode)
                }
            }
            return held
        }
        defer {
            state.withLock { $0.loading.subtract(inodes.subtracting(held.keys)) }
            state.broadcast()
            for inode in held.keys { leave(inode) }
        }
        return try body(held)
    }

    /// The content if somebody uses it now. The caller does not count as a user: it must not keep it.
    func loaded(_ inode: Inode) -> FileContent? { state.withLock { $0.slots[inode]?.content } }

    func with<Result>(
        _ inode: Inode,
        _ body: (FileContent) throws(Obstacle) -> Result
    ) throws(Obstacle) -> Result {
        let content: FileContent
        do throws(Errno) { content = try use(inode) } catch { throw .errno(error) }
        defer { release(inode) }
        return try body(content)
    }

    /// Whether anybody works with any file.
    var hasLoaded: Bool { state.withLock { !$0.slots.isEmpty } }

    var allLoaded: [FileContent] { state.withLock { $0.slots.values.map(\.content) } }

    /// Which files were used since the last call, and when.
    func takeUses() -> [Inode: Timestamp] {
        state.withLock { state in
            defer { state.uses = [:] }
            return state.uses
        }
    }

    private func load(_ inode: Inode) throws(Errno) -> FileContent {
        let (isSuspect, pieces, suspects) = state.withLock {
            ($0.isSuspect, $0.pieces.removeValue(forKey: inode), $0.suspects[inode])
        }
        let known = try database.reading { db throws -> KnownContent? in
            guard let node = try NodeTable.find(inode, in: db) else { return nil }
            let spans = try ContentTable.states(of: inode, in: db)
            return KnownContent(
                node: node,
                spans: spans,
                cutFrom: try ContentGenerationTable.cut(of: inode, content: node.content, in: db),
                isSuspect: isSuspect,
                suspects: suspects,
                pieces: pieces.flatMap { $0.base == node.content ? $0.pieces : nil } ?? [:],
                generation: try ContentGenerationTable.last(of: inode, in: db),
                owed: isSuspect ? try LocalTree.owedSpans(of: node, here: Set(spans.map(\.span)), db) : []
            )
        }
        guard let known else { throw .noEntry }
        guard known.node.attributes.kind == .file else { throw .invalid }
        return try FileContent(known, backing: try store.open(inode), time: time, marks: barrier)
    }
}
