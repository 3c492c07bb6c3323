import COpenSSL
import DaleksCore
import DaleksCrypto
import Testing

/// Certificates checked by the library as a TLS client checks them: chain, name and time.
struct TLSCertificatesTests {
    private static let start = Timestamp(seconds: 1_795_000_000)
    private static let subjects: [CertificateSubject] = [
        .host("localhost"), .host("*.example.org"), .address("127.0.0.1"), .address("::1"),
    ]

    /// What the library says of a certificate: 0 is well.
    private func verdict(
        _ certificate: String,
        authority: String,
        host: String? = nil,
        address: String? = nil,
        after elapsed: Duration = .seconds(60)
    ) throws -> Int32 {
        let leaf = try #require(read(certificate))
        let root = try #require(read(authority))
        let store = X509_STORE_new()
        let context = X509_STORE_CTX_new()
        defer {
            X509_free(leaf)
            X509_free(root)
            X509_STORE_CTX_free(context)
            X509_STORE_free(store)
            ERR_clear_error()
        }
        X509_STORE_add_cert(store, root)
        X509_STORE_CTX_init(context, store, leaf, nil)
        let parameters = X509_STORE_CTX_get0_param(context)
        if let host { X509_VERIFY_PARAM_set1_host(parameters, host, 0) }
        if let address { X509_VERIFY_PARAM_set1_ip_asc(parameters, address) }
        X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_SERVER)
        X509_VERIFY_PARAM_set_time(parameters, time_t((Self.start + elapsed).seconds))
        return X509_verify_cert(context) == 1 ? 0 : X509_STORE_CTX_get_error(context)
    }

    private func read(_ text: String) -> OpaquePointer? {
        withMemory(of: text) { PEM_read_bio_X509($0, nil, nil, nil) }
    }

    /// The library borrows the text for as long as the closure runs.
    private func withMemory<Result>(of text: String, _ body: (OpaquePointer?) -> Result) -> Result {
        var text = text
        return text.withUTF8 { bytes in
            let bio = BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count))
            defer { BIO_free(bio) }
            return body(bio)
        }
    }

    @Test
    func `a certificate is good for its names, in its time, under its authority`() throws {
        let made = try TLSCertificates.selfSigned(for: Self.subjects, validFrom: Self.start, validity: .seconds(3_600))
        let other = try CertificateAuthority(name: "Other", validFrom: Self.start, validity: .seconds(3_600))
        let (leaf, root) = (made.identity.certificatePEM, made.authorityPEM)

        #expect(try verdict(leaf, authority: root, host: "localhost") == 0)
        #expect(try verdict(leaf, authority: root, host: "files.example.org") == 0)
        #expect(try verdict(leaf, authority: root, address: "127.0.0.1") == 0)
        #expect(try verdict(leaf, authority: root, address: "::1") == 0)
        #expect(try verdict(leaf, authority: root, host: "example.com") == X509_V_ERR_HOSTNAME_MISMATCH)
        #expect(try verdict(leaf, authority: root, address: "127.0.0.2") == X509_V_ERR_IP_ADDRESS_MISMATCH)
        #expect(try verdict(leaf, authority: other.certificatePEM, host: "localhost") != 0)
        #expect(
            try verdict(leaf, authority: root, host: "localhost", after: .seconds(-60))
                == X509_V_ERR_CERT_NOT_YET_VALID
        )
        #expect(
            try verdict(leaf, authority: root, host: "localhost", after: .seconds(3_700)) == X509_V_ERR_CERT_HAS_EXPIRED
        )
    }

    @Test
    func `a certificate comes with the key that it names`() throws {
        let made = try TLSCertificates.selfSigned(for: Self.subjects, validFrom: Self.start, validity: .seconds(3_600))

        let certificate = try #require(read(made.identity.certificatePEM))
        defer { X509_free(certificate) }
        let key = try #require(withMemory(of: made.identity.keyPEM) { PEM_read_bio_PrivateKey($0, nil, nil, nil) })
        defer { EVP_PKEY_free(key) }

        #expect(X509_check_private_key(certificate, key) == 1)
    }

    @Test
    func `a certificate cannot be used as an authority`() throws {
        let authority = try CertificateAuthority(name: "A", validFrom: Self.start, validity: .seconds(3_600))
        let one = try authority.issue(for: Self.subjects, validFrom: Self.start, validity: .seconds(3_600))
        let other = try authority.issue(for: Self.subjects, validFrom: Self.start, validity: .seconds(3_600))

        #expect(try verdict(one.certificatePEM, authority: other.certificatePEM) != 0)
        #expect(one.certificatePEM != other.certificatePEM)
        #expect(one.keyPEM != other.keyPEM)
    }

    @Test(
        arguments: [
            [], [.host("")], [.host("a,IP:1.2.3.4")], [.host("a b")], [.host("ü.example.org")], [.address("")],
            [.address("localhost")], [.address("1.2.3.4,DNS:a")], [.address("999.1.2.3")],
            [.host(String(repeating: "a", count: 254))], [.host("good.example.org"), .host("bad\n")],
        ] as [[CertificateSubject]]
    )
    func `names that are none are refused`(subjects: [CertificateSubject]) throws {
        let authority = try CertificateAuthority(name: "A", validFrom: Self.start, validity: .seconds(60))

        #expect(throws: CryptoError.self) {
            try authority.issue(for: subjects, validFrom: Self.start, validity: .seconds(60))
        }
    }
}
