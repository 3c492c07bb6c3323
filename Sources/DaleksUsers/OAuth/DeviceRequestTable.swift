import DaleksCore
import DaleksHTTP
import DaleksSQLite

/// `oauth_devices`.
enum DeviceRequestTable {
    static func insert(_ request: DeviceRequest, _ db: borrowing Connection) throws -> Bool {
        try db.execute(
            """
            INSERT INTO oauth_devices (code, user_code, client, device, scope, resource, origin, expires, pause, state)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (user_code) DO NOTHING
            """,
            [
                .digest(request.code), .text(request.userCode.letters), .text(request.client), .text(request.device),
                .text(request.scope.text), .optional(request.resource), .digest(request.origin),
                .time(request.expires), .integer(request.pause.nanoseconds), .text(request.state.rawValue),
            ]
        ) == 1
    }

    static func load(_ code: Digest, _ db: borrowing Connection) throws -> DeviceRequest? {
        try db.first(
            """
            SELECT code, user_code, client, device, scope, resource, origin, expires, pause, polled, state, account,
                authenticated
            FROM oauth_devices WHERE code = ?1
            """,
            [.digest(code)],
            request
        )
    }

    static func load(_ code: UserCode, _ db: borrowing Connection) throws -> DeviceRequest? {
        try db.first(
            """
            SELECT code, user_code, client, device, scope, resource, origin, expires, pause, polled, state, account,
                authenticated
            FROM oauth_devices WHERE user_code = ?1
            """,
            [.text(code.letters)],
            request
        )
    }

    static func save(_ request: DeviceRequest, _ db: borrowing Connection) throws {
        try db.execute(
            """
            UPDATE oauth_devices SET pause = ?2, polled = ?3, state = ?4, account = ?5, authenticated = ?6
            WHERE code = ?1
            """,
            [
                .digest(request.code), .integer(request.pause.nanoseconds), .optional(request.polled),
                .text(request.state.rawValue), .optional(request.account), .optional(request.authenticated),
            ]
        )
    }

    /// Those of one address that wait.
    static func waitingCount(of origin: Digest, at now: Timestamp, _ db: borrowing Connection) throws -> Int {
        try db.first(
            "SELECT count(*) FROM oauth_devices WHERE origin = ?1 AND expires > ?2",
            [.digest(origin), .time(now)]
        ) { row in try row.int(0) } ?? 0
    }

    /// The count of those that went.
    static func prune(before: Timestamp, limit: Int, _ db: borrowing Connection) throws -> Int {
        try db.execute(
            "DELETE FROM oauth_devices WHERE code IN (SELECT code FROM oauth_devices WHERE expires < ?1 LIMIT ?2)",
            [.time(before), .integer(limit)]
        )
    }

    private static func request(_ row: borrowing Row) throws -> DeviceRequest {
        guard let userCode = UserCode(try row.text(1)), let state = DeviceRequest.State(rawValue: try row.text(10))
        else { throw APIError.internalError("a device's request is damaged") }
        return DeviceRequest(
            code: try row.digest(0),
            userCode: userCode,
            client: try row.text(2),
            device: try row.text(3),
            scope: Scopes(words: try row.text(4)),
            resource: try row.optionalText(5),
            origin: try row.digest(6),
            expires: try row.timestamp(7),
            pause: .nanoseconds(try row.int64(8)),
            polled: try row.optionalTimestamp(9),
            state: state,
            account: try row.optionalIdentifier(11),
            authenticated: try row.optionalTimestamp(12)
        )
    }
}
