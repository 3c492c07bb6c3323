import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem

/// The files that somebody works with now: at most one `FileContent` for each inode.
///
/// Some that nobody works with any more stay for a while, since most files are wanted again soon: by a program, or by
/// the upload of what was just written. They count as nobody's, and learn of changes as open ones do.
///
/// ## Concurrency
/// `state` is guarded by its condition. Loading does input and output without the lock; whoever wants the same inode
/// waits for it. Uses are counted. What leaves is let go of without the lock: it closes a descriptor.
final class ContentCache: Sendable {
    fileprivate struct Slot {
        var content: FileContent
        var useCount: Int
        /// When it became idle, by the count of such events.
        var idleSince: UInt64 = 0

        func isIdle(since moment: UInt64) -> Bool { useCount == 0 && idleSince == moment }
    }

    fileprivate struct State {
        var slots: [Inode: Slot] = [:]
        var idleCount = 0
        /// Those that became idle, the longest first; entries of some that were used since are still here.
        var idle: [(inode: Inode, since: UInt64)] = []
        var idleHead = 0
        var idleEvents: UInt64 = 0
        /// How often what somebody knew of a file was left to the tables.
        var departures: UInt64 = 0
        /// Being loaded, or being changed from outside: whoever wants one of these waits.
        var loading: Set<Inode> = []
        var isSuspect = false
        var trustsUnhashed = false
        /// Files that were used since the index last heard of it, and when.
        var uses: [Inode: Timestamp] = [:]
        /// Which pieces of dirty spans changed, of files that nobody has open; what is forgotten is uploaded whole.
        var pieces: [Inode: (base: Revision, pieces: [Int: PieceSet])] = [:]
        /// Of files whose content an earlier daemon handed to the region, which has not answered: how large they were.
        var handedOver: [Inode: Int64] = [:]
        /// Called when the last who worked with a file leaves it.
        var unused: (@Sendable (Inode) -> Void)?
        /// Of files that this daemon used: which spans nobody has hashed yet. What is forgotten is hashed again.
        var suspects: [Inode: Set<Int>] = [:]
    }

    fileprivate static let piecesCountMax = 4_096
    fileprivate static let suspectsCountMax = 65_536

    /// Each keeps a descriptor open.
    fileprivate static let idleCountMax = 256

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

    /// What happens whenever the last who worked with a file has left it, with nothing held.
    func whenUnused(_ body: @escaping @Sendable (Inode) -> Void) { state.withLock { $0.unused = body } }

    /// Clean bytes that an earlier daemon left are not believed before they were hashed.
    func distrust(_ ending: LocalTree.Ending) {
        state.withLock { ($0.isSuspect, $0.trustsUnhashed) = (true, ending == .killed) }
    }

    /// An earlier daemon handed these to the region, which has so much of each of them or will have it.
    func noteHandedOver(_ sizes: [Inode: Int64]) { state.withLock { $0.handedOver = sizes } }

    /// The region answered.
    func forgetHandedOver(_ inode: Inode) { state.withLock { $0.handedOver[inode] = nil } }

    /// Whether an earlier daemon left clean bytes that nobody vouches for.
    var isSuspect: Bool { state.withLock { $0.isSuspect } }

    /// Whether clean bytes count where nobody noted what they hash to.
    var trustsUnhashed: Bool { state.withLock { $0.trustsUnhashed } }

