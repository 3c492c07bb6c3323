public import DaleksCore

/// Certificates without an authority that anybody knows: for tests and the demonstration on one machine.
public enum TLSCertificates {
    /// An authority made for this one certificate and then forgotten: its key is nowhere, so nothing else can ever be
    /// issued under it. Clients are given `authorityPEM` to trust.
    public static func selfSigned(
        for subjects: [CertificateSubject],
        validFrom: Timestamp,
        validity: Duration
    ) throws(CryptoError) -> (identity: CertificateAuthority.Identity, authorityPEM: String) {
        let authority = try CertificateAuthority(
            name: "Daleks, this machine",
            validFrom: validFrom,
            validity: validity
        )
        let identity = try authority.issue(for: subjects, validFrom: validFrom, validity: validity)
        return (identity, authority.certificatePEM)
    }
}
