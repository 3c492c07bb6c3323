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
    /// Where it lies. A folder's is always there but for the root's, and following it upwards finds cycles and rights.
    /// Of something with several names it may be missing; what was removed keeps the folder that it was removed from.
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
    /// When it was made, by the region's clock. Nil where that was not kept.
    var made: Timestamp?
    /// Who made it, where that is not its owner.
    var creator: UserID?
    var sharing: Sharing = []
    /// What it was called, while it lies in the trash.
    var removedName: Name?
    var remover: UserID?
    /// What went to the trash with it, for when it goes for good or comes back.
    var trashBytes: Int64 = 0
    var trashFiles: Int64 = 0

    var isFolder: Bool { attributes.kind == .folder }
    var isLive: Bool { removed == nil }

    func record(owner: UserID) -> NodeRecord {
        var record = NodeRecord(
            id: id,
            attributes: attributes,
            revision: revision,
            content: content,
            owner: owner,
            target: target,
            extended: extended
        )
        record.creator = creator
        record.visibility = sharing.visibility
        return record
    }
}

/// Whether anything was said about a node itself that lets others see it: where not, there is nothing to look up.
struct Sharing: OptionSet, Hashable, Sendable {
    let rawValue: UInt8

    static let granted = Sharing(rawValue: 1)
    static let published = Sharing(rawValue: 2)

    init(rawValue: UInt8) { self.rawValue = rawValue }

    init(_ visibility: Visibility) {
        self =
            switch visibility {
            case .private: []
            case .shared: .granted
            case .public: .published
            }
    }

    var visibility: Visibility {
        if contains(.published) { return .public }
        return contains(.granted) ? .shared : .private
    }
}

/// A name in a folder.
struct EntryKey: Hashable, Sendable {
    var parent: NodeID
    var name: Name
}
