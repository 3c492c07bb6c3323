import COpenSSL
import DaleksCore
import DaleksSystem

/// An X.509 certificate in the making.
final class Certificate {
    enum Extension {
        case basicConstraints, keyUsage, extendedKeyUsage, subjectAlternativeName, subjectKeyIdentifier

        var number: Int32 {
            switch self {
            case .basicConstraints: NID_basic_constraints
            case .keyUsage: NID_key_usage
            case .extendedKeyUsage: NID_ext_key_usage
            case .subjectAlternativeName: NID_subject_alt_name
            case .subjectKeyIdentifier: NID_subject_key_identifier
            }
        }
    }

    private let raw: OpaquePointer

    init(
        subject: String,
        issuer: String,
        publicKey: SigningKey,
        validFrom: Timestamp,
        validity: Duration
    ) throws(CryptoError) {
        guard let raw = X509_new() else { throw LibraryErrors.failure("making a certificate") }
        self.raw = raw
        // 2 is the spelling of version 3, the one that carries names and uses.
        guard X509_set_version(raw, 2) == 1, Certificate.setSerial(raw),
            ASN1_TIME_set(X509_getm_notBefore(raw), time_t(validFrom.seconds)) != nil,
            ASN1_TIME_set(X509_getm_notAfter(raw), time_t((validFrom + validity).seconds)) != nil,
            X509_set_pubkey(raw, publicKey.native.raw) == 1,
            Certificate.add(subject, to: X509_get_subject_name(raw)),
            Certificate.add(issuer, to: X509_get_issuer_name(raw))
        else { throw LibraryErrors.failure("making a certificate") }
    }

    deinit { X509_free(raw) }

    func extend(_ kind: Extension, _ value: String) throws(CryptoError) {
        var context = X509V3_CTX()
        daleks_x509v3_set_ctx_nodb(&context)
        X509V3_set_ctx(&context, raw, raw, nil, nil, 0)
        guard let made = X509V3_EXT_conf_nid(nil, &context, kind.number, value) else {
            throw LibraryErrors.failure("making a certificate")
        }
        defer { X509_EXTENSION_free(made) }
        guard X509_add_ext(raw, made, -1) == 1 else { throw LibraryErrors.failure("making a certificate") }
    }

    func sign(with key: SigningKey) throws(CryptoError) {
        guard X509_sign(raw, key.native.raw, EVP_sha256()) > 0 else {
            throw LibraryErrors.failure("signing a certificate")
        }
    }

    var pem: String {
        get throws(CryptoError) { try PEM.written("a certificate") { PEM_write_bio_X509($0, raw) } }
    }

    /// Random, positive and at most 20 bytes (RFC 5280), so that two authorities never give the same.
    private static func setSerial(_ raw: OpaquePointer) -> Bool {
        var bytes = Random.bytes(count: 16)
        bytes[0] = bytes[0] & 0x7f | 0x40
        guard let number = BN_bin2bn(bytes, Int32(bytes.count), nil) else { return false }
        defer { BN_free(number) }
        return BN_to_ASN1_INTEGER(number, X509_get_serialNumber(raw)) != nil
    }

    private static func add(_ commonName: String, to name: OpaquePointer?) -> Bool {
        let text = Array(commonName.utf8)
        return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, text, Int32(text.count), -1, 0) == 1
    }
}
