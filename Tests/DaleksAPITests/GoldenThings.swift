import DaleksCore

@testable import DaleksAPI

/// What the golden bodies are about: few things, each with ids that can be told apart.
enum Things {
    static let folder = NodeID(high: 0x0191_a1fd_b963_0001, low: 0x54d1_28ff_4c19_0001)
    static let file = NodeID(high: 0x0191_a1fd_b963_0002, low: 0x54d1_28ff_4c19_0002)
    static let other = NodeID(high: 0x0191_a1fd_b963_0003, low: 0x54d1_28ff_4c19_0003)
    static let ann = UserID(high: 0x0191_a1fd_b963_000a, low: 0x54d1_28ff_4c19_000a)
    static let bob = UserID(high: 0x0191_a1fd_b963_000b, low: 0x54d1_28ff_4c19_000b)
    static let device = DeviceID(high: 0x0191_a1fd_b963_000d, low: 0x54d1_28ff_4c19_000d)

    static let folderText = "0191a1fdb963000154d128ff4c190001"
    static let fileText = "0191a1fdb963000254d128ff4c190002"
    static let otherText = "0191a1fdb963000354d128ff4c190003"
    static let annText = "0191a1fdb963000a54d128ff4c19000a"
    static let bobText = "0191a1fdb963000b54d128ff4c19000b"
    static let deviceText = "0191a1fdb963000d54d128ff4c19000d"

    /// All of the digest's bytes are this one.
    static func digest(_ byte: UInt8) -> Digest {
        guard let digest = Digest(bytes: [UInt8](repeating: byte, count: 32)) else { preconditionFailure("32 bytes") }
        return digest
    }
    static let digestText = String(repeating: "ab", count: 32)
    static let otherDigestText = String(repeating: "cd", count: 32)

    static func name(_ text: String) -> Name { name(Array(text.utf8)) }
    static func name(_ bytes: [UInt8]) -> Name {
        guard let name = try? Name(bytes) else { preconditionFailure("a name of the golden bodies is none") }
        return name
    }

    static func time(_ nanoseconds: Int64) -> Timestamp { Timestamp(nanoseconds: nanoseconds) }

    /// Every member is another number, so that two that changed places are seen.
    static func node(_ kind: NodeKind = .file, target: [UInt8]? = nil) -> NodeRecord {
        NodeRecord(
            id: file,
            attributes: Attributes(
                kind: kind,
                mode: 0o644,
                uid: 1_001,
                gid: 1_002,
                accessed: time(1_700_000_000_000_000_001),
                modified: time(1_700_000_000_000_000_002),
                changed: time(1_700_000_000_000_000_003),
                size: 1_048_577,
                links: 2
            ),
            revision: 12,
            content: 11,
            owner: ann,
            target: target
        )
    }

    static func nodeText(_ kind: String = "file", more: String = "") -> String {
        """
        {"id":"\(fileText)","kind":"\(kind)","mode":420,"uid":1001,"gid":1002,"atime":1700000000000000001,
        "mtime":1700000000000000002,"ctime":1700000000000000003,"size":1048577,"links":2,"rev":12,"content":11,
        "owner":"\(annText)"\(more)}
        """
    }

    static var sharedNode: NodeRecord {
        var node = node()
        node.creator = bob
        node.visibility = .shared
        node.rights = [.read, .update]
        return node
    }

    static let sharedNodeText = nodeText(
        more: #","creator":"\#(bobText)","visibility":"shared","rights":["read","update"]"#
    )

    /// Members of a shared node that may be missing, below `prefix`.
    static func optionalOfNode(below prefix: String) -> Set<String> {
        Set(["target", "creator", "visibility", "rights"].map { prefix.isEmpty ? $0 : "\(prefix).\($0)" })
    }
}
