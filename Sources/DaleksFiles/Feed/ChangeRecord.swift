import DaleksAPI
import DaleksCore

/// How a change is kept: about a third of its JSON, which matters at a million changes a tree.
enum ChangeRecord {
    private static let version: UInt8 = 3

    static func bytes(of change: Change) -> [UInt8] {
        var writer = RecordWriter(reservingBytes: 64 + change.nodes.count * 100 + change.entries.count * 64)
        writer.byte(version)
        if let device = change.device, let operation = change.operation {
            writer.byte(1)
            writer.identifier(device)
            writer.signed(operation)
        } else {
            writer.byte(0)
        }
        writer.count(change.nodes.count)
        for node in change.nodes { write(node, to: &writer) }
        writer.count(change.entries.count)
        for entry in change.entries {
            writer.identifier(entry.parent)
            writer.blob(entry.name.bytes)
            writer.byte(entry.node == nil ? 0 : 1)
            if let node = entry.node { writer.identifier(node) }
        }
        writer.count(change.shares.count)
        for share in change.shares {
            writer.identifier(share.node)
            writer.identifier(share.owner)
            writer.byte(share.rights == nil ? 0 : 1)
            if let rights = share.rights { writer.byte(rights.rawValue) }
            writer.byte(share.expires == nil ? 0 : 1)
            if let expires = share.expires { writer.signed(expires.nanoseconds) }
        }
        return writer.bytes
    }

    private static func write(_ node: NodeRecord, to writer: inout RecordWriter) {
        let attributes = node.attributes
        writer.identifier(node.id)
        writer.byte(attributes.kind.rawValue)
        writer.number(attributes.mode)
        writer.number(attributes.uid)
        writer.number(attributes.gid)
        writer.signed(attributes.accessed.nanoseconds)
        writer.signed(attributes.modified.nanoseconds)
        writer.signed(attributes.changed.nanoseconds)
        writer.signed(attributes.size)
        writer.number(attributes.links)
        writer.signed(node.revision)
        writer.signed(node.content)
        writer.byte(node.target == nil ? 0 : 1)
        if let target = node.target { writer.blob(target) }
        writer.byte(Sharing(node.visibility).rawValue)
        writer.byte(node.creator == nil ? 0 : 1)
        if let creator = node.creator { writer.identifier(creator) }
        writer.number(attributes.device)
        writer.blob(node.extended.encoded)
    }

    /// The sequence is the column beside it; the owner of a tree owns every node in it, so neither is in the bytes.
    static func change(from bytes: [UInt8], sequence: Revision, owner: UserID) throws(RecordError) -> Change {
        var reader = RecordReader(bytes, "change")
        // The first version knew nothing of sharing, the second neither devices nor extended attributes.
        let version = try reader.byte()
        guard (1...Self.version).contains(version) else { throw reader.failure }
        var change = Change(sequence: sequence, device: nil, operation: nil, nodes: [], entries: [])
        if try reader.byte() == 1 {
            change.device = try reader.identifier()
            change.operation = try reader.signed()
        }
        for _ in 0..<(try reader.count(upTo: bytes.count)) { change.nodes.append(try node(&reader, owner, version)) }
        for _ in 0..<(try reader.count(upTo: bytes.count)) {
            let (parent, name): (NodeID, Name) = (try reader.identifier(), try reader.name())
            let node: NodeID? = try reader.byte() == 1 ? try reader.identifier() : nil
            change.entries.append(Change.Entry(parent: parent, name: name, node: node))
        }
        if version >= 2 {
            for _ in 0..<(try reader.count(upTo: bytes.count)) { change.shares.append(try share(&reader)) }
        }
        guard reader.isAtEnd else { throw reader.failure }
        return change
    }

    private static func share(_ reader: inout RecordReader) throws(RecordError) -> Change.Share {
        Change.Share(
            node: try reader.identifier(),
            owner: try reader.identifier(),
            rights: try reader.byte() == 1 ? Rights(rawValue: try reader.byte()) : nil,
            expires: try reader.byte() == 1 ? Timestamp(nanoseconds: try reader.signed()) : nil
        )
    }

    private static func node(
        _ reader: inout RecordReader,
        _ owner: UserID,
        _ version: UInt8
    ) throws(RecordError) -> NodeRecord {
        let id: NodeID = try reader.identifier()
        guard let kind = NodeKind(rawValue: try reader.byte()) else { throw reader.failure }
        let attributes = Attributes(
            kind: kind,
            mode: try reader.unsigned32(),
            uid: try reader.unsigned32(),
            gid: try reader.unsigned32(),
            accessed: Timestamp(nanoseconds: try reader.signed()),
            modified: Timestamp(nanoseconds: try reader.signed()),
            changed: Timestamp(nanoseconds: try reader.signed()),
            size: try reader.signed(),
            links: try reader.unsigned32()
        )
        var record = NodeRecord(
            id: id,
            attributes: attributes,
            revision: try reader.signed(),
            content: try reader.signed(),
            owner: owner,
            target: try reader.byte() == 1 ? try reader.blob() : nil
        )
        guard version >= 2 else { return record }
        record.visibility = Sharing(rawValue: try reader.byte()).visibility
        record.creator = try reader.byte() == 1 ? try reader.identifier() : nil
        guard version >= 3 else { return record }
        record.attributes.device = try reader.unsigned32()
        guard let extended = ExtendedAttributes(encoded: try reader.blob()) else { throw reader.failure }
        record.extended = extended
        return record
    }
}
