import DaleksAPI
import DaleksCore
import DaleksJSON
import DaleksService

/// The bodies that more than one operation has.
enum FilesSchemas {
    static let all: KeyValuePairs<String, Schema> = [
        "Node": node, "NamedNode": named([:], optional: ["node": .named("Node")]), "Entries": entries,
        "Grant": grant, "Link": link, "Version": version, "Transfer": transfer, "Span": span, "Change": change,
        "Changes": changes,
        "Capabilities": capabilities,
    ]

    static let digest = Schema.text(pattern: "^[0-9a-f]{64}$")
    static let base64 = Schema.text(pattern: "^[A-Za-z0-9_-]*$")
    static let revision = Schema.integer(0...Int64.max)
    static let cursor = Schema.text(pattern: "^[0-9]{1,18}\\.[0-9]{1,18}$", example: "1.42")
    static let name64 = Schema.text(2...340, pattern: "^[A-Za-z0-9_-]+$")
    /// At most 255 bytes, which no pattern can say.
    static let name = Schema.text(1...Limits.nameBytesMax, pattern: "^[^/\\x00]+$", example: "letter.txt")
    static let path = Schema.text(1...1_000, pattern: "^[^/\\x00]+(/[^/\\x00]+)*$", example: "letters/letter.txt")
    static let mode = Schema.integer(0...0o7777)
    static let word32 = Schema.integer(0...Int64(UInt32.max))
    static let rights = Schema([
        "type": "array", "items": .object(Schema.one(of: Rights.words).json), "maxItems": .integer(5),
    ])
    static let someRights = Schema([
        "type": "array", "items": .object(Schema.one(of: Rights.words).json), "minItems": 1, "maxItems": 5,
    ])
    static let kind = Schema.one(of: NodeKind.allCases.map(\.word))
    static let linkKind = Schema.one(of: LinkKind.allCases.map(\.rawValue))
    static let visibility = Schema.one(of: Visibility.allCases.map(\.rawValue))

    /// An object with a name: as text where it is UTF-8, else its bytes in base64url.
    static func named(
        _ required: KeyValuePairs<String, Schema> = [:],
        optional: KeyValuePairs<String, Schema> = [:],
        prefix: String = ""
    ) -> Schema {
        let plain = Schema.object(required, optional: optional).json
        return Schema.all(of: [
            Schema(plain),
            .exactlyOne(of: [.object([prefix + "name": name]), .object([prefix + "name64": name64])]),
        ])
    }

    static let node = Schema.object(
        [
            "id": .id, "kind": kind, "mode": mode, "uid": word32, "gid": word32, "atime": .time, "mtime": .time,
            "ctime": .time, "size": revision, "links": word32, "rev": revision, "content": revision, "owner": .id,
        ],
        optional: [
            "device": word32, "target": base64, "xattrs": .list(named(["value": base64])), "creator": .id,
            "visibility": visibility, "rights": rights,
        ]
    ).described("`content` is the revision of its bytes, `rev` that of anything about it")

    static let entries = Schema.object(
        ["entries": .list(named(["node": .named("Node")])), "cursor": cursor],
        optional: ["next": name64]
    )

    static let grant = Schema.object(
        ["node": .id, "user": .id, "rights": rights, "by": .id, "granted": .time],
        optional: ["expires": .time]
    )

    static let link = Schema.object(
        [
            "id": .id, "node": .id, "kind": linkKind, "has_password": .bool, "created": .time,
            "downloads": revision,
        ],
        optional: ["expires": .time, "downloads_max": .integer(), "last_used": .time, "url": .text()]
    ).described("`url` is told once, where it was made")

    static let transfer = named([
        "id": .id, "node": .id, "kind": kind, "from": .id, "to": .id, "offered": .time, "expires": .time,
    ])

    static let version = Schema.object(
        ["content": revision, "size": revision, "modified": .time, "pinned": .bool],
        optional: ["superseded": .time, "author": .id, "label": .text()]
    ).described("the present content has no `superseded`")

    static let span = Schema.object(
        ["index": revision, "bytes": .integer(0...Int64(Limits.spanBytes))],
        optional: [
            "digest": digest, "inline": base64,
            "over": .object(["digest": digest, "bytes": .integer(1...Int64(Limits.spanBytes))]),
            "pieces": .list(
                .object(
                    ["index": .integer(0...15), "bytes": .integer(1...Int64(Limits.pieceBytes))],
                    optional: ["digest": digest, "inline": base64]
                ),
                countMax: 16
            ),
        ]
    ).described("a megabyte of a file; what names no bytes is a hole")

    static let change = Schema.object(
        [
            "sequence": revision, "nodes": .list(.named("Node")),
            "entries": .list(named(["parent": .id, "node": Schema.id.orNull])),
        ],
        optional: [
            "device": .id, "operation": revision,
            "shares": .list(.object(["node": .id, "owner": .id], optional: ["rights": rights, "expires": .time])),
            "touched": .list(.object(["node": .id, "rev": revision])),
        ]
    )

    static let changes = Schema.object(["changes": .list(.named("Change")), "cursor": cursor])

    private static let capabilities = Schema.object([
        "protocol": .integer(1...1), "region": .text(), "operations": .list(.text()), "features": .list(.text()),
        "limits": .object([
            "batch_operations": revision, "batch_bytes": revision, "children_page": revision,
            "chunk_bytes": revision, "inline_bytes": revision, "chunk_batch_bytes": revision,
        ]),
    ])
}
