import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem

/// Follows the region's change feed.
///
/// ## Concurrency
/// One thread of its own runs `run`, another `runRefresh`: what was held back becomes due when our own operations are
/// answered, and that happens while the feed waits for news. `state` is how others speak to it.
final class Puller: Sendable {
    private struct State {
        var isStopping = false
        /// The region answered somebody else of ours: no reason to wait any longer.
        var isPoked = false
        /// Something may be stale and settled.
        var isRefreshDue = true
        var isConnected = false
        /// The last question was not answered: not so before the first.
        var isAway = false
        var usage: UsageRecord?
        var usageAskedAt: Instant?
    }

    private let tree: LocalTree
    private let news: RemoteNews
    private let reunion: Reunion
    private let fetcher: Fetcher
    private let remote: any Remote
    private let logger: Logger
    private let time: TimeSource
    private let state = Condition(State())
    /// Inside a struct: see `SyncEngine.Wake`.
    private struct Callback: Sendable {
        var tell: (@Sendable () -> Void)?
    }
    private let shareNews = Lock(Callback())
    private let back = Lock(Callback())

    init(
        tree: LocalTree,
        news: RemoteNews,
        fetcher: Fetcher,
        remote: any Remote,
        setAside: SetAside,
        time: TimeSource,
        logger: Logger
    ) {
        reunion = Reunion(
            tree: tree,
            news: news,
            fetcher: fetcher,
            remote: remote,
            setAside: setAside,
            logger: logger
        )
        self.tree = tree
        self.news = news
        self.fetcher = fetcher
        self.remote = remote
        self.time = time
        self.logger = logger
    }

    /// Whether the last question was answered: then what is here is as new as the region.
    var isConnected: Bool { state.withLock { $0.isConnected } }

    var isAway: Bool { state.withLock { $0.isAway } }

    /// How full the account was lately.
    var usage: UsageRecord? { state.withLock { $0.usage } }

    /// The region answers again.
    func poke() {
        state.withLock { ($0.isPoked, $0.isRefreshDue) = (true, true) }
        state.broadcast()
    }

    func whenSharesChange(_ body: @escaping @Sendable () -> Void) { shareNews.withLock { $0.tell = body } }

    /// Called when the region answers after it did not. Nil ends that, for what it calls may hold this.
    func whenBack(_ body: (@Sendable () -> Void)?) { back.withLock { $0.tell = body } }

    private func askForRefresh() {
        state.withLock { $0.isRefreshDue = true }
        state.broadcast()
    }

    func stop() {
        state.withLock { $0.isStopping = true }
        state.broadcast()
    }

    func run() {
        // While the feed is lost the kernel believes nothing for long and everything is slower: ask often.
        var retry = Retry(upTo: .seconds(5))
        while !state.withLock({ $0.isStopping }) {
            do throws(PullFailure) {
                askUsage()
                // First whether it answers at all: where nothing happens that would be known after a minute only, and
                // until then the kernel believes nothing for long.
                try pull(waitSeconds: isConnected ? Self.waitSeconds : 0)
                retry.reset()
                let isBack = state.withLock { state in
                    defer { (state.isConnected, state.isAway) = (true, false) }
                    return !state.isConnected
                }
                if isBack { back.withLock { $0.tell }?() }
            } catch {
                state.withLock { ($0.isConnected, $0.isAway) = (false, true) }
                logger.info("change feed waits for the region", ["reason": "\(error)"])
                state.withLock { $0.isPoked = false }
                _ = state.wait(timeout: retry.next()) { $0.isStopping || $0.isPoked ? true : nil }
            }
        }
    }

    /// How often the region is asked how full the account is; `df` shows what it said last and never waits.
    private static let usagePeriod: Duration = .seconds(30)

    private func askUsage() {
        let now = time.now
        let isDue = state.withLock { state in
            if let asked = state.usageAskedAt, now - asked < Self.usagePeriod { return false }
            state.usageAskedAt = now
            return true
        }
        guard isDue, let usage = try? remote.usage() else { return }
        state.withLock { $0.usage = usage }
    }

    enum PullFailure: Error {
        case local(Errno)
        case remote(RemoteError)
    }

    private static let waitSeconds = Limits.Wire.changesWaitSecondsMax - 10

    func pull(waitSeconds: Int = waitSeconds) throws(PullFailure) {
        let (cursor, asking, _) = try localState()
        let seen = try furthest()
        let page: ChangesPage
        do throws(RemoteError) {
            page = try remote.changes(after: cursor, by: asking, waitSeconds: waitSeconds)
        } catch {
            if error == .cursorExpired { return try startOver(from: cursor) }
            throw .remote(error)
        }
        if page.changes.isEmpty, try isBehind(seen, asking) { return try startOver(from: cursor) }
        let device = try ownDevice(page.changes)
        do throws(Errno) {
            try take(page, device)
        } catch {
            throw .local(error)
        }
        if page.changes.contains(where: { !$0.shares.isEmpty }) { shareNews.withLock { $0.tell }?() }
        askForRefresh()
    }

    private func furthest() throws(PullFailure) -> Cursor? {
        do throws(Errno) {
            return try tree.database.reading { db throws in
                let seen = try SeenCursor.find(db)
                return try MetaTable.text(.cursor, in: db) == seen?.description ? nil : seen
            }
        } catch {
            throw .local(error)
        }
    }

    /// The feed has nothing new, although an answer came from further on: perhaps the region came back from a backup
    /// and nobody said so. Asked from there, it finds out itself.
    private func isBehind(_ seen: Cursor?, _ device: DeviceID) throws(PullFailure) -> Bool {
        guard let seen else { return false }
        do throws(RemoteError) {
            _ = try remote.changes(after: seen.description, by: device, waitSeconds: 0)
            return false
        } catch {
            if error == .cursorExpired { return true }
            throw .remote(error)
        }
    }

