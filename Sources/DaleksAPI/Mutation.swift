public import DaleksCore

/// What a device asks the region to do to the tree. One of these is one step that a user could see.
public enum Mutation: Hashable, Sendable {
    /// What a commit or rename builds on.
    public enum Base: Hashable, Sendable {
        case content(Revision)
        /// What this device's operation with that sequence made.
        case operation(Int64)
    }

    public struct Creation: Hashable, Sendable {
        public var parent: NodeID
        public var name: Name
        public var node: NodeID
        public var kind: NodeKind
        public var mode: UInt32
        public var uid: UInt32
        public var gid: UInt32
        public var time: Timestamp
        public var target: [UInt8]?
        /// Of a device node; see `Attributes`.
        public var device: UInt32

        public init(
            parent: NodeID,
            name: Name,
            node: NodeID,
            kind: NodeKind,
            mode: UInt32,
            uid: UInt32,
            gid: UInt32,
            time: Timestamp,
            target: [UInt8]? = nil,
            device: UInt32 = 0
        ) {
            self.parent = parent
            self.name = name
            self.node = node
            self.kind = kind
            self.mode = mode
            self.uid = uid
            self.gid = gid
            self.time = time
            self.target = target
            self.device = device
        }
    }

    public struct Rename: Hashable, Sendable {
        public var parent: NodeID
        public var name: Name
        public var node: NodeID
        public var toParent: NodeID
        public var toName: Name
        /// The node that stands at the target, as the device saw it.
        public var replaces: NodeID?
        public var isExchange: Bool
        public var time: Timestamp

        public init(
            parent: NodeID,
            name: Name,
            node: NodeID,
            toParent: NodeID,
            toName: Name,
            replaces: NodeID?,
            isExchange: Bool,
            time: Timestamp
        ) {
            self.parent = parent
            self.name = name
            self.node = node
            self.toParent = toParent
            self.toName = toName
            self.replaces = replaces
            self.isExchange = isExchange
            self.time = time
        }
    }

    public struct AttributeChange: Hashable, Sendable {
        public var node: NodeID
        public var mode: UInt32?
        public var uid: UInt32?
        public var gid: UInt32?
        public var accessed: Timestamp?
        public var modified: Timestamp?
        public var time: Timestamp

        public init(
            node: NodeID,
            mode: UInt32? = nil,
            uid: UInt32? = nil,
            gid: UInt32? = nil,
            accessed: Timestamp? = nil,
            modified: Timestamp? = nil,
            time: Timestamp
        ) {
            self.node = node
            self.mode = mode
            self.uid = uid
            self.gid = gid
            self.accessed = accessed
            self.modified = modified
            self.time = time
        }
    }

    /// One extended attribute of a node.
    public struct ExtendedChange: Hashable, Sendable {
        public var node: NodeID
        public var name: [UInt8]
        /// Nil takes it away.
        public var value: [UInt8]?
        public var time: Timestamp

        public init(node: NodeID, name: [UInt8], value: [UInt8]?, time: Timestamp) {
            self.node = node
            self.name = name
            self.value = value
            self.time = time
        }
    }

    public struct Commit: Hashable, Sendable {
        public var node: NodeID
        public var base: Base
        public var size: Int64
        /// Only those that changed.
        public var spans: [Span]
        public var modified: Timestamp
        public var time: Timestamp

        public init(node: NodeID, base: Base, size: Int64, spans: [Span], modified: Timestamp, time: Timestamp) {
            self.node = node
            self.base = base
            self.size = size
            self.spans = spans
            self.modified = modified
            self.time = time
        }
    }

    case create(Creation)
    case link(parent: NodeID, name: Name, node: NodeID, time: Timestamp)
    case rename(Rename)
    case remove(parent: NodeID, name: Name, node: NodeID, time: Timestamp)
    case attributes(AttributeChange)
    case extended(ExtendedChange)
    case commit(Commit)

    /// Its name on the wire.
    public var word: String {
        switch self {
        case .create: "create"
        case .link: "link"
        case .rename: "rename"
        case .remove: "remove"
        case .attributes: "attributes"
        case .extended: "xattr"
        case .commit: "commit"
        }
    }

    /// The node that it is about.
    public var subject: NodeID {
        switch self {
        case .create(let creation): creation.node
        case .link(_, _, let node, _), .remove(_, _, let node, _): node
        case .rename(let rename): rename.node
        case .attributes(let change): change.node
        case .extended(let change): change.node
        case .commit(let commit): commit.node
        }
    }

    public static let words = ["create", "link", "rename", "remove", "attributes", "xattr", "commit"]
}
