import DaleksAPI
public import DaleksCache
import DaleksCore
import DaleksSQLite
public import DaleksSystem

/// What others share: an engine shows either that or a tree of the account's own.
extension SyncEngine {
    /// Whether it shows what others share, and not a tree of the account's own.
    public var isOfShares: Bool { shares != nil }

    /// The shared item that a node lies in; nil for the folders above items.
    public func sharedItem(of inode: Inode) throws(Obstacle) -> Inode? {
        try database.looking { db in try FollowedTree.item(of: inode, db)?.inode }
    }

    /// Calls back whenever the feed of the account's own tree says that something is shared with it, or no more.
    public func whenSharesChange(_ body: @escaping @Sendable () -> Void) { puller.whenSharesChange(body) }

    /// Something may be shared with the account, or no more.
    public func lookAtShares() { shares?.listSoon() }

    /// Gives up an item that somebody shares, once the region has what was done here: nil, or why not.
    public func leave(_ item: Inode, within limit: Duration, _ completion: @escaping @Sendable (Errno?) -> Void) {
        let accepted = labour.fetches.submit { [self] in completion(leaveNow(item, within: limit)) }
        if !accepted { completion(.tryAgain) }
    }

    private func leaveNow(_ item: Inode, within limit: Duration) -> Errno? {
        guard let shares else { return .accessDenied }
        // What was removed in it before would come back otherwise, and what was written would be put aside.
        guard awaitAnswers(in: item, within: limit) else { return .busy }
        let id: NodeID
        do throws(Obstacle) { id = try tree.stored(item).id } catch { return .noEntry }
        do throws(RemoteError) { try shares.leave(id) } catch {
            switch error {
            case .notFound:
                shares.listSoon()
                return nil
            case .loggedOut, .refused: return .accessDenied
            case .unreachable, .cursorExpired, .deviceForked, .canceled: return .timedOut
            }
        }
        waitUntilHidden(item)
        return nil
    }

    /// Until the region has answered all that was done in an item; what it refused will be put aside.
    private func awaitAnswers(in item: Inode, within limit: Duration) -> Bool {
        let deadline = TimeSource.system.now + limit
        let pause = Gate()
        while true {
            for content in tree.contents.allLoaded { try? tree.saveContent(content) }
            let isAnswered = try? database.readingLong { db throws in
                let refused = Set(try RefusalTable.all(in: db).map(\.place))
                return try ShareTable.members(of: item, in: db).allSatisfy { inode in
                    try JournalTable.rows(concerning: inode, in: db).allSatisfy { refused.contains($0.place) }
                }
            }
            if isAnswered ?? false { return true }
            if TimeSource.system.now >= deadline { return false }
            pusher.hurry()
            pause.wait(timeout: .milliseconds(10))
        }
    }

    /// Who gave something up looks for it next, and must not find it.
    private func waitUntilHidden(_ item: Inode) {
        let pause = Gate()
        for _ in 0..<500 {
            guard let granted = try? tree.stored(item).standing.granted, !granted.isEmpty else { return }
            pause.wait(timeout: .milliseconds(10))
        }
    }
}
