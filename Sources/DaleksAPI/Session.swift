public import DaleksCore
public import DaleksJSON

/// Who somebody is, at the users service.
public struct UserRecord: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var id: UserID
    public var email: String
    public var name: String
    /// What others may call them by, beside the e-mail address.
    public var handle: String?
    /// `user` or `admin`; nil where the answer does not say.
    public var role: String?

    public init(id: UserID, email: String, name: String, handle: String? = nil, role: String? = nil) {
        self.id = id
        self.email = email
        self.name = name
        self.handle = handle
        self.role = role
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("id", id)
        json.member("email", email)
        json.member("name", name)
        json.member("handle", ifPresent: handle)
        json.member("role", ifPresent: role)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        id = try reader.identifier("id")
        email = try reader.string("email")
        name = try reader.string("name")
        handle = try reader.optionalString("handle")
        role = try reader.optionalString("role")
    }
}

/// A region as the directory lists it.
public struct RegionRecord: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var code: String
    public var name: String
    /// Where its files service is; also what its tokens name as their audience.
    public var filesURL: String
    public var status: String
    /// Whether its files service answered when it was asked last; nil: it was not asked yet.
    public var isUp: Bool?
    /// When that was.
    public var checked: Timestamp?

    public init(
        code: String,
        name: String,
        filesURL: String,
        status: String,
        isUp: Bool? = nil,
        checked: Timestamp? = nil
    ) {
        self.code = code
        self.name = name
        self.filesURL = filesURL
        self.status = status
        self.isUp = isUp
        self.checked = checked
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("code", code)
        json.member("name", name)
        json.member("files_url", filesURL)
        json.member("status", status)
        json.member("is_up", ifPresent: isUp)
        json.member("checked", ifPresent: checked?.nanoseconds)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        code = try reader.string("code")
        name = try reader.string("name")
        filesURL = try reader.string("files_url")
        status = try reader.string("status")
        isUp = try reader.optionalBool("is_up")
        checked = try reader.optionalInteger("checked").map { Timestamp(nanoseconds: $0) }
    }
}

/// The directory.
public struct RegionList: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var regions: [RegionRecord]

    public init(_ regions: [RegionRecord]) { self.regions = regions }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("regions", regions)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        regions = try JSONReader(json).list("regions")
    }
}

public struct RegistrationRequest: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var email: String
    public var password: String
    public var name: String
    public var handle: String?

    public init(email: String, password: String, name: String, handle: String? = nil) {
        self.email = email
        self.password = password
        self.name = name
        self.handle = handle
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("email", email)
        json.member("password", password)
        json.member("name", name)
        json.member("handle", ifPresent: handle)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        email = try reader.string("email")
        password = try reader.string("password")
        name = try reader.string("name")
        handle = try reader.optionalString("handle")
    }
}

public struct LoginRequest: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var email: String
    public var password: String
    /// Nil lets the service choose: the user's home, or the only one there is.
    public var region: String?
    /// What the user will see in the list of sessions.
    public var device: String
    /// Of the second factor, where the account has one: from the app, or one of the recovery codes.
    public var code: String?
    /// The code of the region that answered this machine first: where somebody goes who has no home yet.
    public var nearest: String?

    public init(
        email: String,
        password: String,
        region: String?,
        device: String,
        code: String? = nil,
        nearest: String? = nil
    ) {
        self.email = email
        self.password = password
        self.region = region
        self.device = device
        self.code = code
        self.nearest = nearest
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("email", email)
        json.member("password", password)
        if let region { json.member("region", region) }
        json.member("device", device)
        json.member("code", ifPresent: code)
        json.member("nearest", ifPresent: nearest)
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        email = try reader.string("email")
        password = try reader.string("password")
        region = try reader.optionalString("region")
        device = try reader.string("device")
        code = try reader.optionalString("code")
        nearest = try reader.optionalString("nearest")
    }
}

