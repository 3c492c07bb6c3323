import DaleksCore

@testable import DaleksAPI

extension Golden {
    private typealias T = Things

    static let operations: [Golden] = [
        Golden(Operation(sequence: 1, mutation: .create(creation(.file))), creationText("file")),
        Golden(Operation(sequence: 1, mutation: .create(creation(.folder))), creationText("folder")),
        Golden(Operation(sequence: 1, mutation: .create(creation(.fifo))), creationText("fifo")),
        Golden(Operation(sequence: 1, mutation: .create(creation(.socket))), creationText("socket")),
        Golden(
            Operation(sequence: 1, mutation: .create(creation(.blockDevice, device: 0x801))),
            creationText("block_device", more: #","device":2049"#),
            optional: ["device"]
        ),
        Golden(
            Operation(sequence: 1, mutation: .create(creation(.symlink, target: [0xff]))),
            creationText("symlink", more: #","target":"_w""#)
        ),
        Golden(
            Operation(
                sequence: 2,
                mutation: .link(parent: T.folder, name: T.name([0x80]), node: T.file, time: T.time(7))
            ),
            """
            {"sequence":2,"op":"link","parent":"\(T.folderText)","name64":"gA","node":"\(T.fileText)","time":7}
            """
        ),
        Golden(
            Operation(
                sequence: 3,
                mutation: .remove(parent: T.folder, name: T.name("a"), node: T.file, time: T.time(7))
            ),
            #"{"sequence":3,"op":"remove","parent":"\#(T.folderText)","name":"a","node":"\#(T.fileText)","time":7}"#
        ),
        Golden(
            Operation(sequence: 4, mutation: .rename(rename(isExchange: false))),
            renameText(),
            optional: ["replaces"]
        ),
        Golden(
            Operation(sequence: 4, mutation: .rename(rename(isExchange: true))),
            renameText(more: #""exchange":true,"#),
            // Without it, it is a rename that replaces.
            optional: ["exchange"]
        ),
        Golden(
            Operation(
                sequence: 5,
                mutation: .attributes(
                    Mutation.AttributeChange(
                        node: T.file,
                        mode: 0o600,
                        uid: 1_001,
                        gid: 1_002,
                        accessed: T.time(3),
                        modified: T.time(4),
                        time: T.time(5)
                    )
                )
            ),
            """
            {"sequence":5,"op":"attributes","node":"\(T.fileText)","mode":384,"uid":1001,"gid":1002,"atime":3,
            "mtime":4,"time":5}
            """,
            optional: ["mode", "uid", "gid", "atime", "mtime"]
        ),
        Golden(
            Operation(
                sequence: 7,
                mutation: .extended(
                    Mutation.ExtendedChange(node: T.file, name: Array("user.tag".utf8), value: [0xff], time: T.time(8))
                )
            ),
            #"{"sequence":7,"op":"xattr","node":"\#(T.fileText)","name":"user.tag","value":"_w","time":8}"#,
            optional: ["value"]
        ),
        Golden(
            Operation(sequence: 6, mutation: .commit(commit)),
            commitText,
            // A span that says nothing of its bytes is a hole.
            optional: ["spans.digest", "spans.inline"]
        ),
        Golden(
            Operation(
                sequence: 7,
                mutation: .commit(
                    Mutation.Commit(
                        node: T.file,
                        base: .operation(6),
                        size: 0,
                        spans: [],
                        modified: T.time(2),
                        time: T.time(1)
                    )
                )
            ),
            """
            {"sequence":7,"op":"commit","node":"\(T.fileText)","base":{"operation":6},"size":0,"spans":[],"mtime":2,
            "time":1}
            """,
            missedAs: ["base.operation": "content"]
        ),
        Golden(
            MutationBatch(
                device: T.device,
                acknowledged: 2,
                cursor: "3.40",
                operations: [
                    Operation(sequence: 6, mutation: .commit(commit)),
                    Operation(
                        sequence: 7,
                        mutation: .remove(parent: T.folder, name: T.name("a"), node: T.file, time: T.time(7))
                    ),
                ]
            ),
            """
            {"device":"\(T.deviceText)","acknowledged":2,"cursor":"3.40","operations":[\(commitText),
            {"sequence":7,"op":"remove","parent":"\(T.folderText)","name":"a","node":"\(T.fileText)","time":7}]}
            """,
            optional: ["cursor", "operations.spans.digest", "operations.spans.inline"]
        ),
    ]

    private static func creation(
        _ kind: NodeKind,
        target: [UInt8]? = nil,
        device: UInt32 = 0
    ) -> Mutation.Creation {
        Mutation.Creation(
            parent: T.folder,
            name: T.name("a"),
            node: T.file,
            kind: kind,
            mode: 0o755,
            uid: 1_001,
            gid: 1_002,
            time: T.time(6),
            target: target,
            device: device
        )
    }

    private static func creationText(_ kind: String, more: String = "") -> String {
        """
        {"sequence":1,"op":"create","parent":"\(T.folderText)","name":"a","node":"\(T.fileText)","kind":"\(kind)",
        "mode":493,"uid":1001,"gid":1002,"time":6\(more)}
        """
    }

    private static func rename(isExchange: Bool) -> Mutation.Rename {
        Mutation.Rename(
            parent: T.folder,
            name: T.name("a"),
            node: T.file,
            toParent: T.other,
            toName: T.name("b"),
            replaces: T.folder,
            isExchange: isExchange,
            time: T.time(7)
        )
    }

    private static func renameText(more: String = "") -> String {
        """
        {"sequence":4,"op":"rename","parent":"\(T.folderText)","name":"a","node":"\(T.fileText)",
        "to_parent":"\(T.otherText)","to_name":"b","replaces":"\(T.folderText)",\(more)"time":7}
        """
    }

    private static let commit = Mutation.Commit(
        node: T.file,
        base: .content(11),
        size: 3 << 20 | 3,
        spans: [
            Span(index: 0, bytes: 1 << 20, source: .chunk(T.digest(0xab))),
            Span(index: 2, bytes: 1 << 20, source: .hole),
            Span(index: 3, bytes: 3, source: .inline([1, 2, 255])),
        ],
        modified: T.time(2),
        time: T.time(1)
    )

    private static let commitText = """
        {"sequence":6,"op":"commit","node":"\(T.fileText)","base":{"content":11},"size":3145731,
        "spans":[{"index":0,"bytes":1048576,"digest":"\(T.digestText)"},{"index":2,"bytes":1048576},
        {"index":3,"bytes":3,"inline":"AQL_"}],"mtime":2,"time":1}
        """

    static let results: [Golden] =
        OperationResult.Conflict.allCases.map { conflict in
            Golden(
                OperationResult(sequence: 4, outcome: .conflict(conflict, current: nil)),
                #"{"sequence":4,"status":"conflict","code":"\#(conflict.rawValue)"}"#
            )
        } + [
            Golden(
                OperationResult(sequence: 1, outcome: .done(revision: 41, content: 40)),
                #"{"sequence":1,"status":"done","rev":41,"content":40}"#,
                optional: ["content"]
            ),
            Golden(OperationResult(sequence: 2, outcome: .known), #"{"sequence":2,"status":"known"}"#),
            Golden(
                OperationResult(sequence: 3, outcome: .conflict(.changed, current: T.node())),
                #"{"sequence":3,"status":"conflict","code":"changed","node":\#(T.nodeText())}"#,
                optional: ["node"]
            ),
            Golden(
                OperationResult(sequence: 5, outcome: .denied(code: "quota_exceeded", detail: "full")),
                #"{"sequence":5,"status":"denied","code":"quota_exceeded","detail":"full"}"#
            ),
            Golden(
                OperationResult(sequence: 6, outcome: .incomplete(missing: [T.digest(0xab), T.digest(0xcd)])),
                """
                {"sequence":6,"status":"incomplete","missing":["\(T.digestText)","\(T.otherDigestText)"]}
                """
            ),
            Golden(
                BatchAnswer(
                    results: [
                        OperationResult(sequence: 1, outcome: .done(revision: 41, content: nil)),
                        OperationResult(sequence: 2, outcome: .waiting),
                    ],
                    cursor: "3.41"
                ),
                """
                {"results":[{"sequence":1,"status":"done","rev":41},{"sequence":2,"status":"waiting"}],"cursor":"3.41"}
                """
            ),
        ]
}
