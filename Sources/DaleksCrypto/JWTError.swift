public import DaleksJSON

/// Why a token was refused. For logs: whoever sent the token is told only that it is not valid.
public enum JWTError: Error, Equatable, Sendable {
    /// Longer than `Limits.Crypto.tokenBytesMax`.
    case tooLong
    /// Not three non-empty parts between two dots.
    case notThreeParts
    /// A part is not base64url in its one spelling; counted from 0.
    case notBase64(part: Int)
    /// The header is not the JSON it should be.
    case malformedHeader(JSONError)
    /// The header has a member that tokens here never have. Several of them name a key, and a token must not.
    case forbiddenHeader
    /// Signed with something that is not allowed here, or not at all.
    case algorithmNotAllowed
    /// A token for another purpose.
    case wrongType
    /// No key has this name and algorithm.
    case unknownKey
    /// The key that has this name is for another algorithm.
    case keyOfAnotherAlgorithm
    case badSignature
    /// The claims are not the JSON they should be.
    case malformedClaims(JSONError)
    case wrongIssuer
    case wrongAudience
    case expired
    case notYetValid
    /// Its `iat` lies in the future by more than the leeway.
    case issuedInTheFuture
}

extension JWTError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .tooLong: "the token is too long"
        case .notThreeParts: "the token does not have three parts"
        case .notBase64(let part): "part \(part) of the token is not base64url"
        case .malformedHeader(let error): "the token's header is malformed: \(error)"
        case .forbiddenHeader: "the token's header has a member other than alg, kid and typ"
        case .algorithmNotAllowed: "the token's algorithm is not allowed"
        case .wrongType: "the token is of another type"
        case .unknownKey: "the token's key is not known"
        case .keyOfAnotherAlgorithm: "the token's key is for another algorithm"
        case .badSignature: "the token's signature is wrong"
        case .malformedClaims(let error): "the token's claims are malformed: \(error)"
        case .wrongIssuer: "the token has another issuer"
        case .wrongAudience: "the token is for another audience"
        case .expired: "the token has expired"
        case .notYetValid: "the token is not valid yet"
        case .issuedInTheFuture: "the token says that it was issued in the future"
        }
    }
}
