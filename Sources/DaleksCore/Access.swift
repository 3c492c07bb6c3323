/// What somebody is to a node, as far as rights go: all that `AccessDecision` asks.
///
/// The region gathers it from its tables, the daemon from what a node record says; the decision is the same function.
public struct Access: Hashable, Sendable {
    /// The caller owns the tree that the node is in.
    public var isOwner: Bool
    /// What was granted on the node or above it, without expired grants.
    public var granted: Rights
    /// The node or something above it is public.
    public var isPublic: Bool
    /// The caller made the node, in somebody else's tree.
    public var isCreator: Bool

    public init(isOwner: Bool = false, granted: Rights = [], isPublic: Bool = false, isCreator: Bool = false) {
        self.isOwner = isOwner
        self.granted = granted
        self.isPublic = isPublic
        self.isCreator = isCreator
    }

    public static let owner = Access(isOwner: true)
    /// Whoever comes with no name: public items, links and signed URLs.
    public static let anonymous = Access(isPublic: true)

    /// The rights that it comes to.
    public var rights: Rights {
        if isOwner { return .all }
        return isPublic ? granted.union(.read) : granted
    }

    public func decide(_ act: Act) -> AccessDecision {
        AccessDecision.decide(act, isOwner: isOwner, granted: granted, isPublic: isPublic, isCreator: isCreator)
    }

    /// Two ways to one node, such as two names of a file: what either gives.
    public func union(_ other: Access) -> Access {
        Access(
            isOwner: isOwner || other.isOwner,
            granted: granted.union(other.granted),
            isPublic: isPublic || other.isPublic,
            isCreator: isCreator || other.isCreator
        )
    }
}
