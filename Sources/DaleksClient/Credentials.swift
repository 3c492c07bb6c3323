public import DaleksAPI
public import DaleksCore
public import DaleksJSON

/// What a log-in left on this machine.
public struct Credentials: Hashable, Sendable {
    public var usersURL: String
    public var user: UserRecord
    public var region: RegionRecord
    public var accessToken: String
    /// On the wall clock, and only a hint: the machine may have slept or the clock may be wrong.
    public var accessExpires: Timestamp
    public var refreshToken: String
    /// Of the refresh that is under way or broke off; sending it again gets the same answer.
    public var refreshRequestID: String?
    /// A file of certificates that are trusted beside the system's.
    public var caFile: String?
    /// Who logged in says that the way to services without TLS is safe.
    public var allowsHTTP = false

    public init(
        usersURL: String,
        user: UserRecord,
        region: RegionRecord,
        accessToken: String,
        accessExpires: Timestamp,
        refreshToken: String,
        caFile: String?,
        allowsHTTP: Bool = false
    ) {
        self.usersURL = usersURL
        self.user = user
        self.region = region
        self.accessToken = accessToken
        self.accessExpires = accessExpires
        self.refreshToken = refreshToken
        self.caFile = caFile
        self.allowsHTTP = allowsHTTP
    }

    /// "account@region": what a replica is of.
    public var subject: String { "\(user.id)@\(region.code)" }
}

extension Credentials: JSONEncodable, JSONDecodable {
    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("version", 1)
        json.member("users_url", usersURL)
        json.member("user", user)
        json.member("region", region)
        json.member("access_token", accessToken)
        json.member("access_expires", accessExpires.nanoseconds)
        json.member("refresh_token", refreshToken)
        json.member("refresh_request_id", ifPresent: refreshRequestID)
        json.member("ca_file", ifPresent: caFile)
        if allowsHTTP { json.member("allow_http", true) }
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        let version: Int64 = try reader.integer("version")
        guard version == 1 else { throw reader.failure("version \(version) is not one that this program knows") }
        self.init(
            usersURL: try reader.string("users_url"),
            user: try reader.decode("user"),
            region: try reader.decode("region"),
            accessToken: try reader.string("access_token"),
            accessExpires: Timestamp(nanoseconds: try reader.integer("access_expires")),
            refreshToken: try reader.string("refresh_token"),
            caFile: try reader.optionalString("ca_file"),
            allowsHTTP: try reader.optionalBool("allow_http") ?? false
        )
        refreshRequestID = try reader.optionalString("refresh_request_id")
    }
}
