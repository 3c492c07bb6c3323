import DaleksAPI
import DaleksCore

/// What the feed said of nodes that were not known here, or had to wait. A listing takes a while; what it says of such
/// a node may be older than what the feed said meanwhile, and nobody would notice.
struct Unheeded {
    /// Listings are over long before so many others have changed; a flood past this makes them all doubtful.
    private static let countMax = 16_384

    private var revisions: [NodeID: Revision] = [:]
    /// Up to here it was forgotten which they were.
    private var forgotten: Revision = 0

    mutating func note(_ id: NodeID, _ revision: Revision) {
        if revisions.count >= Self.countMax {
            forgotten = max(forgotten, revisions.values.max() ?? 0)
            revisions = [:]
        }
        revisions[id] = revision
    }

    /// Whether the feed told of the node after that.
    func isNewer(_ id: NodeID, than sequence: Revision) -> Bool { max(revisions[id] ?? 0, forgotten) > sequence }

    func isOutdated(_ record: NodeRecord) -> Bool {
        if let known = revisions[record.id] { return record.revision < known }
        return record.revision < forgotten
    }
}
