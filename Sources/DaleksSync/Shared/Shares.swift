import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem

/// Shows what others share with the account in one region: asks which items there are, puts them into their owners'
/// folders, and follows the feeds of those owners' trees.
///
/// ## Concurrency
/// One thread of its own runs `run`; `state` is how others speak to it. What the region says is taken in the turn of
/// the news, as everything is.
final class Shares: Sendable {
    private struct State {
        var isStopping = false
        var isConnected = false
        /// When to ask which items there are.
        var listAt: Instant
        /// Ends the question that waits for news.
        var interruption: Interruption?
        /// Who wants to hear when everything that the region did by now is here.
        var catchUps: [@Sendable (RemoteError?) -> Void] = []
        /// Owners whose feeds do not reach back to where we are.
        var lost: Set<UserID> = []
        /// Where the account's own feed was when the list was asked for.
        var ownCursor: String?
    }

    /// Names and expired rights are looked at now and then, whatever happens.
    private static let listPeriod: Duration = .seconds(300)

    /// A change of an item itself may be another name for it. It need not show at once.
    private static let listPause: Duration = .seconds(2)

    let tree: LocalTree
    let news: RemoteNews
    private let remote: any SharingRemote
    /// Whose own feed is followed here too, because nobody else here does: it tells what is shared.
    private let account: UserID?
    private let withdrawal: Withdrawal
    private let time: TimeSource
    private let logger: Logger
    private let state: Condition<State>

    init(
        tree: LocalTree,
        news: RemoteNews,
        remote: any SharingRemote,
        following account: UserID?,
        setAside: SetAside,
        time: TimeSource,
        logger: Logger
    ) {
        self.account = account
        self.tree = tree
        self.news = news
        self.remote = remote
        self.time = time
        self.logger = logger
        withdrawal = Withdrawal(tree: tree, news: news, setAside: setAside, logger: logger)
        state = Condition(State(listAt: time.now))
    }

    // MARK: From other threads

    var isConnected: Bool { state.withLock { $0.isConnected } }

    func stop() {
        let left = state.withLock { state in
            state.isStopping = true
            defer { state.catchUps = [] }
            return (state.interruption, state.catchUps)
        }
        left.0?.interrupt()
        state.broadcast()
        for completion in left.1 { completion(.canceled) }
    }

    /// Something was shared, or is no more.
    func listSoon(after pause: Duration = .zero) {
        let due = time.now + pause
        let interruption = state.withLock { state in
            guard due < state.listAt else { return nil as Interruption? }
            state.listAt = due
            return state.interruption
        }
        // One that waits for longer than until then is asked anew.
        interruption?.interrupt()
        state.broadcast()
    }

    /// Calls back once everything that the region did by now is here.
    func catchUp(_ completion: @escaping @Sendable (RemoteError?) -> Void) {
        let (isStopping, interruption) = state.withLock { state in
            if !state.isStopping { state.catchUps.append(completion) }
            return (state.isStopping, state.interruption)
        }
        if isStopping { return completion(.canceled) }
        interruption?.interrupt()
        state.broadcast()
    }

    /// Gives an item up. The region first: it stays here as long as it is shared.
    func leave(_ item: NodeID) throws(RemoteError) {
        try remote.leave(item)
        listSoon()
    }

    /// Which of these lie in items that are not shared any more, by what the region says now.
    func withdrawn(among nodes: Set<Inode>) throws(Pusher.PushFailure) -> Set<Inode> {
        var items: [Inode: NodeID] = [:]
        var itemOf: [Inode: Inode] = [:]
        do throws(Errno) {
            (items, itemOf) = try tree.database.reading { db throws in
                var (items, itemOf): ([Inode: NodeID], [Inode: Inode]) = ([:], [:])
                for inode in nodes {
                    guard let item = try FollowedTree.item(of: inode, db)?.inode else { continue }
                    itemOf[inode] = item
                    items[item] = try NodeTable.find(item, in: db)?.id
                }
                return (items, itemOf)
            }
        } catch {
            throw .local(error)
        }
        var gone: Set<Inode> = []
        for (item, id) in items {
            do throws(RemoteError) { _ = try remote.node(id) } catch {
                switch error {
                case .notFound: gone.insert(item)
                // It is there and must not be looked at: whatever is wrong with the node is something else.
                case .refused: continue
                case .unreachable, .loggedOut, .cursorExpired, .deviceForked, .canceled: throw .remote(error)
                }
            }
        }
        if !gone.isEmpty { listSoon() }
        return nodes.filter { itemOf[$0].map(gone.contains) ?? false }
    }

