@testable import DaleksAPI

extension Golden {
    private static let annRecord = UserRecord(id: Things.ann, email: "ann@example.com", name: "Änn")
    private static let annRecordText = #"{"id":"\#(Things.annText)","email":"ann@example.com","name":"Änn"}"#
    private static let region = RegionRecord(
        code: "de",
        name: "Frankfurt",
        filesURL: "https://de.files.example.com",
        status: "open"
    )
    private static let regionText =
        #"{"code":"de","name":"Frankfurt","files_url":"https://de.files.example.com","status":"open"}"#

    static let users: [Golden] = [
        Golden(annRecord, annRecordText),
        Golden(region, regionText),
        Golden(RegionList([region]), #"{"regions":[\#(regionText)]}"#),
        Golden(RegionList([]), #"{"regions":[]}"#),
        Golden(
            RegistrationRequest(email: "ann@example.com", password: "a \"good\" one", name: "Ann"),
            #"{"email":"ann@example.com","password":"a \"good\" one","name":"Ann"}"#
        ),
        Golden(
            LoginRequest(email: "ann@example.com", password: "p", region: "de", device: "a laptop"),
            #"{"email":"ann@example.com","password":"p","region":"de","device":"a laptop"}"#,
            optional: ["region"]
        ),
        Golden(
            SessionAnswer(
                accessToken: "aaa.bbb.ccc",
                expiresInSeconds: 600,
                refreshToken: "rrr",
                scope: "files:read files:write",
                user: annRecord,
                region: region
            ),
            """
            {"access_token":"aaa.bbb.ccc","token_type":"Bearer","expires_in":600,"refresh_token":"rrr",
            "scope":"files:read files:write","user":\(annRecordText),"region":\(regionText)}
            """,
            optional: ["refresh_token", "scope", "user", "region"],
            unread: ["token_type"]
        ),
        Golden(
            Capabilities(region: "de", features: [.pieces, .chunkBatches, .batchedReads]),
            """
            {"protocol":1,"region":"de","operations":["create","link","rename","remove","attributes","xattr",
            "commit"],
            "features":["pieces","chunk_batches","batched_reads"],
            "limits":{"batch_operations":1000,"batch_bytes":8388608,"children_page":4096,"chunk_bytes":1048576,
            "inline_bytes":65536,"chunk_batch_bytes":16777216}}
            """,
            optional: ["features", "limits.chunk_batch_bytes"]
        ),
    ]

    static let control: [Golden] =
        ControlRequest.Verb.allCases.map { verb in
            Golden(ControlRequest(verb), #"{"version":1,"verb":"\#(verb.rawValue)"}"#)
        } + [
            Golden(
                ControlRequest(.sync, timeoutSeconds: 30),
                #"{"version":1,"verb":"sync","timeout":30}"#,
                optional: ["timeout"]
            ),
            Golden(
                ControlRequest(.unmount, isForced: true),
                #"{"version":1,"verb":"unmount","force":true}"#,
                optional: ["force"]
            ),
            Golden(
                ControlRequest(.limit, uploadLimit: 500_000, downloadLimit: 0),
                #"{"version":1,"verb":"limit","upload_limit":500000,"download_limit":0}"#,
                optional: ["upload_limit", "download_limit"]
            ),
            Golden(
                ControlAnswer(
                    failure: "the disk is full",
                    mountPoint: "/home/ann/daleks",
                    email: "ann@example.com",
                    region: "de",
                    filesURL: "https://de.files.example.com",
                    isConnected: true,
                    isLoggedOut: false,
                    isPaused: true,
                    pendingCount: 3,
                    lastFailure: "timed out",
                    processID: 4_711,
                    pendingBytes: 12,
                    cacheBytes: 1_000,
                    cacheBytesMax: 2_000,
                    conflictCount: 1,
                    refusedCount: 2,
                    disputes: ControlDisputes(
                        copies: [
                            ControlDisputes.Copy(
                                path: "a (conflict from x 2026-11-21)",
                                plain: "a",
                                host: "x",
                                date: "2026-11-21",
                                size: 5,
                                modified: 6
                            )
                        ],
                        refusals: [
                            ControlDisputes.Refusal(
                                path: "b",
                                word: "commit",
                                code: "forbidden",
                                detail: "no",
                                retryAt: 7
                            )
                        ],
                        setAside: ["/c"]
                    ),
                    cache: ControlCache(
                        files: 4,
                        bytes: 1_000,
                        bytesMax: 2_000,
                        unsentBytes: 12,
                        pinnedBytes: 5,
                        freedBytes: 6
                    ),
                    uploadLimit: 500_000,
                    downloadLimit: 1_000_000
                ),
                """
                {"failure":"the disk is full","mount_point":"/home/ann/daleks","email":"ann@example.com","region":"de",
                "files_url":"https://de.files.example.com","connected":true,"logged_out":false,"paused":true,
                "pending":3,"last_failure":"timed out","process":4711,"pending_bytes":12,"cache_bytes":1000,
                "cache_bytes_max":2000,"conflicts":1,"refused":2,"disputes":{"copies":[{"path":
                "a (conflict from x 2026-11-21)","plain":"a","host":"x","date":"2026-11-21","size":5,"modified":6}],
                "refused":[{"path":"b","change":"commit","code":"forbidden","detail":"no","retry_at":7}],
                "set_aside":["/c"]},"cache":{"files":4,"bytes":1000,"bytes_max":2000,"unsent_bytes":12,"pinned_bytes":5,
                "freed_bytes":6},"upload_limit":500000,"download_limit":1000000}
                """,
                optional: [
                    "failure", "last_failure", "disputes.copies.plain", "pending_bytes", "cache_bytes",
                    "cache_bytes_max", "conflicts",
                    "refused",
                    "disputes", "cache", "cache.freed_bytes", "upload_limit", "download_limit",
                ]
            ),
        ]
}
