import DaleksAPI
import DaleksCore

/// The small number that stands for a tree in every other row.
typealias TreeNumber = Int64

/// What there is once for each owner. Its row is the lock under which the tree changes: sequence and content move
/// together, so the order of commits is the order of the feed.
struct TreeState: Hashable, Sendable {
    let number: TreeNumber
    let owner: UserID
    let root: NodeID
    /// Another one whenever the region came back from a backup, and never one of before.
    var epoch: Int64
    var sequence: Revision
    /// The feed holds every change after this one.
    var feedFloor: Revision
    /// Bytes of the spans of all files that have a name; holes cost nothing.
    var bytesUsed: Int64
    var filesUsed: Int64
    /// Nil where the region's default holds.
    var bytesQuota: Int64?
    /// Rises with everything that may change who sees what below a folder.
    var accessVersion: Int64 = 0
    /// What earlier contents keep that the present ones do not.
    var versionsBytes: Int64 = 0
    var trashBytes: Int64 = 0
    /// What backups forgot.
    var setbacks = Setbacks()

    var cursor: Cursor { Cursor(epoch: epoch, sequence: sequence) }

    var record: TreeRecord {
        TreeRecord(root: root, epoch: epoch, cursor: cursor.description, setbacks: setbacks)
    }

    /// The database came back from a backup: a new epoch begins, with numbers that were never given out. The clock in
    /// microseconds is larger than any of them, unless a tree changed a million times a second all its life, or the
    /// clock went back since: so it is a leap over more than any backup lacks, and as the same backup may come back
    /// again, over a part that the clock tells. `seen` is the highest that somebody remembers. So neither an epoch nor
    /// a number is used twice.
    mutating func comeBack(at now: Timestamp, seen: Revision = 0) {
        let clock = now.nanoseconds / 1_000
        let resumed = max(clock, sequence + Self.leap + abs(clock) % Self.leap, seen + 1)
        setbacks.add(Setback(kept: sequence, resumed: resumed))
        sequence = resumed
        epoch = max(resumed, epoch + 1)
    }

    /// Whether a reader who was there has seen more than this tree ever had, or a later life of it: then it came back
    /// from a backup, and nobody said so. No backup is so old that more than this is lost, and no clock so wrong.
    func isBehind(_ cursor: Cursor, at now: Timestamp) -> Bool {
        guard cursor.epoch >= epoch, cursor.sequence > sequence || cursor.epoch > epoch else { return false }
        let clock = now.nanoseconds / 1_000
        guard cursor.epoch == epoch || cursor.epoch - max(epoch, clock) < Self.lostCountMax else { return false }
        let known = cursor.epoch == epoch ? sequence : max(sequence, clock)
        return cursor.sequence - known < Self.lostCountMax
    }

    private static let lostCountMax: Int64 = 1 << 40

    /// More steps than a tree takes between two backups.
    private static let leap: Int64 = 1 << 32
}
