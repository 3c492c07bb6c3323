public import DaleksJSON

/// How a files service makes itself known: the one-time token, and where clients will reach it.
public struct EnrolmentRequest: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var token: String
    public var filesURL: String
    public var name: String?

    public init(token: String, filesURL: String, name: String? = nil) {
        self.token = token
        self.filesURL = filesURL
        self.name = name
    }

    public func encode(to json: inout JSONWriter) {
        json.object { json in
            json.member("token", token)
            json.member("files_url", filesURL)
            json.member("name", ifPresent: name)
        }
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        token = try reader.string("token", bytesMax: 256)
        filesURL = try reader.string("files_url", bytesMax: 2_048)
        name = try reader.optionalString("name")
    }
}

/// What it gets for that: its place in the directory, and what it proves itself with from now on.
public struct EnrolmentAnswer: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var region: RegionRecord
    public var serviceID: String
    /// Shown once.
    public var secret: String
    public var issuer: String

    public init(region: RegionRecord, serviceID: String, secret: String, issuer: String) {
        self.region = region
        self.serviceID = serviceID
        self.secret = secret
        self.issuer = issuer
    }

    public func encode(to json: inout JSONWriter) {
        json.object { json in
            json.member("region", region)
            json.member("service_id", serviceID)
            json.member("secret", secret)
            json.member("issuer", issuer)
        }
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        region = try reader.decode("region")
        serviceID = try reader.string("service_id", bytesMax: 256)
        secret = try reader.string("secret", bytesMax: 256)
        issuer = try reader.string("issuer", bytesMax: 2_048)
    }
}
