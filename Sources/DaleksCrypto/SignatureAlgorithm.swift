/// How tokens are signed. There are two on purpose: each further one is a way to confuse a checker.
public enum SignatureAlgorithm: String, CaseIterable, Sendable {
    /// ECDSA on P-256 with SHA-256: small and quick to sign, the default.
    case es256 = "ES256"
    /// RSA PKCS#1 v1.5 with SHA-256, for clients that know nothing else.
    case rs256 = "RS256"
}