    // MARK: The loop

    func run() {
        var retry = Retry(upTo: .seconds(5))
        while !state.withLock({ $0.isStopping }) {
            do throws(Puller.PullFailure) {
                try step()
                retry.reset()
                state.withLock { $0.isConnected = true }
            } catch {
                fail(error)
                _ = state.wait(timeout: retry.next()) { $0.isStopping ? true : nil }
            }
        }
    }

    private func fail(_ error: Puller.PullFailure) {
        let waiting = state.withLock { state in
            state.isConnected = false
            defer { state.catchUps = [] }
            return state.catchUps
        }
        let reason: RemoteError = if case .remote(let reason) = error { reason } else { .unreachable("\(error)") }
        for completion in waiting { completion(reason) }
        if !state.withLock({ $0.isStopping }) {
            logger.info("what others share waits for the region", ["reason": "\(error)"])
        }
    }

    private func step() throws(Puller.PullFailure) {
        if state.withLock({ $0.listAt <= time.now }) { try list() }
        // Once more, too, when one has gone: it may have been given again meanwhile.
        if try seeOffWithdrawn() { listSoon(after: .milliseconds(200)) }
        try follow()
    }

    private func local<Answer>(_ body: () throws(Errno) -> Answer) throws(Puller.PullFailure) -> Answer {
        do throws(Errno) { return try body() } catch { throw .local(error) }
    }

    private func asking<Answer>(_ body: () throws(RemoteError) -> Answer) throws(Puller.PullFailure) -> Answer {
        do throws(RemoteError) { return try body() } catch { throw .remote(error) }
    }

    // MARK: Which items there are

    private func list() throws(Puller.PullFailure) {
        // Before it is asked: what is told meanwhile asks for another look.
        let due = time.now + Self.listPeriod
        let lost = state.withLock { state in
            state.listAt = due
            return state.lost
        }
        do throws(Puller.PullFailure) {
            var items: [SharedItem] = []
            var next: NodeID?
            var cursor: String?
            repeat {
                let after = next
                let page = try asking { () throws(RemoteError) in try remote.sharedWithMe(after: after) }
                items += page.items
                cursor = cursor ?? page.cursor
                next = page.next
            } while next != nil
            let own = cursor
            state.withLock { $0.ownCursor = own }
            let names = try names(of: Set(items.map(\.node.owner)))
            let listed = items
            try local { () throws(Errno) in
                try news.apply(concerning: listed.map(\.node.id)) { merger, db throws in
                    try merger.show(listed, names: names, lost: lost, at: tree.wallNow, db)
                }
            }
        } catch {
            listSoon(after: .seconds(1))
            throw error
        }
        state.withLock { $0.lost.subtract(lost) }
        try expectEnd()
    }

    /// What owners are called that have no folder yet.
    private func names(of owners: Set<UserID>) throws(Puller.PullFailure) -> [UserID: String] {
        let known = try local { () throws(Errno) in
            try tree.database.reading { db throws in try OwnerTable.all(in: db) }
        }
        let unknown = owners.subtracting(known.map(\.id)).sorted()
        guard !unknown.isEmpty else { return [:] }
        return try asking { () throws(RemoteError) in try remote.names(of: unknown) }
    }

    /// No event says that a grant has expired.
    private func expectEnd() throws(Puller.PullFailure) {
        let end = try local { () throws(Errno) in
            try tree.database.reading { db throws in try ShareTable.firstEnd(in: db) }
        }
        guard let end else { return }
        listSoon(after: max(.milliseconds(10), end - tree.wallNow))
    }

    /// Whether there was any. What was done in one and has not been answered yet keeps it for another time.
    private func seeOffWithdrawn() throws(Puller.PullFailure) -> Bool {
        try local { () throws(Errno) in
            let withdrawn = try tree.database.reading { db throws in
                try ShareTable.all(in: db).filter(\.isWithdrawn)
            }
            for share in withdrawn { _ = try withdrawal.run(share) }
            return !withdrawn.isEmpty
        }
    }

    // MARK: What happens in them

