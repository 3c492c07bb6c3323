import DaleksCore

@testable import DaleksAPI

extension Golden {
    private typealias T = Things

    static let all: [Golden] =
        users + control + nodes + operations + results + changes + content + sharing
        + history + leases

    static let nodes: [Golden] =
        [NodeKind.file, .folder, .fifo, .socket, .characterDevice, .blockDevice].map { kind in
            Golden(T.node(kind), T.nodeText(kind.word))
        } + [
            Golden(
                T.node(.symlink, target: Array("../b".utf8)),
                T.nodeText("symlink", more: #","target":"Li4vYg""#),
                optional: ["target"]
            ),
            Golden(T.sharedNode, T.sharedNodeText, optional: T.optionalOfNode(below: "")),
            Golden(
                EntryRecord(name: T.name("a \"b\" ü"), node: T.node()),
                #"{"name":"a \"b\" ü","node":\#(T.nodeText())}"#
            ),
            Golden(
                ChildrenPage(
                    entries: [
                        EntryRecord(name: T.name("a"), node: T.node()),
                        EntryRecord(name: T.name([0xff, 0x41]), node: T.node(.folder)),
                    ],
                    next: T.name("zz"),
                    cursor: "3.40"
                ),
                """
                {"entries":[{"name":"a","node":\(T.nodeText())},{"name64":"_0E","node":\(T.nodeText("folder"))}],
                "next":"eno","cursor":"3.40"}
                """,
                optional: ["next"]
            ),
            Golden(
                TreeRecord(root: T.folder, epoch: 3, cursor: "3.40"),
                #"{"root":"\#(T.folderText)","epoch":3,"cursor":"3.40"}"#
            ),
            Golden(
                TreeRecord(
                    root: T.folder,
                    epoch: 90,
                    cursor: "90.95",
                    setbacks: Setbacks([Setback(kept: 7, resumed: 90)])
                ),
                #"{"root":"\#(T.folderText)","epoch":90,"cursor":"90.95","setbacks":[{"kept":7,"resumed":90}]}"#,
                optional: ["setbacks"]
            ),
            Golden(
                UsageRecord(bytesUsed: 1, bytesQuota: 2, filesUsed: 3, versionsBytes: 4, trashBytes: 5),
                #"{"bytes_used":1,"bytes_quota":2,"files_used":3,"versions_bytes":4,"trash_bytes":5}"#,
                optional: ["versions_bytes", "trash_bytes"]
            ),
        ]

    static let changes: [Golden] = [
        Golden(
            Change.Entry(parent: T.folder, name: T.name("a"), node: T.file),
            #"{"parent":"\#(T.folderText)","name":"a","node":"\#(T.fileText)"}"#,
            optional: ["node"]
        ),
        Golden(
            Change.Share(node: T.file, owner: T.ann, rights: [.read], expires: T.time(9)),
            #"{"node":"\#(T.fileText)","owner":"\#(T.annText)","rights":["read"],"expires":9}"#,
            optional: ["rights", "expires"]
        ),
        Golden(change, changeText, optional: optionalOfChange(below: "")),
        Golden(
            Change(
                sequence: 43,
                device: T.device,
                operation: 7,
                nodes: [],
                entries: [],
                touched: [Change.Touch(node: T.file, revision: 42)]
            ),
            #"{"sequence":43,"device":"\#(T.deviceText)","operation":7,"nodes":[],"entries":[],"#
                + #""touched":[{"node":"\#(T.fileText)","rev":42}]}"#,
            optional: ["device", "operation", "touched"]
        ),
        Golden(
            ChangesPage(changes: [change], cursor: "3.41"),
            #"{"changes":[\#(changeText)],"cursor":"3.41"}"#,
            optional: optionalOfChange(below: "changes.")
        ),
        Golden(
            FollowRequest([FollowRequest.Place(owner: T.bob, cursor: "1.2")], waitSeconds: 50),
            #"{"follow":[{"owner":"\#(T.bobText)","after":"1.2"}],"wait":50}"#,
            optional: ["wait"]
        ),
        Golden(
            FollowAnswer([
                FollowAnswer.Page(owner: T.bob, outcome: .changes(ChangesPage(changes: [change], cursor: "3.41")))
            ]),
            #"{"pages":[{"owner":"\#(T.bobText)","changes":[\#(changeText)],"cursor":"3.41"}]}"#,
            optional: optionalOfChange(below: "pages.changes.")
        ),
    ]

    private static let change = Change(
        sequence: 41,
        device: T.device,
        operation: 5,
        nodes: [T.node()],
        entries: [Change.Entry(parent: T.folder, name: T.name("b"), node: T.file)],
        shares: [Change.Share(node: T.other, owner: T.bob, rights: [.read], expires: T.time(8))]
    )

    private static let changeText = """
        {"sequence":41,"device":"\(T.deviceText)","operation":5,"nodes":[\(T.nodeText())],
        "entries":[{"parent":"\(T.folderText)","name":"b","node":"\(T.fileText)"}],
        "shares":[{"node":"\(T.otherText)","owner":"\(T.bobText)","rights":["read"],"expires":8}]}
        """

    private static func optionalOfChange(below prefix: String) -> Set<String> {
        Set(["device", "operation", "entries.node", "shares", "shares.rights", "shares.expires"].map { prefix + $0 })
    }
}
