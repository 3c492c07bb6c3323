public import DaleksCore

/// A node as this machine shows it: the region's state with everything done here and not yet acknowledged on top.
public struct LocalNode: Hashable, Sendable {
    public var inode: Inode
    public var id: NodeID
    public var attributes: Attributes
    /// What is here counts in all that happened to the node at the region up to this; 0 while it exists only here.
    public var revision: Revision
    /// The last step of ours on the node, or among a folder's entries, that the region answered. What it says of the
    /// node as it was before that lacks the step.
    public var answered: Revision
    /// The region's content that our clean bytes belong to; 0 where the region has none.
    public var content: Revision
    /// The size of that content: what lies behind it was never at the region, so it is not missing here.
    public var contentSize: Int64
    public var target: [UInt8]?
    /// A folder whose every entry is known here, so that absence can be told from ignorance.
    public var isComplete: Bool
    /// The feed's sequence that the listing of a folder already counts in: older news about its entries is none.
    public var listed: Revision
    /// A remote change was held back because operations of ours were under way: ask again when they are done.
    public var isStale: Bool
    public var extended: ExtendedAttributes
    public var standing: LocalStanding

    public init(
        inode: Inode,
        id: NodeID,
        attributes: Attributes,
        revision: Revision = 0,
        answered: Revision = 0,
        content: Revision = 0,
        contentSize: Int64 = 0,
        target: [UInt8]? = nil,
        isComplete: Bool = false,
        listed: Revision = 0,
        isStale: Bool = false,
        extended: ExtendedAttributes = ExtendedAttributes(),
        standing: LocalStanding = LocalStanding()
    ) {
        self.inode = inode
        self.id = id
        self.attributes = attributes
        self.revision = revision
        self.answered = answered
        self.content = content
        self.contentSize = contentSize
        self.target = target
        self.isComplete = isComplete
        self.listed = listed
        self.isStale = isStale
        self.extended = extended
        self.standing = standing
    }
}

/// A name in a folder. `position` orders the folder for readdir: it stays while the entry stays.
public struct LocalEntry: Hashable, Sendable {
    public var position: Int64
    public var name: Name
    public var node: LocalNode

    public init(position: Int64, name: Name, node: LocalNode) {
        self.position = position
        self.name = name
        self.node = node
    }
}
