public import DaleksCore

/// An authority of one's own, for tests and for the demonstration on one machine: not what a public service uses.
///
/// ## Concurrency
/// Immutable; any number of threads may issue at a time.
public final class CertificateAuthority: Sendable {
    /// A certificate with its private key, both as PEM.
    public struct Identity: Sendable {
        public let certificatePEM: String
        public let keyPEM: String
    }

    /// What a client that should trust this authority is given.
    public let certificatePEM: String

    private let key: SigningKey
    private let name: String

    public init(name: String, validFrom: Timestamp, validity: Duration) throws(CryptoError) {
        self.name = name
        key = try SigningKey.generate(.es256)
        let certificate = try Certificate(
            subject: name,
            issuer: name,
            publicKey: key,
            validFrom: validFrom,
            validity: validity
        )
        try certificate.extend(.basicConstraints, "critical,CA:TRUE,pathlen:0")
        try certificate.extend(.keyUsage, "critical,keyCertSign,cRLSign")
        try certificate.extend(.subjectKeyIdentifier, "hash")
        try certificate.sign(with: key)
        certificatePEM = try certificate.pem
    }

    /// A server's certificate with a key of its own.
    public func issue(
        for subjects: [CertificateSubject],
        validFrom: Timestamp,
        validity: Duration
    ) throws(CryptoError) -> Identity {
        let names = subjects.compactMap(\.spelling)
        guard !names.isEmpty, names.count == subjects.count else {
            throw .malformed("a certificate's names must be host names or addresses")
        }
        let key = try SigningKey.generate(.es256)
        let certificate = try Certificate(
            subject: "Daleks",
            issuer: name,
            publicKey: key,
            validFrom: validFrom,
            validity: validity
        )
        try certificate.extend(.basicConstraints, "critical,CA:FALSE")
        try certificate.extend(.keyUsage, "critical,digitalSignature")
        try certificate.extend(.extendedKeyUsage, "serverAuth,clientAuth")
        try certificate.extend(.subjectAlternativeName, names.joined(separator: ","))
        try certificate.sign(with: self.key)
        return Identity(certificatePEM: try certificate.pem, keyPEM: try key.pem)
    }
}
