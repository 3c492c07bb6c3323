import DaleksCore

@testable import DaleksAPI

extension Golden {
    private typealias T = Things

    static let leases: [Golden] = [
        Golden(
            LeaseRequest(device: T.device, mode: .exclusive, waitSeconds: 20, unlessUsed: true),
            #"{"device":"\#(T.deviceText)","mode":"exclusive","wait":20,"unless_used":true}"#,
            optional: ["wait", "unless_used"]
        ),
        Golden(
            LeaseRecord(node: T.file, number: 7, mode: .shared, seconds: 28, cursor: "3.41"),
            #"{"node":"\#(T.fileText)","number":7,"mode":"shared","seconds":28,"cursor":"3.41"}"#
        ),
        Golden(
            LeaseWatch(
                device: T.device,
                held: [
                    .init(node: T.file, number: 7, isRecalled: true),
                    .init(node: T.other, number: 9, isUsed: true),
                ],
                waitSeconds: 10
            ),
            """
            {"device":"\(T.deviceText)","held":[{"node":"\(T.fileText)","number":7,"recalled":true,"used":false},
            {"node":"\(T.otherText)","number":9,"recalled":false,"used":true}],"wait":10}
            """,
            optional: ["wait", "held.recalled", "held.used"]
        ),
        Golden(
            LeaseNews(seconds: 28, recalled: [T.file], lost: [T.other]),
            #"{"seconds":28,"recalled":["\#(T.fileText)"],"lost":["\#(T.otherText)"]}"#
        ),
    ]
}
