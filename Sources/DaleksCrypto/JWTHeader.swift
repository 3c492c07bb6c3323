import DaleksCore
import DaleksJSON

/// What a token says about itself, each member required.
struct JWTHeader {
    let algorithm: SignatureAlgorithm
    let keyID: String

    init(_ bytes: [UInt8], type: String) throws(JWTError) {
        let members = try Self.members(bytes)
        // An allow-list: `jwk`, `jku`, `x5c`, `x5u` would let the token choose its own key, `crit` and `zip` its own
        // rules, and what is not known today is not meant for us.
        guard members.keys.allSatisfy({ $0 == "alg" || $0 == "kid" || $0 == "typ" }) else { throw .forbiddenHeader }
        guard case .string(let name)? = members["alg"], let algorithm = SignatureAlgorithm(rawValue: name) else {
            throw .algorithmNotAllowed
        }
        guard case .string(let typ)? = members["typ"], typ == type || typ == "application/" + type else {
            throw .wrongType
        }
        guard case .string(let keyID)? = members["kid"], !keyID.isEmpty,
            keyID.utf8.count <= Limits.Crypto.keyIDBytesMax
        else { throw .unknownKey }
        self.algorithm = algorithm
        self.keyID = keyID
    }

    private static func members(_ bytes: [UInt8]) throws(JWTError) -> JSONObject {
        do {
            let limits = JSONLimits(depthMax: Limits.Crypto.tokenDepthMax, bytesMax: Limits.Crypto.tokenBytesMax)
            return try JSONReader(try JSONValue.parse(bytes, limits: limits)).objectValue()
        } catch {
            throw .malformedHeader(error)
        }
    }
}
