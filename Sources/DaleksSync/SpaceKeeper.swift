import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem

/// Keeps the cache within its limit and the disk above its reserve: the longest unused clean bytes go first, and
/// nothing that the region does not have.
///
/// ## Concurrency
/// `run` is a thread of its own; `state` is how others speak to it.
final class SpaceKeeper: Sendable {
    private struct State {
        var isStopping = false
        var isAwake = true
        var bytesHere: Int64 = 0
        /// As of when that was: to count means to look at every span, which a machine at rest shall not do for ever.
        var counted: LogPosition?
    }

    private static let interval: Duration = .seconds(10)

    /// Files that are chosen at once: to choose means to look at all that are here.
    private static let batchCount = 4_096

    private let tree: LocalTree
    private let space: CacheSpace
    private let time: TimeSource
    private let logger: Logger
    private let state = Condition(State())

    init(tree: LocalTree, space: CacheSpace, time: TimeSource, logger: Logger) {
        self.tree = tree
        self.space = space
        self.time = time
        self.logger = logger
    }

    func run() {
        do { try tree.sweep() } catch { logger.warning("leftovers could not be removed", ["reason": "\(error)"]) }
        while true {
            let isStopping =
                state.wait(timeout: Self.interval) { state -> Bool? in
                    if state.isStopping { return true }
                    guard state.isAwake else { return nil }
                    state.isAwake = false
                    return false
                } ?? false
            do { try noteUses() } catch { logger.warning("uses could not be noted", ["reason": "\(error)"]) }
            if isStopping { return }
            do { _ = try makeRoom() } catch { logger.warning("the cache could not be trimmed", ["reason": "\(error)"]) }
        }
    }

    func stop() {
        state.withLock { $0.isStopping = true }
        state.broadcast()
    }

    /// Something grew: look now.
    func wake() {
        state.withLock { $0.isAwake = true }
        state.broadcast()
    }

    /// What the cache took when that was last looked at: to count it anew means to read about every span.
    var bytesHere: Int64 { state.withLock { $0.bytesHere } }

    private func noteUses() throws(Errno) {
        let uses = tree.contents.takeUses()
        guard !uses.isEmpty else { return }
        try tree.database.writing { db throws in
            for (inode, used) in uses { try ContentUseTable.note(used, of: inode, in: db) }
        }
    }

    /// Lets go of as much as is too much, and says how much that was.
    func makeRoom() throws(Errno) -> Int64 {
        tree.removeRemains(isForced: true)
        let here = try countBytes()
        let disk = try Files.space(at: tree.store.folder)
        let free = disk.freeBytes
        // A little more than must be, so that it is not one file at a time.
        let slack = min(space.bytesMax / 16, 256 << 20)
        let excess = max(
            here > space.bytesMax ? here - space.bytesMax + slack : 0,
            free < space.reserveBytes + slack ? space.reserveBytes + 2 * slack - free : 0
        )
        let files = Self.filesTooMany(on: disk)
        guard excess > 0 || files > 0 else { return 0 }
        try noteUses()
        return try evict(excess, files: files)
    }

    private func countBytes() throws(Errno) -> Int64 {
        let position = tree.database.position
        if let known = state.withLock({ $0.counted == position ? $0.bytesHere : nil }) { return known }
        let here = try tree.database.readingLong { db throws in try ContentTable.bytesHere(in: db) }
        state.withLock { ($0.bytesHere, $0.counted) = (here, position) }
        return here
    }

    /// A file takes one of the disk's, however small it is, and a disk may have room for bytes when it has none for
    /// files.
    static func filesTooMany(on disk: Files.Space) -> Int64 {
        let reserve = min(disk.totalFiles / 32, 65_536)
        return disk.freeFiles < reserve ? 2 * reserve - disk.freeFiles : 0
    }

    /// Lets go of all that the region has, but what is pinned or in use at this moment; gives the bytes.
    func clear() throws(Errno) -> Int64 {
        tree.removeRemains(isForced: true)
        var freed: Int64 = 0
        // Somebody may read it back all the while: what was here when this began is enough.
        let wanted = try tree.database.readingLong { db throws in try ContentTable.bytesHere(in: db) }
        while freed < wanted {
            let bytes = try evict(wanted - freed)
            if bytes == 0 { break }
            freed += bytes
        }
        let here = try tree.database.readingLong { db throws in try ContentTable.bytesHere(in: db) }
        state.withLock { $0.bytesHere = here }
        return freed
    }

    /// Lets go of at least so many clean bytes, and so many files altogether, where there are so many.
    func evict(_ bytes: Int64, files: Int64 = 0) throws(Errno) -> Int64 {
        var (freed, shed): (Int64, Int64) = (0, 0)
        var isProgress = true
        while isProgress, freed < bytes || shed < files, !state.withLock({ $0.isStopping }) {
            isProgress = false
            let candidates = try tree.database.readingLong { db throws in
                try ContentTable.evictable(limit: Self.batchCount, in: db)
            }
            for inode in candidates where freed < bytes || shed < files {
                // What came into a pinned folder since it was pinned stays too.
                let isPinned = try tree.database.writing { db throws in try ContentUseTable.inheritPin(inode, in: db) }
                guard !isPinned else {
                    // It is chosen no more, and behind it may be others that can go.
                    isProgress = true
                    continue
                }
                let gone = try evict(inode, upTo: shed < files ? .max : bytes - freed)
                freed += gone
                if try tree.contents.shed(inode) { shed += 1 }
                if gone > 0 { isProgress = true }
            }
        }
        if freed > 0 { logger.info("cache trimmed", ["bytes": freed, "files": shed]) }
        return freed
    }

    private func evict(_ inode: Inode, upTo bytes: Int64) throws(Errno) -> Int64 {
        let content: FileContent
        do throws(Errno) {
            content = try tree.contents.use(inode)
        } catch {
            // It was removed meanwhile.
            if error == .noEntry { return 0 }
            throw error
        }
        defer { tree.contents.leave(inode) }
        return try content.evict(upTo: bytes) { spans throws(Errno) in
            try tree.database.writing { db throws in try ContentTable.drop(spans: spans, of: inode, in: db) }
        }
    }
}
