import DaleksCore
import DaleksCrypto
import DaleksJSON
import Testing

struct KeyTests {
    @Test(arguments: SignatureAlgorithm.allCases)
    func `a key reads back from its PEM text`(algorithm: SignatureAlgorithm) throws {
        let key = algorithm == .es256 ? TestKeys.elliptic : TestKeys.rsa

        let text = try key.pem
        let again = try SigningKey(pkcs8PEM: text)

        #expect(text.hasPrefix("-----BEGIN PRIVATE KEY-----\n"))
        #expect(again.algorithm == algorithm)
        #expect(again.publicKey.jwk == key.publicKey.jwk)
        #expect(key.publicKey.verify(again.sign([1, 2, 3]), of: [1, 2, 3]))
    }

    @Test
    func `keys of other kinds and sizes are refused`() throws {
        #expect(throws: CryptoError.self) { try SigningKey.generate(.rs256, rsaBits: 1_024) }
        #expect(throws: CryptoError.self) { try SigningKey.generate(.rs256, rsaBits: 8_192) }
        #expect(throws: CryptoError.unsupported("an elliptic curve other than P-256")) {
            try SigningKey(pkcs8PEM: OtherKeys.secp384)
        }
        #expect(throws: CryptoError.unsupported("a key that is neither EC nor RSA")) {
            try SigningKey(pkcs8PEM: OtherKeys.ed25519)
        }
        #expect(throws: CryptoError.unsupported("an RSA key of 1024 bits")) {
            try SigningKey(pkcs8PEM: OtherKeys.rsa1024)
        }
        #expect(throws: CryptoError.self) { try SigningKey(pkcs8PEM: OtherKeys.encrypted) }
    }

    @Test
    func `text that is no key is refused`() throws {
        let text = try TestKeys.elliptic.pem
        let lines = text.split(separator: "\n").map(String.init)

        for damaged in [
            "", "nonsense", lines[0], lines.dropLast().joined(separator: "\n"),
            text.replacing("PRIVATE KEY", with: "PUBLIC KEY"), text.replacing("PRIVATE", with: "EC PRIVATE"),
            lines[0] + "\n" + String(lines[1].dropLast(4)) + "\n" + lines[lines.count - 1] + "\n",
            lines[0] + "\nAAAA\n" + lines[lines.count - 1] + "\n",
            String(repeating: "-", count: 100_000),
        ] {
            #expect(throws: CryptoError.self) { try SigningKey(pkcs8PEM: damaged) }
        }
    }

    @Test
    func `a private key with somebody else's public half is refused`() throws {
        // PKCS#8 of an EC key ends with the point, so the tail of another key of the same form can be put there.
        func der(_ key: SigningKey) throws -> [UInt8] {
            let lines = try key.pem.split(separator: "\n").dropFirst().dropLast()
            return try #require(Base64.decode(lines.joined(), .standard))
        }
        let mixed = try der(TestKeys.elliptic).dropLast(64) + der(TestKeys.otherElliptic).suffix(64)
        let text = Base64.encode(Array(mixed), .standard)

        #expect(throws: CryptoError.malformed("the private key does not belong to its public key")) {
            try SigningKey(pkcs8PEM: "-----BEGIN PRIVATE KEY-----\n\(text)\n-----END PRIVATE KEY-----\n")
        }
    }

    // MARK: JWK

    @Test(arguments: SignatureAlgorithm.allCases)
    func `a public key reads back from its JWK, which says nothing private`(algorithm: SignatureAlgorithm) throws {
        let key = algorithm == .es256 ? TestKeys.elliptic : TestKeys.rsa
        let jwk = key.publicKey.jwk

        let json = try JSONValue.parse(jwk.jsonBytes)
        let again = try JWK(json: json)

        #expect(again == jwk)
        #expect(try VerificationKey(jwk: again).verify(key.sign([7]), of: [7]))
        let names = try JSONReader(json).objectValue().keys
        #expect(
            Set(names)
                == (algorithm == .es256
                    ? ["kty", "crv", "x", "y", "kid", "use", "alg"] : ["kty", "n", "e", "kid", "use", "alg"])
        )
        #expect(jwk.keyID == jwk.thumbprint)
        #expect(try JSONReader(json).string("alg") == algorithm.rawValue)
    }

    /// RFC 7638, section 3.1.
    @Test
    func `the RFC's key has the RFC's thumbprint`() throws {
        let jwk = try JWK(json: [
            "kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
            "n": .string(
                "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJE"
                    + "CPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2Q"
                    + "vzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6"
                    + "WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
            ),
        ])

        #expect(jwk.thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
        #expect(jwk.keyID == "2011-04-29")
    }

    @Test
    func `a JWK that is private, damaged, of another kind or for another use is refused`() throws {
        let json = try JSONValue.parse(TestKeys.elliptic.publicKey.jwk.jsonBytes)
        func altered(_ name: String, _ value: JSONValue?) throws -> JSONValue {
            var object = try JSONReader(json).objectValue()
            object[name] = value
            return .object(object)
        }

        let changes: [(String, JSONValue?)] = [
            ("d", "AAAA"), ("k", "AAAA"), ("p", "AAAA"), ("kty", "oct"), ("kty", "OKP"), ("kty", "RSA"), ("kty", nil),
            ("crv", "P-384"), ("crv", "secp256k1"), ("crv", nil), ("x", nil), ("y", nil), ("x", "AAAA"), ("x", ""),
            ("x", .string(String(repeating: "A", count: 44))), ("y", 7), ("x", "not base64!"), ("use", "enc"),
            ("key_ops", ["sign"]), ("key_ops", []), ("alg", "RS256"), ("alg", "ES384"), ("alg", "none"), ("kid", ""),
            ("kid", .string(String(repeating: "k", count: 129))), ("kid", 7),
        ]
        for (name, value) in changes {
            let changed = try altered(name, value)
            #expect(throws: JSONError.self, "\(changed.text)") { try JWK(json: changed) }
        }
        #expect(throws: Never.self) { try JWK(json: altered("key_ops", ["verify"])) }
        #expect(throws: Never.self) { try JWK(json: altered("x5t", "ignored")) }
        #expect(throws: JSONError.self) { try JWK(json: []) }
    }

    @Test
    func `a point off its curve is no key`() throws {
        guard case .p256(let x, var y) = TestKeys.elliptic.publicKey.jwk.parameters else { return }
        y[31] ^= 1
        let zero = [UInt8](repeating: 0, count: 32)
        let largest = [UInt8](repeating: 0xff, count: 32)

        for (x, y) in [(x, y), (y, x), (zero, zero), (largest, largest), (x, zero)] {
            let jwk = try JWK(.p256(x: x, y: y))
            #expect(throws: CryptoError.self) { try VerificationKey(jwk: jwk) }
        }
    }

    @Test
    func `RSA numbers out of range are no key`() throws {
        guard case .rsa(let modulus, let exponent) = TestKeys.rsa.publicKey.jwk.parameters else { return }
        let even = Array(modulus.dropLast()) + [modulus[255] & 0xfe]

        for (modulus, exponent) in [
            (even, exponent), (Array(modulus.dropFirst(128)), exponent), ([0] + modulus, exponent), ([], exponent),
            ([UInt8](repeating: 0xff, count: 513), exponent), (modulus, [3]), (modulus, [1]), (modulus, []),
            (modulus, [0, 1, 0, 1]), (modulus, [1, 0, 0]), (modulus, [1, 0, 0, 0, 1]),
        ] {
            #expect(throws: JSONError.self) { try JWK(.rsa(modulus: modulus, exponent: exponent)) }
        }
    }

    @Test
    func `a key set reads back, finds by name, and passes over keys for others`() throws {
        let keys = [TestKeys.elliptic.publicKey.jwk, TestKeys.rsa.publicKey.jwk]
        let set = try JWKSet(keys)

        let foreign: JSONValue = ["kty": "OKP", "crv": "Ed25519", "x": "AAAA"]
        let json: JSONValue = ["keys": .array(try keys.map { try JSONValue.parse($0.jsonBytes) } + [foreign])]

        #expect(try JWKSet(json: JSONValue.parse(set.jsonBytes)) == set)
        #expect(try JWKSet(json: json) == set)
        #expect(set[keys[1].keyID] == keys[1])
        #expect(set["nobody"] == nil)
        #expect(throws: JSONError.self) { try JWKSet([keys[0], keys[0]]) }
        #expect(throws: JSONError.self) { try JWKSet(json: ["keys": [7]]) }
        #expect(throws: JSONError.self) { try JWKSet(json: [:]) }
        #expect(throws: JSONError.self) {
            try JWKSet(json: ["keys": .array([JSONValue](repeating: foreign, count: 65))])
        }
    }
}
