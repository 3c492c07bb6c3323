import DaleksCore

@testable import DaleksAPI

extension Golden {
    private typealias T = Things

    private static let grant = Grant(
        node: T.file,
        user: T.bob,
        rights: [.read, .share],
        grantor: T.ann,
        granted: T.time(1),
        expires: T.time(2)
    )

    private static let grantText = """
        {"node":"\(T.fileText)","user":"\(T.bobText)","rights":["read","share"],"by":"\(T.annText)","granted":1,
        "expires":2}
        """

    private static func optionalOfNode(_ prefix: String, _ more: String...) -> Set<String> {
        T.optionalOfNode(below: prefix).union(more)
    }

    static let sharing: [Golden] = [
        Golden(grant, grantText, optional: ["expires"]),
        Golden(
            GrantRequest(rights: .all, expires: T.time(3)),
            #"{"rights":["read","write","update","delete","share"],"expires":3}"#,
            optional: ["expires"]
        ),
        Golden(GrantList([grant]), #"{"grants":[\#(grantText)]}"#, optional: ["grants.expires"]),
        Golden(VisibilityRequest(isPublic: true), #"{"visibility":"public"}"#),
        Golden(VisibilityRequest(isPublic: false), #"{"visibility":"private"}"#),
        Golden(
            AccessRecord(
                owner: T.ann,
                isOwner: false,
                rights: [.read],
                visibility: .public,
                reasons: [
                    AccessRecord.Reason(
                        rights: [.read],
                        node: T.folder,
                        name: T.name("a"),
                        grantor: T.ann,
                        expires: T.time(4)
                    ),
                    AccessRecord.Reason(rights: [.read], node: T.other, name: nil, grantor: nil, expires: nil),
                ],
                why: ["Ann shares it"]
            ),
            """
            {"owner":"\(T.annText)","is_owner":false,"rights":["read"],"visibility":"public","reasons":[
            {"rights":["read"],"node":"\(T.folderText)","name":"a","by":"\(T.annText)","expires":4},
            {"rights":["read"],"node":"\(T.otherText)","public":true}],"why":["Ann shares it"]}
            """,
            optional: ["reasons.name", "reasons.by", "reasons.expires"],
            // For programs of others; ours sees it by the absence of whoever granted.
            unread: ["reasons.public"]
        ),
        Golden(
            SharedWithMe(
                items: [
                    SharedItem(
                        node: T.sharedNode,
                        name: T.name("a"),
                        grantor: T.ann,
                        granted: T.time(5),
                        expires: T.time(6),
                        cursor: "1.2"
                    )
                ],
                next: T.other,
                cursor: "3.4"
            ),
            """
            {"items":[{"node":\(T.sharedNodeText),"name":"a","by":"\(T.annText)","granted":5,"expires":6,
            "cursor":"1.2"}],"next":"\(T.otherText)","cursor":"3.4"}
            """,
            optional: optionalOfNode("items.node", "items.expires", "next")
        ),
        Golden(
            SharedWithMe(
                items: [
                    SharedItem(
                        node: T.sharedNode,
                        name: T.name("a"),
                        grantor: T.ann,
                        granted: T.time(5),
                        expires: nil,
                        within: T.folder,
                        cursor: "1.2"
                    )
                ],
                next: nil,
                cursor: "3.4"
            ),
            """
            {"items":[{"node":\(T.sharedNodeText),"name":"a","by":"\(T.annText)","granted":5,
            "within":"\(T.folderText)","cursor":"1.2"}],"cursor":"3.4"}
            """,
            optional: optionalOfNode("items.node", "items.within")
        ),
        Golden(
            SharedByMe(
                items: [SharedByMe.Item(node: T.sharedNode, path: "/a/b", grants: [grant])],
                next: T.other
            ),
            """
            {"items":[{"node":\(T.sharedNodeText),"path":"/a/b","grants":[\(grantText)]}],"next":"\(T.otherText)"}
            """,
            optional: optionalOfNode("items.node", "items.grants.expires", "next")
        ),
    ]

    static let history: [Golden] = [
        Golden(
            TrashPage(
                items: [
                    TrashItem(
                        node: T.node(),
                        name: T.name([0xfe]),
                        parent: T.folder,
                        made: T.time(0),
                        removed: T.time(1),
                        remover: T.bob,
                        expires: T.time(2)
                    )
                ],
                next: T.other
            ),
            """
            {"items":[{"node":\(T.nodeText()),"name64":"_g","parent":"\(T.folderText)","made":0,
            "removed":1,"by":"\(T.bobText)","expires":2}],"next":"\(T.otherText)"}
            """,
            optional: ["items.by", "items.made", "next"]
        ),
        Golden(
            TrashRestoreRequest(toParent: T.folder, toName: T.name("b"), onConflict: .rename),
            #"{"to_parent":"\#(T.folderText)","to_name":"b","on_conflict":"rename"}"#,
            optional: ["to_parent", "to_name", "on_conflict"]
        ),
        Golden(
            VersionList(
                [
                    VersionRecord(
                        content: 11,
                        size: 9,
                        modified: T.time(1),
                        superseded: T.time(2),
                        author: T.bob,
                        label: "before",
                        isPinned: true
                    )
                ],
                made: T.time(0)
            ),
            """
            {"made":0,"versions":[{"content":11,"size":9,"modified":1,"superseded":2,"author":"\(T.bobText)",
            "label":"before","pinned":true}]}
            """,
            optional: ["made", "versions.superseded", "versions.author", "versions.label"]
        ),
        Golden(
            VersionChange(label: "kept", isPinned: false),
            #"{"label":"kept","pinned":false}"#,
            optional: ["label", "pinned"]
        ),
        Golden(VersionRestoreRequest(base: 11), #"{"base":11}"#),
    ]
}