    private func follow() throws(Puller.PullFailure) {
        let owners = try local { () throws(Errno) in
            try tree.database.reading { db throws in try OwnerTable.all(in: db) }
        }
        let interruption = Interruption()
        let (pause, catchUps) = state.withLock { state -> (Duration, [@Sendable (RemoteError?) -> Void]) in
            state.interruption = interruption
            if state.isStopping { interruption.interrupt() }
            let pause = state.catchUps.isEmpty ? max(.zero, state.listAt - time.now) : .zero
            return (pause, state.catchUps)
        }
        defer { state.withLock { $0.interruption = nil } }
        var places = owners.prefix(Limits.Wire.followedTreeCountMax - 1).map { owner in
            FollowRequest.Place(owner: owner.id, cursor: owner.cursor)
        }
        if let account, let cursor = state.withLock({ $0.ownCursor }) {
            places.append(FollowRequest.Place(owner: account, cursor: cursor))
        }
        guard !places.isEmpty else { return waitForShares() }
        // Rounded up: a question that waits for nothing would be asked again and again.
        let seconds = (pause + .milliseconds(999)).components.seconds
        let wait = min(Limits.Wire.changesWaitSecondsMax - 10, Int(clamping: seconds))
        let answer: FollowAnswer
        do throws(RemoteError) {
            answer = try remote.follow(FollowRequest(places, waitSeconds: wait), until: interruption)
        } catch {
            // There is something to look at first.
            if error == .canceled, interruption.isInterrupted { return }
            throw .remote(error)
        }
        for page in answer.pages { try take(page) }
        guard !catchUps.isEmpty, answer.pages.isEmpty else { return }
        // Those who came while it was asked wait for the next answer.
        state.withLock { $0.catchUps.removeFirst(min(catchUps.count, $0.catchUps.count)) }
        for completion in catchUps { completion(nil) }
    }

    /// Nobody shares anything.
    private func waitForShares() {
        let catchUps = state.withLock { state in
            defer { state.catchUps = [] }
            return state.catchUps
        }
        for completion in catchUps { completion(nil) }
        state.withLock { $0.isConnected = true }
        let pause = state.withLock { max(.zero, $0.listAt - time.now) }
        _ = state.wait(timeout: pause) { [time] state in
            state.isStopping || !state.catchUps.isEmpty || state.listAt <= time.now ? true : nil
        }
    }

    private func take(_ page: FollowAnswer.Page) throws(Puller.PullFailure) {
        if page.owner == account {
            // Whatever it was: the list says where the feed goes on.
            state.withLock { $0.ownCursor = nil }
            return listSoon()
        }
        switch page.outcome {
        case .notFound: listSoon()
        case .cursorExpired:
            state.withLock { _ = $0.lost.insert(page.owner) }
            listSoon()
        case .changes(let changes): try take(changes, of: page.owner)
        }
    }

    private func take(_ page: ChangesPage, of owner: UserID) throws(Puller.PullFailure) {
        let now = tree.wallNow
        let isForked = try local { () throws(Errno) in
            let (device, isForked) = try tree.database.reading { db throws in
                guard let device = try MetaTable.text(.device, in: db).flatMap({ DeviceID($0) }) else {
                    throw SQLiteError(.corrupt, "the replica has no device id", sql: "meta")
                }
                let last = try MetaTable.integer(.sequence, in: db) ?? 0
                return (device, ForkedDevice.isTold(by: page.changes, device, lastSequence: last))
            }
            if isForked {
                logger.warning("another machine works with this device id; taking a new one")
                try tree.database.writing { db throws in try ForkedDevice.countAnew(at: now, db) }
                return true
            }
            try news.apply(concerning: page.changes.flatMap { $0.nodes.map(\.id) }) { merger, db throws in
                for change in page.changes { try merger.merge(change, ownDevice: device, db) }
                try OwnerTable.setCursor(page.cursor, of: owner, in: db)
            }
            return false
        }
        // Read again, by who we are now.
        if !isForked { try lookAtItems(page.changes) }
    }

    /// What an item is called, and which of them lie in others, is told by no event.
    private func lookAtItems(_ changes: [Change]) throws(Puller.PullFailure) {
        let shares = try local { () throws(Errno) in
            try tree.database.reading { db throws in try ShareTable.all(in: db) }
        }
        let items = Set(shares.map(\.node))
        let isItem = changes.contains { $0.nodes.contains { items.contains($0.id) } }
        if isItem { listSoon(after: Self.listPause) }
    }
}
