import DaleksCore
import DaleksCrypto
import DaleksJSON

/// An issuer, a region and the time of day; and tokens put together by hand, as an attacker would.
enum JWTFixture {
    static let issuer = "https://users.example.org"
    static let audience = "https://de.example.org"
    static let now = Timestamp(seconds: 1_795_000_000)

    static let claims: JSONObject = [
        "iss": "https://users.example.org", "sub": "0192f3a4b5c6d7e8f9a0b1c2d3e4f501",
        "aud": "https://de.example.org", "iat": 1_795_000_000, "exp": 1_795_000_600, "jti": "one",
    ]

    static func claims(with changes: [(String, JSONValue?)]) -> JSONObject {
        var claims = claims
        for (name, value) in changes { claims[name] = value }
        return claims
    }

    static func key(_ algorithm: SignatureAlgorithm) -> SigningKey {
        algorithm == .es256 ? TestKeys.elliptic : TestKeys.rsa
    }

    static func kid(_ algorithm: SignatureAlgorithm) -> String { key(algorithm).publicKey.jwk.keyID }

    /// A sound token with some claims changed.
    static func token(_ algorithm: SignatureAlgorithm = .es256, with changes: [(String, JSONValue?)] = []) -> String {
        JWT.sign(claims: claims(with: changes), type: "at+jwt", key: key(algorithm), kid: kid(algorithm))
    }

    static func header(
        alg: String = "ES256",
        kid: String = kid(.es256),
        typ: String = "at+jwt",
        more: String = ""
    ) -> String {
        #"{"alg":"\#(alg)","kid":"\#(kid)","typ":"\#(typ)"\#(more)}"#
    }

    /// A token of any two texts, soundly signed unless told otherwise.
    static func forged(
        header: String = header(),
        claims: String = JSONValue.object(claims).text,
        sign: ([UInt8]) -> [UInt8] = { TestKeys.elliptic.sign($0) }
    ) -> String {
        let signed = Base64.encode(Array(header.utf8)) + "." + Base64.encode(Array(claims.utf8))
        return signed + "." + Base64.encode(sign(Array(signed.utf8)))
    }

    static func verify(
        _ token: String,
        allowed: Set<SignatureAlgorithm> = [.es256, .rs256],
        type: String = "at+jwt",
        now: Timestamp = now,
        leeway: Duration = .seconds(10),
        audience: String = audience,
        issuer: String = issuer
    ) throws(JWTError) -> JWT.Claims {
        let keys = [TestKeys.elliptic.publicKey, TestKeys.rsa.publicKey]
        return try JWT.verify(
            token,
            keys: { kid, _ in keys.first { $0.jwk.keyID == kid } },
            type: type,
            allowed: allowed,
            now: now,
            leeway: leeway,
            audience: audience,
            issuer: issuer
        )
    }
}
