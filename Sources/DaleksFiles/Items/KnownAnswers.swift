import DaleksCore
import DaleksHTTPServer
import DaleksSystem

/// Whole answers with small files, by who asked for what: given again, from memory and without a worker, for as long as
/// the file's tree is as it was. Who may read is part of what a tree is.
///
/// Nothing is remembered on PostgreSQL, where other processes change trees too.
///
/// ## Concurrency
/// `kept` is guarded by itself and held for a look-up.
final class KnownAnswers: Sendable {
    struct Key: Hashable, Sendable {
        enum Place: Hashable, Sendable {
            case node(NodeID)
            /// In the caller's own tree.
            case path([String])
        }

        let caller: UserID
        let place: Place
    }

    /// One answer and what it depends on.
    struct Known: Sendable {
        let answer: HTTPResponse
        /// Of its body.
        let bytes: Int
        let tree: TreeNumber
        let moment: TreeStamps.Moment
        /// When a right that it rests on ends.
        let expires: Timestamp?
    }

    private struct Kept {
        // When the young have grown to their limit they become the old ones, and those that were old go: what is asked
        // for now and then stays, with nothing to keep in order.
        var young: [Key: Known] = [:]
        var old: [Key: Known] = [:]
        var youngBytes = 0
    }

    private let stamps: TreeStamps?
    private let time: TimeSource
    private let kept = Lock(Kept())

    init(_ stamps: TreeStamps?, time: TimeSource) {
        self.stamps = stamps
        self.time = time
    }

    /// To be taken before the database is asked; nil where nothing is remembered.
    var moment: TreeStamps.Moment? { stamps?.now }

    /// It waits for nothing.
    func answer(to key: Key) -> HTTPResponse? {
        guard let stamps else { return nil }
        let known = kept.withLock { kept -> Known? in
            if let known = kept.young[key] { return known }
            guard let known = kept.old.removeValue(forKey: key) else { return nil }
            Self.keep(known, key, &kept)
            return known
        }
        guard let known else { return nil }
        let hasExpired = known.expires.map { $0 <= time.wall } ?? false
        guard !hasExpired, stamps.isUnchanged(known.tree, since: known.moment) else {
            kept.withLock { kept in
                // The bytes stay counted until the young grow old, which is soon enough.
                if kept.young[key]?.moment == known.moment { kept.young[key] = nil }
            }
            return nil
        }
        return known.answer
    }

    func remember(_ known: Known, _ key: Key) {
        kept.withLock { Self.keep(known, key, &$0) }
    }

    private static func keep(_ known: Known, _ key: Key, _ kept: inout Kept) {
        kept.young[key] = known
        kept.youngBytes += known.bytes + Limits.Files.knownAnswerOverheadBytes
        guard kept.youngBytes > Limits.Files.knownAnswersBytesMax / 2 else { return }
        kept.old = kept.young
        kept.young = [:]
        kept.youngBytes = 0
    }
}

extension KnownAnswers.Key {
    init(caller: UserID, _ address: TreeStore.Address) {
        self.caller = caller
        switch address {
        case .node(let id): place = .node(id)
        case .path(let segments): place = .path(segments)
        }
    }
}
