import DaleksAPI
import DaleksCore

/// A device's operation, as rows name it: the device by its small number.
struct OperationMark: Hashable, Sendable {
    var device: Int64
    var sequence: Int64
}

/// A node as the database has it.
struct StoredNode: Hashable, Sendable {
    let id: NodeID
    let tree: TreeNumber
    var attributes: Attributes
    var revision: Revision
    /// The sequence at which its bytes last changed; 0 where it never had any.
    var content: Revision
    var target: [UInt8]?
    var extended = ExtendedAttributes()
    /// Where a folder lies; nil for the root and everything else. Following it upwards finds cycles.
    var parent: NodeID?
    /// How many entries a folder has.
    var entryCount: Int64 = 0
    /// Bytes of its spans: what it costs its owner.
    var contentBytes: Int64 = 0
    /// The operation that made the node or last changed its bytes: what a base `{"operation": …}` must name. It stays
    /// after the device took the answer, so such a base never has to be guessed.
    var maker: OperationMark?
    /// When it lost its last name, by the region's clock. Nil while it has one.
    var removed: Timestamp?

    var isFolder: Bool { attributes.kind == .folder }
    var isLive: Bool { removed == nil }

    func record(owner: UserID) -> NodeRecord {
        NodeRecord(
            id: id,
            attributes: attributes,
            revision: revision,
            content: content,
            owner: owner,
            target: target,
            extended: extended
        )
    }
}

/// A name in a folder.
struct EntryKey: Hashable, Sendable {
    var parent: NodeID
    var name: Name
}