    /// The content of a file, for use until `release`.
    func use(_ inode: Inode) throws(Errno) -> FileContent {
        let present: FileContent? = state.waitThrowing(until: { !$0.loading.contains(inode) }) { state in
            if let content = state.use(inode) { return content }
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

    /// A node that is being made: whoever wants it waits until `useNew` or `cancelReservation`.
    func reserve(_ inode: Inode) { state.withLock { _ = $0.loading.insert(inode) } }

    func cancelReservation(of inode: Inode) {
        state.withLock { _ = $0.loading.remove(inode) }
        state.broadcast()
    }

    /// The content of a reserved node, which nobody has used and nothing is known of but that its first span was marked
    /// in `generation`, for use until `release`.
    func useNew(_ node: LocalNode, markedIn generation: Int64) throws(Errno) -> FileContent {
        defer { cancelReservation(of: node.inode) }
        let isSuspect = state.withLock { $0.isSuspect }
        let known = KnownContent(node: node, spans: [], isSuspect: isSuspect, premark: generation)
        let content = try FileContent(known, backing: try store.open(node.inode), time: time, marks: barrier)
        state.withLock { $0.slots[node.inode] = Slot(content: content, useCount: 1) }
        return content
    }

    /// Ends a use.
    func release(_ inode: Inode) { leave(inode, isUse: true) }

    /// Ends a use that was none for those who count: looking after a file is not using it.
    func leave(_ inode: Inode) { leave(inode, isUse: false) }

    private func leave(_ inode: Inode, isUse: Bool) {
        let (gone, unused) = state.withLock { state -> ([FileContent], (@Sendable (Inode) -> Void)?) in
            guard let slot = state.slots[inode] else { return ([], nil) }
            if isUse { state.uses[inode] = time.wall }
            guard slot.useCount <= 1 else {
                state.slots[inode]?.useCount -= 1
                return ([], nil)
            }
            // One whose disk failed is opened anew: the next user may be luckier.
            if slot.content.state.withLock({ $0.failure != nil }) {
                return ([state.drop(inode)].compactMap { $0 }, state.unused)
            }
            state.rest(inode)
            var gone: [FileContent] = []
            while state.idleCount > Self.idleCountMax, let longest = state.longestIdle() {
                if let content = state.drop(longest) { gone.append(content) }
            }
            return (gone, state.unused)
        }
        withExtendedLifetime(gone) {}
        unused?(inode)
    }

    /// Lets go of those of the files that nobody works with, but for those of which the tables do not know all.
    func dropIdle(_ inodes: some Sequence<Inode>) {
        let gone = state.withLock { state in
            inodes.compactMap { inode -> FileContent? in
                guard let slot = state.slots[inode], slot.useCount == 0, !slot.content.isUnsaved else { return nil }
                return state.drop(inode)
            }
        }
        withExtendedLifetime(gone) {}
    }

    /// Takes away the backing file of one that nobody works with, where nothing of it is here: whoever wants it next
    /// makes it anew, and waits until this is done.
    func shed(_ inode: Inode) throws(Errno) -> Bool {
        let content = state.withLock { state -> FileContent? in
            guard !state.loading.contains(inode), let slot = state.slots[inode], slot.useCount == 0,
                slot.content.hasNothingHere
            else { return nil }
            state.loading.insert(inode)
            return state.drop(inode)
        }
        guard let content else { return false }
        defer {
            state.withLock { _ = $0.loading.remove(inode) }
            state.broadcast()
        }
        try withExtendedLifetime(content) { () throws(Errno) in try store.removeNow(inode) }
        return true
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
                if let content = state.use(inode) {
                    held[inode] = content
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
        // What was marked and not written to would look like somebody's bytes.
        for content in held.values { try? content.unmarkStrays() }
        return try body(held)
    }

    /// The content if somebody uses it now, or if the tables do not know all of it. The caller does not count as a
    /// user: it must not keep it.
    func loaded(_ inode: Inode) -> FileContent? { state.withLock { $0.loaded(inode) } }

    /// How often, up to now, a file that was loaded became one that the tables alone tell of. Who reads the tables
    /// first and then finds it not loaded has read too early where this has changed.
    var departures: UInt64 { state.withLock { $0.departures } }

    /// The tables know all of a file that nobody works with, told before that shows.
    func noteSaved(_ inode: Inode) {
        state.withLock { if $0.slots[inode]?.useCount == 0 { $0.departures += 1 } }
    }

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
    var hasLoaded: Bool { state.withLock { $0.slots.count > $0.idleCount } }

    var allLoaded: [FileContent] {
        state.withLock { state in
            state.slots.values.lazy.filter { $0.useCount > 0 || $0.content.isUnsaved }.map(\.content)
        }
    }

    /// Which files were used since the last call, and when.
    func takeUses() -> [Inode: Timestamp] {
        state.withLock { state in
            defer { state.uses = [:] }
            return state.uses
        }
    }

    private func load(_ inode: Inode) throws(Errno) -> FileContent {
        let (isSuspect, pieces, suspects, handedOver) = state.withLock {
            ($0.isSuspect, $0.pieces.removeValue(forKey: inode), $0.suspects[inode], $0.handedOver[inode] ?? 0)
        }
        let known = try database.reading { db throws -> KnownContent? in
            guard let node = try NodeTable.find(inode, in: db) else { return nil }
            let (spans, generation) = try ContentTable.spans(of: inode, in: db)
            let note = try ContentGenerationTable.note(of: inode, in: db)
            return KnownContent(
                node: node,
                spans: spans,
                cutFrom: max(handedOver, note.cut(of: node.content)),
                isSuspect: isSuspect,
                suspects: suspects,
                pieces: pieces.flatMap { $0.base == node.content ? $0.pieces : nil } ?? [:],
                generation: max(generation, note.generation),
                owed: isSuspect ? try LocalTree.owedSpans(of: node, here: Set(spans.map(\.span)), db) : []
            )
        }
        guard let known else { throw .noEntry }
        guard known.node.attributes.kind == .file else { throw .invalid }
        return try FileContent(known, backing: try store.open(inode), time: time, marks: barrier)
    }
}

extension ContentCache.State {
    fileprivate mutating func use(_ inode: Inode) -> FileContent? {
        guard let slot = slots[inode] else { return nil }
        if slot.useCount == 0 { idleCount -= 1 }
        slots[inode]?.useCount += 1
        return slot.content
    }

    fileprivate func loaded(_ inode: Inode) -> FileContent? {
        guard let slot = slots[inode] else { return nil }
        return slot.useCount > 0 || slot.content.isUnsaved || slot.content.isBusy ? slot.content : nil
    }

    /// The last user is gone.
    fileprivate mutating func rest(_ inode: Inode) {
        departures += 1
        idleEvents += 1
        idleCount += 1
        slots[inode]?.useCount = 0
        slots[inode]?.idleSince = idleEvents
        idle.append((inode, idleEvents))
        if idle.count > 4 * ContentCache.idleCountMax {
            idle = idle[idleHead...].filter { slots[$0.inode]?.isIdle(since: $0.since) ?? false }
            idleHead = 0
        }
    }

    /// The one that nobody has used for longest, and of which the tables know all.
    fileprivate mutating func longestIdle() -> Inode? {
        for _ in idleHead..<idle.count {
            let (inode, since) = idle[idleHead]
            idleHead += 1
            guard let slot = slots[inode], slot.isIdle(since: since) else { continue }
            if !slot.content.isUnsaved { return inode }
            // It could not be saved when it was closed: it stays until that is done.
            idle.append((inode, since))
        }
        return nil
    }

    /// Takes a content out, and keeps what no table knows of it.
    fileprivate mutating func drop(_ inode: Inode) -> FileContent? {
        guard let slot = slots.removeValue(forKey: inode) else { return nil }
        departures += 1
        if slot.useCount == 0 { idleCount -= 1 }
        let known = slot.content.state.withLock { ($0.revision, $0.pieces) }
        if pieces.count >= ContentCache.piecesCountMax { pieces = [:] }
        pieces[inode] = known.1.isEmpty ? nil : known
        if isSuspect {
            // Or whoever opens it anew after what he needed was hashed would need it hashed again, and again.
            if suspects.count >= ContentCache.suspectsCountMax { suspects = [:] }
            suspects[inode] = slot.content.state.withLock { state in Set(state.spans.spans { $0 == .suspect }) }
        }
        return slot.content
    }
}
