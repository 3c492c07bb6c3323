import DaleksCore
public import DaleksJSON

/// A public key as JSON (RFC 7517). Private members are refused: a private key that arrives or leaves this way is
/// somebody's accident.
public struct JWK: Hashable, Sendable {
    public enum Parameters: Hashable, Sendable {
        /// Each coordinate has exactly 32 bytes.
        case p256(x: [UInt8], y: [UInt8])
        /// Both without leading zeros.
        case rsa(modulus: [UInt8], exponent: [UInt8])
    }

    public let parameters: Parameters

    /// What tokens call this key; its thumbprint unless the issuer chose another name.
    public let keyID: String

    static let coordinateBytes = 32
    private static let privateMembers = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"]

    /// Checks sizes; that a point lies on its curve is checked by `VerificationKey`.
    public init(_ parameters: Parameters, keyID: String? = nil) throws(JSONError) {
        switch parameters {
        case .p256(let x, let y):
            guard x.count == Self.coordinateBytes, y.count == Self.coordinateBytes else {
                throw JSONError(message: "a P-256 key whose coordinates do not have 32 bytes")
            }
        case .rsa(let modulus, let exponent):
            try Self.check(modulus: modulus, exponent: exponent)
        }
        self.parameters = parameters
        self.keyID = keyID ?? Self.thumbprint(of: parameters)
    }

    public var algorithm: SignatureAlgorithm {
        switch parameters {
        case .p256: .es256
        case .rsa: .rs256
        }
    }

    /// RFC 7638 with SHA-256, as base64url: the same for everyone who holds the key.
    public var thumbprint: String { Self.thumbprint(of: parameters) }

    private static func thumbprint(of parameters: Parameters) -> String {
        var writer = JSONWriter()
        writer.object { writer in
            for member in required(parameters).sorted(by: { $0.name < $1.name }) {
                writer.member(member.name, member.value)
            }
        }
        return Base64.encode(SHA256.digest(of: writer.bytes).bytes, .url)
    }

    private static func required(_ parameters: Parameters) -> [(name: String, value: String)] {
        switch parameters {
        case .p256(let x, let y):
            [("kty", "EC"), ("crv", "P-256"), ("x", Base64.encode(x, .url)), ("y", Base64.encode(y, .url))]
        case .rsa(let modulus, let exponent):
            [("kty", "RSA"), ("n", Base64.encode(modulus, .url)), ("e", Base64.encode(exponent, .url))]
        }
    }

    private static func check(modulus: [UInt8], exponent: [UInt8]) throws(JSONError) {
        guard let first = modulus.first, first != 0, let last = modulus.last, last & 1 == 1 else {
            throw JSONError(message: "an RSA key whose modulus is not an odd number without leading zeros")
        }
        let bits = modulus.count * 8 - first.leadingZeroBitCount
        guard Limits.Crypto.rsaBits.contains(bits) else { throw JSONError(message: "an RSA key of \(bits) bits") }
        // 65537 is everybody's; smaller ones have been broken together with careless padding, larger ones are slow.
        let value = exponent.count <= 4 ? exponent.reduce(UInt64(0)) { $0 << 8 | UInt64($1) } : 0
        guard exponent.first != 0, value >= 65_537, value & 1 == 1 else {
            throw JSONError(message: "an RSA key whose exponent is not odd and within 65537 and 2³²")
        }
    }
}

extension JWK: JSONEncodable, JSONDecodable {
    public func encode(to writer: inout JSONWriter) {
        writer.object { writer in
            for member in Self.required(parameters) { writer.member(member.name, member.value) }
            writer.member("kid", keyID)
            writer.member("use", "sig")
            writer.member("alg", algorithm.rawValue)
        }
    }

    /// Reads a key for signatures. Members that RFC 7517 leaves open are ignored.
    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        let members = try reader.objectValue()
        for name in Self.privateMembers where members.contains(name) {
            throw reader.failure("holds a private key")
        }
        let keyID = try reader.optionalString("kid", bytesMax: Limits.Crypto.keyIDBytesMax)
        guard keyID != "" else { throw reader.failure("has an empty kid") }
        try self.init(try Self.parameters(reader), keyID: keyID)
        if let use = try reader.optionalString("use"), use != "sig" {
            throw reader.failure("is not for signatures")
        }
        if let operations = try reader.optionalArray("key_ops", countMax: 16) {
            guard operations.contains(where: { $0.value == "verify" }) else {
                throw reader.failure("is not for checking signatures")
            }
        }
        if let named = try reader.optionalString("alg"), named != algorithm.rawValue {
            throw reader.failure("names an algorithm that is not its own")
        }
    }

    private static func parameters(_ reader: JSONReader) throws(JSONError) -> Parameters {
        switch try reader.string("kty") {
        case "EC":
            guard try reader.string("crv") == "P-256" else { throw reader.failure("is not on the curve P-256") }
            return .p256(
                x: try reader.bytes("x", countMax: coordinateBytes),
                y: try reader.bytes("y", countMax: coordinateBytes)
            )
        case "RSA":
            let modulusBytesMax = Limits.Crypto.rsaBits.upperBound / 8
            return .rsa(
                modulus: try reader.bytes("n", countMax: modulusBytesMax),
                exponent: try reader.bytes("e", countMax: 4)
            )
        default:
            throw reader.failure("is neither an EC nor an RSA key")
        }
    }
}