    /// Whose changes of the page are ours.
    private func ownDevice(_ changes: [Change]) throws(PullFailure) -> DeviceID {
        let (_, device, sequence) = try localState()
        guard ForkedDevice.isTold(by: changes, device, lastSequence: sequence) else { return device }
        logger.warning("another machine works with this device id; taking a new one")
        let now = time.wall
        do throws(Errno) {
            try tree.database.writing { db throws in try ForkedDevice.countAnew(at: now, db) }
        } catch {
            throw .local(error)
        }
        return try localState().device
    }

    /// Steps of our own, of which there may be many, are taken in a few to each transaction: the kernel's requests want
    /// the database too. Only the last moves the cursor, so that a death in between brings them all again, which
    /// changes nothing.
    private func take(_ page: ChangesPage, _ device: DeviceID) throws(Errno) {
        let isOwn = page.changes.allSatisfy { $0.device == device }
        if isOwn, page.changes.allSatisfy({ $0.nodes.isEmpty && $0.shares.isEmpty }) {
            return try take(page.changes.flatMap(\.touched), upTo: page.cursor)
        }
        let sliceCount = isOwn ? Self.sliceChangeCount : max(1, page.changes.count)
        var rest = page.changes[...]
        repeat {
            let slice = rest.prefix(sliceCount)
            rest = rest.dropFirst(sliceCount)
            let isLast = rest.isEmpty
            try news.apply(concerning: slice.flatMap { $0.nodes.map(\.id) }) { merger, db throws in
                for change in slice { try merger.merge(change, ownDevice: device, db) }
                if isLast { try MetaTable.set(.cursor, page.cursor, in: db) }
            }
        } while !rest.isEmpty
    }

    private static let sliceChangeCount = 8

    /// What we did ourselves, told in short: numbers of nodes, which nobody has to be told of.
    private func take(_ touches: [Change.Touch], upTo cursor: String) throws(Errno) {
        var rest = touches[...]
        repeat {
            let slice = rest.prefix(Self.sliceTouchCount)
            rest = rest.dropFirst(Self.sliceTouchCount)
            let isLast = rest.isEmpty
            try news.note(slice) { db throws in if isLast { try MetaTable.set(.cursor, cursor, in: db) } }
        } while !rest.isEmpty
    }

    private static let sliceTouchCount = 32

    private func localState() throws(PullFailure) -> (cursor: String, device: DeviceID, sequence: Int64) {
        do throws(Errno) {
            return try tree.database.reading { db throws in
                guard let cursor = try MetaTable.text(.cursor, in: db), let text = try MetaTable.text(.device, in: db),
                    let device = DeviceID(text)
                else { throw SQLiteError(.corrupt, "the replica has no cursor", sql: "meta") }
                return (cursor, device, try MetaTable.integer(.sequence, in: db) ?? 0)
            }
        } catch {
            throw .local(error)
        }
    }

    /// The region cannot say what changed since: trust nothing and ask for everything again, bit by bit.
    private func startOver(from cursor: String) throws(PullFailure) {
        let record: TreeRecord
        do throws(RemoteError) { record = try remote.tree() } catch { throw .remote(error) }
        if Cursor(cursor)?.epoch != record.epoch {
            do throws(Reunion.Failure) { try reunion.run(record) } catch {
                switch error {
                case .local(let errno): throw .local(errno)
                case .remote(let error): throw .remote(error)
                }
            }
            tree.grew()
            return askForRefresh()
        }
        logger.notice("the change feed was lost; listing again")
        do throws(Errno) {
            try tree.database.writing { db throws in
                try NodeTable.distrustAll(in: db)
                try MetaTable.set(.cursor, record.cursor, in: db)
            }
        } catch {
            throw .local(error)
        }
        askForRefresh()
    }

    func runRefresh() {
        var retry = Retry(upTo: .seconds(5))
        while true {
            let isStopping = state.waitThrowing(until: { $0.isStopping || $0.isRefreshDue }) { state in
                state.isRefreshDue = false
                return state.isStopping
            }
            if isStopping { return }
            if refreshStale() {
                retry.reset()
            } else {
                // The region is away, or its answer was older than what is known. The feed or the pusher may say sooner
                // that it is worth asking again.
                _ = state.wait(timeout: retry.next()) { $0.isStopping || $0.isRefreshDue ? true : nil }
                state.withLock { $0.isRefreshDue = true }
            }
        }
    }

    /// Asks again for what was held back while operations of ours were pending, now that they are not. False where
    /// something is left to ask for.
    func refreshStale() -> Bool {
        // Folders first: a listing answers for all that is in it.
        let (isTold, isRest) = (refreshStale(areFolders: true), refreshStale(areFolders: false))
        return isTold && isRest
    }

    private func refreshStale(areFolders: Bool) -> Bool {
        var isDone = true
        var last: Inode?
        while !state.withLock({ $0.isStopping }) {
            let after = last
            let found = try? tree.database.reading { db throws in
                try NodeTable.staleAndSettled(isFolder: areFolders, after: after, limit: 64, in: db)
            }
            guard let stale = found else { return false }
            guard let end = stale.last else { return isDone }
            last = end.inode
            for node in stale {
                guard fetcher.refresh(node) else { return false }
                if isStillStale(node.inode) { isDone = false }
            }
        }
        return true
    }

    private func isStillStale(_ inode: Inode) -> Bool {
        let node = try? tree.database.reading { db throws in try NodeTable.find(inode, in: db) }
        return (node ?? nil)?.isStale ?? false
    }
}