/// What a log-in or a refresh answers.
public struct SessionAnswer: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var accessToken: String
    public var expiresInSeconds: Int64
    public var refreshToken: String?
    public var scope: String
    /// Only after a log-in.
    public var user: UserRecord?
    public var region: RegionRecord?

    public init(
        accessToken: String,
        expiresInSeconds: Int64,
        refreshToken: String?,
        scope: String,
        user: UserRecord?,
        region: RegionRecord?
    ) {
        self.accessToken = accessToken
        self.expiresInSeconds = expiresInSeconds
        self.refreshToken = refreshToken
        self.scope = scope
        self.user = user
        self.region = region
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("access_token", accessToken)
        json.member("token_type", "Bearer")
        json.member("expires_in", expiresInSeconds)
        if let refreshToken { json.member("refresh_token", refreshToken) }
        json.member("scope", scope)
        if let user { json.member("user", user) }
        if let region { json.member("region", region) }
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        accessToken = try reader.string("access_token")
        expiresInSeconds = try reader.integer("expires_in", in: 1...86_400 * 366)
        refreshToken = try reader.optionalString("refresh_token")
        scope = try reader.optionalString("scope") ?? ""
        user = try reader.optionalDecode("user")
        region = try reader.optionalDecode("region")
    }
}

/// What a region can do and how much of it at once.
public struct Capabilities: Hashable, Sendable, JSONEncodable, JSONDecodable {
    /// The one version of the wire that there is so far.
    public static let protocolVersion: Int64 = 1

    public var protocolVersion: Int64
    public var region: String
    public var operations: [String]
    public var batchOperationCountMax: Int
    public var batchBytesMax: Int
    public var childrenPageCountMax: Int
    public var chunkBytesMax: Int
    public var inlineBytesMax: Int
    /// What it can do beside what the first version could.
    public var features: [Feature]
    /// The body of a request or answer that holds many chunks; 0 where there is none.
    public var chunkBatchBytesMax: Int

    /// Named on the wire, so that each side uses what both know.
    public enum Feature: String, Sendable, CaseIterable {
        /// Spans may be told in pieces.
        case pieces
        /// `PUT /v1/chunks`.
        case chunkBatches = "chunk_batches"
        /// `POST /v1/content`.
        case batchedReads = "batched_reads"
        /// `POST /v1/content` tells what whole spans hash to.
        case readDigests = "read_digests"
        /// Leases, under which a machine decides about locks.
        case leases
    }

    public func has(_ feature: Feature) -> Bool { features.contains(feature) }

    /// Those of this version of the program.
    public init(region: String, features: [Feature]) {
        self.features = features
        chunkBatchBytesMax = Limits.Wire.chunkBatchBytesMax
        protocolVersion = Self.protocolVersion
        self.region = region
        operations = Mutation.words
        batchOperationCountMax = Limits.Wire.batchOperationCountMax
        batchBytesMax = Limits.Wire.batchBytesMax
        childrenPageCountMax = Limits.Wire.childrenPageCountMax
        chunkBytesMax = Limits.spanBytes
        inlineBytesMax = Limits.Wire.inlineBytesMax
    }

    public func encode(to json: inout JSONWriter) {
        json.beginObject()
        json.member("protocol", protocolVersion)
        json.member("region", region)
        json.member("operations", operations)
        json.member("features", features.map(\.rawValue))
        json.key("limits")
        json.beginObject()
        json.member("batch_operations", batchOperationCountMax)
        json.member("batch_bytes", batchBytesMax)
        json.member("children_page", childrenPageCountMax)
        json.member("chunk_bytes", chunkBytesMax)
        json.member("inline_bytes", inlineBytesMax)
        json.member("chunk_batch_bytes", chunkBatchBytesMax)
        json.endObject()
        json.endObject()
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        protocolVersion = try reader.integer("protocol")
        region = try reader.string("region")
        operations = try reader.strings("operations")
        // A region that says nothing of features has none; those that we do not know we do not use.
        features = reader.has("features") ? try reader.strings("features").compactMap { Feature(rawValue: $0) } : []
        let limits = try reader.object("limits")
        batchOperationCountMax = try limits.integer("batch_operations", in: 1...Int.max)
        batchBytesMax = try limits.integer("batch_bytes", in: 1...Int.max)
        childrenPageCountMax = try limits.integer("children_page", in: 1...Int.max)
        chunkBytesMax = try limits.integer("chunk_bytes", in: 1...Int.max)
        inlineBytesMax = try limits.integer("inline_bytes", in: 0...Int.max)
        chunkBatchBytesMax =
            limits.has("chunk_batch_bytes") ? try limits.integer("chunk_batch_bytes", in: 0...Int.max) : 0
    }
}
