import DaleksAPI
import DaleksCore

/// One thing that a decision may need to know about a tree.
enum Fact: Hashable, Sendable {
    case node(NodeID)
    /// Which node a name stands for, if any.
    case entry(EntryKey)
    case manifest(StoredManifest.Key)
    case page(Int64)
    /// Whether the caller may name a chunk that this owner stores, and how many bytes it has.
    case chunk(Digest)
    /// Where a node has names; asked for what may have several.
    case names(NodeID)
    /// What the caller was granted on this very node.
    case grant(NodeID)
    /// How many folders lie in each other below this one.
    case height(NodeID)
}

/// Why a decision did not end in `done`.
enum Stop: Error {
    /// It cannot be taken before the draft knows this. Nothing was changed; load it and decide again.
    case needs(Fact)
    case refused(OperationResult.Outcome)

    static func conflict(_ conflict: OperationResult.Conflict, _ current: NodeRecord? = nil) -> Stop {
        .refused(.conflict(conflict, current: current))
    }

    static func denied(_ code: String, _ detail: String) -> Stop { .refused(.denied(code: code, detail: detail)) }
}
