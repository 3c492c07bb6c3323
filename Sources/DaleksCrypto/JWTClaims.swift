public import DaleksCore
public import DaleksJSON

extension JWT {
    /// What a token claims. One that `JWT.verify` returned is proved.
    public struct Claims: Sendable, Equatable {
        public let issuer: String
        public let subject: String
        public let audiences: [String]
        public let expiresAt: Timestamp
        public let issuedAt: Timestamp
        public let notBefore: Timestamp?
        /// The token's own name, `jti`.
        public let tokenID: String?
        /// Every member as it came, these included.
        public let members: JSONObject

        /// For the members that not every token has.
        public var reader: JSONReader { JSONReader(.object(members)) }
    }
}

extension JWT.Claims: JSONDecodable {
    /// Checks types and ranges, not what they say.
    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        members = try reader.objectValue()
        issuer = try Self.text(reader, "iss")
        subject = try Self.text(reader, "sub")
        audiences = try Self.audiences(reader)
        expiresAt = try Self.time(try reader.member("exp"))
        issuedAt = try Self.time(try reader.member("iat"))
        notBefore = try Self.present(reader, "nbf").map { value throws(JSONError) in try Self.time(value) }
        tokenID = try Self.present(reader, "jti").map { value throws(JSONError) in try Self.text(value) }
        guard issuedAt < expiresAt else { throw reader.failure("expires before it was issued") }
    }

    /// Null is not the same as missing in a signed claim: it is refused by its type.
    private static func present(_ reader: JSONReader, _ name: String) throws(JSONError) -> JSONReader? {
        try reader.objectValue().contains(name) ? try reader.member(name) : nil
    }

    private static func text(_ reader: JSONReader, _ name: String) throws(JSONError) -> String {
        try text(try reader.member(name))
    }

    private static func text(_ value: JSONReader) throws(JSONError) -> String {
        let text = try value.stringValue(bytesMax: Limits.Crypto.claimBytesMax)
        guard !text.isEmpty else { throw value.failure("is empty") }
        return text
    }

    private static func audiences(_ reader: JSONReader) throws(JSONError) -> [String] {
        let claim = try reader.member("aud")
        if case .string = claim.value { return [try text(claim)] }
        var audiences: [String] = []
        for element in try claim.arrayValue(countMax: Limits.Crypto.tokenAudiencesMax) {
            audiences.append(try text(element))
        }
        guard !audiences.isEmpty else { throw claim.failure("is empty") }
        return audiences
    }

    /// Whole seconds since 1970. RFC 7519 would allow fractions; no issuer of ours writes them.
    private static func time(_ value: JSONReader) throws(JSONError) -> Timestamp {
        Timestamp(seconds: try value.integerValue(in: 0...Limits.Crypto.tokenSecondMax))
    }
}

extension JWT.Claims {
    /// Whether they are meant for us, and now.
    func check(now: Timestamp, leeway: Duration, audience: String, issuer: String) throws(JWTError) {
        let leeway = min(max(leeway, .zero), .seconds(Limits.Crypto.leewaySecondsMax))
        guard ExactName(self.issuer) == ExactName(issuer) else { throw .wrongIssuer }
        guard audiences.contains(where: { ExactName($0) == ExactName(audience) }) else { throw .wrongAudience }
        guard now - leeway < expiresAt else { throw .expired }
        guard notBefore.map({ $0 <= now + leeway }) ?? true else { throw .notYetValid }
        guard issuedAt <= now + leeway else { throw .issuedInTheFuture }
    }

    /// Names compared by their bytes: Swift's `==` takes different spellings of one accented letter for equal.
    private struct ExactName: Equatable {
        let bytes: [UInt8]
        init(_ text: String) { bytes = Array(text.utf8) }
    }
}
