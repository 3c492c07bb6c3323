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
    /// Rises when the region came back from a backup.
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

    var cursor: Cursor { Cursor(epoch: epoch, sequence: sequence) }
}
