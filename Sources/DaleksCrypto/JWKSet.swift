import DaleksCore
public import DaleksJSON

/// The public keys of one issuer (RFC 7517, section 5).
public struct JWKSet: Sendable, Equatable {
    public let keys: [JWK]

    /// Two keys of one name are refused: which of them checks a token must not depend on their order.
    public init(_ keys: [JWK]) throws(JSONError) {
        guard keys.count <= Limits.Crypto.keySetCountMax else {
            throw JSONError(message: "has more than \(Limits.Crypto.keySetCountMax) keys")
        }
        guard Set(keys.map(\.keyID)).count == keys.count else {
            throw JSONError(message: "has two keys of one kid")
        }
        self.keys = keys
    }

    public subscript(keyID: String) -> JWK? { keys.first { $0.keyID == keyID } }
}

extension JWKSet: JSONEncodable, JSONDecodable {
    public func encode(to writer: inout JSONWriter) {
        writer.object { $0.member("keys", keys) }
    }

    /// Keys of a kind that we do not use are passed over, as the RFC asks: an issuer may have them for others.
    public init(json: JSONValue) throws(JSONError) {
        var keys: [JWK] = []
        for element in try JSONReader(json).array("keys", countMax: Limits.Crypto.keySetCountMax) {
            _ = try element.objectValue()
            if let key = try? element.decode(JWK.self) { keys.append(key) }
        }
        try self.init(keys)
    }
}
