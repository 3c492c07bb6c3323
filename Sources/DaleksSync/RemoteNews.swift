import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem

/// Brings what the region says into the replica, the open files and the kernel's caches, in that order.
///
/// ## Concurrency
/// One piece of news at a time (`turn`): files are frozen two at once only here, so no cycle of waiting can form. The
/// observer is told last, with nothing held.
final class RemoteNews: Sendable {
    private let tree: LocalTree
    private let waits: RegionWaits
    private let logger: Logger
    private let account: UserID?
    private let turn = Condition(false)
    private let observer = Lock<(any TreeObserver)?>(nil)
    private let epochs = Lock<UInt64>(0)
    /// Belongs to whoever has the turn.
    private let unheeded = Lock(Unheeded())
    private let returns: Lock<Setbacks>
    /// What the observer is still being told.
    let announcements = Announcements()

    /// `account`: whose replica it is, where that matters.
    init(tree: LocalTree, waits: RegionWaits, account: UserID? = nil, logger: Logger) {
        self.account = account
        self.tree = tree
        self.waits = waits
        self.logger = logger
        let text = try? tree.database.reading { db throws in try MetaTable.text(.setbacks, in: db) }
        returns = Lock((text ?? nil).flatMap { Setbacks($0) } ?? Setbacks())
    }

    /// What the region forgot when it came back from backups. Changed by who has the turn.
    var setbacks: Setbacks {
        get { returns.withLock { $0 } }
        set {
            returns.withLock { $0 = newValue }
            // Numbers of another life.
            unheeded.withLock { $0 = Unheeded() }
        }
    }

    /// The region came back from a backup, and that is taken in.
    func noteReturn(_ effects: [Merger.Effect]) {
        epochs.withLock { $0 += 1 }
        tell(effects)
    }

    /// Rises whenever something from outside changed what is shown.
    var epoch: UInt64 { epochs.withLock { $0 } }

    func observe(_ observer: any TreeObserver) { self.observer.withLock { $0 = observer } }

    /// Runs `merge` in a transaction, with the files among `concerned` frozen. Every file that it may change must
    /// be among them.
    func apply(
        concerning concerned: [NodeID],
        _ merge: (inout Merger, borrowing Connection) throws -> Void
    ) throws(Errno) {
        announcements.begin()
        defer { announcements.end() }
        let effects = try inTurn { () throws(Errno) in try applyInTurn(concerned, merge) }
        // Before anybody is told: an answer that began before this and is sent after must not be believed for long.
        if !effects.isEmpty { epochs.withLock { $0 += 1 } }
        tell(effects)
    }

    /// Takes in what the region says of steps of ours that it tells in short. It changes nothing that anybody sees, so
    /// no file is frozen for it.
    func note(
        _ touches: some Sequence<Change.Touch>,
        _ also: (borrowing Connection) throws -> Void
    ) throws(Errno) {
        try inTurn { () throws(Errno) in
            try tree.database.writing { db throws in
                var merger = Merger(unheeded: unheeded.withLock { $0 }, setbacks: setbacks, account: account)
                for touch in touches { try merger.merge(touch, db) }
                try also(db)
                let kept = merger.unheeded
                unheeded.withLock { $0 = kept }
                for (inode, revision) in merger.raised { tree.stage(revision: revision, of: inode) }
            }
        }
    }

    /// Runs `body` while nothing else freezes files.
    func inTurn<Result>(_ body: () throws(Errno) -> Result) throws(Errno) -> Result {
        turn.waitThrowing(until: { !$0 }) { $0 = true }
        defer { endTurn() }
        return try body()
    }

    private func endTurn() {
        turn.withLock { $0 = false }
        turn.broadcast()
        waits.look()
    }

    private func applyInTurn(
        _ concerned: [NodeID],
        _ merge: (inout Merger, borrowing Connection) throws -> Void
    ) throws(Errno) -> [Merger.Effect] {
        let inodes = try tree.database.reading { db throws -> [Inode] in
            var inodes: [Inode] = []
            for id in concerned {
                if let node = try NodeTable.find(id, in: db) { inodes.append(node.inode) }
            }
            return inodes
        }
        return try tree.contents.holding(Set(inodes)) { held throws(Errno) in try apply(merge, to: held) }
    }

    private func apply(
        _ merge: (inout Merger, borrowing Connection) throws -> Void,
        to held: [Inode: FileContent]
    ) throws(Errno) -> [Merger.Effect] {
        for content in held.values { content.freeze() }
        var frozen = held
        defer { for content in frozen.values { content.thaw { _ in } } }
        let unsaved = held.filter { $0.value.state.withLock { $0.isUnsaved || $0.isUncommitted } }
        let effects = try tree.database.writing { db throws -> [Merger.Effect] in
            var merger = Merger(
                unsaved: Set(unsaved.keys),
                unheeded: unheeded.withLock { $0 },
                setbacks: setbacks,
                account: account
            )
            try merge(&merger, db)
            try merger.finish(db)
            let kept = merger.unheeded
            unheeded.withLock { $0 = kept }
            return merger.effects
        }
        // A page may tell of several contents of one file: what it is now is what the last of them says.
        var newest: [Inode: LocalNode] = [:]
        for case .content(let node) in effects { newest[node.inode] = node }
        for effect in effects {
            switch effect {
            case .content(let earlier):
                // `adopt` lets everybody in again.
                guard let node = newest[earlier.inode], let content = frozen.removeValue(forKey: node.inode) else {
                    continue
                }
                if let errno = content.adopt(node) {
                    logger.error("old bytes of a file could not be let go of", ["inode": node.inode, "errno": errno])
                }
            case .attributes(let inode):
                guard unsaved[inode] == nil, let content = held[inode], let node = try? tree.stored(inode) else {
                    continue
                }
                content.state.withLock { $0.modified = node.attributes.modified }
            case .entry, .removed: continue
            }
        }
        return effects
    }

    /// Calls back when what the observer was told has come where it belongs.
    func whenHeard(_ completion: @escaping @Sendable () -> Void) {
        guard let observer = observer.withLock({ $0 }) else { return completion() }
        observer.whenHeard(completion)
    }

    /// A name here changed without the kernel having asked for it.
    func tellEntry(_ name: Name, in parent: Inode) { tell([.entry(parent: parent, name: name)]) }

    private func tell(_ effects: [Merger.Effect]) {
        let observer = observer.withLock { $0 }
        for effect in effects {
            switch effect {
            case .attributes(let inode): observer?.attributesChanged(inode)
            case .content(let node): observer?.contentChanged(node.inode)
            case .entry(let parent, let name): observer?.entryChanged(name, in: parent)
            case .removed(let parent, let name, let node):
                observer?.entryRemoved(name, in: parent, node: node)
                tree.collect(node)
            }
        }
    }
}
