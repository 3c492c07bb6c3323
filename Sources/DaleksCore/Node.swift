/// What a node is. The raw values are on the wire's side of every database: never renumber.
public enum NodeKind: UInt8, Sendable, CaseIterable {
    case file = 1
    case folder = 2
    case symlink = 3
    case fifo = 4
    case socket = 5
    case characterDevice = 6
    case blockDevice = 7
}

/// The attributes of a node, as region, replica and kernel all see them.
public struct Attributes: Hashable, Sendable {
    public var kind: NodeKind
    /// Permission bits only, 0…0o7777.
    public var mode: UInt32
    public var uid: UInt32
    public var gid: UInt32
    public var accessed: Timestamp
    public var modified: Timestamp
    public var changed: Timestamp
    public var size: Int64
    public var links: UInt32
    /// Which device a device node stands for, as Linux's kernel packs major and minor into 32 bits; 0 for all else.
    public var device: UInt32

    public init(
        kind: NodeKind,
        mode: UInt32,
        uid: UInt32,
        gid: UInt32,
        accessed: Timestamp,
        modified: Timestamp,
        changed: Timestamp,
        size: Int64,
        links: UInt32,
        device: UInt32 = 0
    ) {
        self.kind = kind
        self.mode = mode & 0o7777
        self.uid = uid
        self.gid = gid
        self.accessed = accessed
        self.modified = modified
        self.changed = changed
        self.size = size
        self.links = links
        self.device = device
    }
}

/// The tree's sequence number: every change of a tree takes the next one, so revisions of a tree are ordered.
public typealias Revision = Int64
