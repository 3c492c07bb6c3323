public import DaleksCore
public import DaleksJSON

/// Signed tokens (RFC 7519, with RFC 8725's advice): one compact spelling, two algorithms, nothing optional.
public enum JWT {
    /// The header says `alg`, `kid` and `typ`, and nothing else ever.
    public static func sign(claims: JSONObject, type: String, key: SigningKey, kid: String) -> String {
        var header = JSONWriter()
        header.object { header in
            header.member("alg", key.algorithm.rawValue)
            header.member("kid", kid)
            header.member("typ", type)
        }
        let signed = Base64.encode(header.bytes, .url) + "." + Base64.encode(claims.jsonBytes, .url)
        return signed + "." + Base64.encode(key.sign(Array(signed.utf8)), .url)
    }

    /// Checks everything there is to check; what it returns may be believed.
    ///
    /// `keys` finds the key of this name for this algorithm in the issuer's set. It is asked before anything of the
    /// token is proved, so it must not do work without bound for names it does not know. `type` is what `typ` must say
    /// (`at+jwt`), with or without `application/` in front. `leeway` is how far the issuer's clock may differ from
    /// ours. `audience` is who we are: `aud` must name it.
    public static func verify(
        _ text: String,
        keys: (_ kid: String, _ algorithm: SignatureAlgorithm) -> VerificationKey?,
        type: String,
        allowed: Set<SignatureAlgorithm> = [.es256, .rs256],
        now: Timestamp,
        leeway: Duration = .seconds(10),
        audience: String,
        issuer: String
    ) throws(JWTError) -> Claims {
        let token = try JWTParts(text)
        let header = try JWTHeader(token.header, type: type)
        guard allowed.contains(header.algorithm) else { throw .algorithmNotAllowed }
        guard let key = keys(header.keyID, header.algorithm) else { throw .unknownKey }
        guard key.algorithm == header.algorithm else { throw .keyOfAnotherAlgorithm }
        guard key.verify(token.signature, of: token.signed) else { throw .badSignature }
        let claims = try claims(of: token)
        try claims.check(now: now, leeway: leeway, audience: audience, issuer: issuer)
        return claims
    }

    private static func claims(of token: JWTParts) throws(JWTError) -> Claims {
        do {
            let limits = JSONLimits(depthMax: Limits.Crypto.tokenDepthMax, bytesMax: Limits.Crypto.tokenBytesMax)
            return try Claims(json: try JSONValue.parse(token.claims, limits: limits))
        } catch {
            throw .malformedClaims(error)
        }
    }
}
