import COpenSSL
import DaleksCore
import DaleksCrypto
import DaleksJSON
import Testing

/// Tokens as attackers send them, and the reason that each is refused for.
struct JWTAttackTests {
    struct Attack: Sendable, CustomTestStringConvertible {
        let name: String
        let reason: String
        let token: String
        var testDescription: String { name }

        init(_ name: String, _ reason: String, _ token: String) {
            (self.name, self.reason, self.token) = (name, reason, token)
        }
    }

    /// The names of `JWTError`'s cases, without what they carry.
    private static func name(of error: JWTError) -> String {
        switch error {
        case .tooLong: "tooLong"
        case .notThreeParts: "notThreeParts"
        case .notBase64(let part): "notBase64 \(part)"
        case .malformedHeader: "malformedHeader"
        case .forbiddenHeader: "forbiddenHeader"
        case .algorithmNotAllowed: "algorithmNotAllowed"
        case .wrongType: "wrongType"
        case .unknownKey: "unknownKey"
        case .keyOfAnotherAlgorithm: "keyOfAnotherAlgorithm"
        case .badSignature: "badSignature"
        case .malformedClaims(let error): "malformedClaims \(error.path)"
        case .wrongIssuer: "wrongIssuer"
        case .wrongAudience: "wrongAudience"
        case .expired: "expired"
        case .notYetValid: "notYetValid"
        case .issuedInTheFuture: "issuedInTheFuture"
        }
    }

    // MARK: Algorithms

    static let algorithms: [Attack] = {
        let names = [
            "none", "None", "NONE", "nOnE", "", "HS256", "HS512", "ES384", "PS256", "EdDSA", "es256", "ES256 ",
        ]
        let unsigned = names.map { name in
            Attack("alg \(name)", "algorithmNotAllowed", JWTFixture.forged(header: JWTFixture.header(alg: name)))
        }
        let publicText = TestKeys.rsa.publicKey.jwk.jsonBytes
        return unsigned + [
            Attack(
                "alg none with an empty signature",
                "notThreeParts",
                JWTFixture.forged(header: JWTFixture.header(alg: "none")) { _ in [] }
            ),
            Attack(
                "HS256 with the public key for a secret",
                "algorithmNotAllowed",
                JWTFixture.forged(header: JWTFixture.header(alg: "HS256", kid: JWTFixture.kid(.rs256))) {
                    HMAC.sha256(key: publicText, $0)
                }
            ),
            Attack(
                "RS256 named, HMAC made with the public key",
                "badSignature",
                JWTFixture.forged(header: JWTFixture.header(alg: "RS256", kid: JWTFixture.kid(.rs256))) {
                    HMAC.sha256(key: publicText, $0)
                }
            ),
            Attack(
                "ES256 named with an RSA key",
                "keyOfAnotherAlgorithm",
                JWTFixture.forged(header: JWTFixture.header(kid: JWTFixture.kid(.rs256))) { TestKeys.rsa.sign($0) }
            ),
            Attack(
                "RS256 named with an EC key",
                "keyOfAnotherAlgorithm",
                JWTFixture.forged(header: JWTFixture.header(alg: "RS256"))
            ),
            Attack(
                "alg a number",
                "algorithmNotAllowed",
                JWTFixture.forged(header: #"{"alg":1,"kid":"a","typ":"at+jwt"}"#)
            ),
            Attack(
                "alg a list",
                "algorithmNotAllowed",
                JWTFixture.forged(header: #"{"alg":["ES256"],"kid":"a","typ":"at+jwt"}"#)
            ),
            Attack("no alg", "algorithmNotAllowed", JWTFixture.forged(header: #"{"kid":"a","typ":"at+jwt"}"#)),
        ]
    }()

    // MARK: Signatures

    static let signatures: [Attack] = {
        let zero = [UInt8](repeating: 0, count: 32)
        let order = TestKeys.order
        func token(_ name: String, _ sign: @escaping ([UInt8]) -> [UInt8]) -> Attack {
            Attack(name, "badSignature", JWTFixture.forged(sign: sign))
        }
        return [
            token("zeros") { _ in zero + zero },
            token("r zero") { zero + TestKeys.elliptic.sign($0)[32...] },
            token("s zero") { TestKeys.elliptic.sign($0)[..<32] + zero },
            token("r the order") { order + TestKeys.elliptic.sign($0)[32...] },
            token("s the order") { TestKeys.elliptic.sign($0)[..<32] + order },
            token("r and s the order") { _ in order + order },
            token("r and s all ones") { _ in [UInt8](repeating: 0xff, count: 64) },
            token("DER instead of raw") { der(TestKeys.elliptic.sign($0)) },
            token("one byte") { [TestKeys.elliptic.sign($0)[0]] },
            token("a byte short") { Array(TestKeys.elliptic.sign($0).dropLast()) },
            token("a zero too many behind") { TestKeys.elliptic.sign($0) + [0] },
            token("a zero too many in front") { [0] + TestKeys.elliptic.sign($0) },
            token("twice") { TestKeys.elliptic.sign($0) + TestKeys.elliptic.sign($0) },
            token("r and s padded to 48 bytes") {
                let signature = TestKeys.elliptic.sign($0)
                let padding = [UInt8](repeating: 0, count: 16)
                return padding + signature[..<32] + padding + signature[32...]
            },
            token("r and s exchanged") {
                let signature = TestKeys.elliptic.sign($0)
                return Array(signature[32...] + signature[..<32])
            },
            token("another key's") { TestKeys.otherElliptic.sign($0) },
            token("another message's") { TestKeys.elliptic.sign($0 + [0]) },
            token("of the claims only") {
                TestKeys.elliptic.sign(Array($0.split(separator: UInt8(ascii: "."))[1]))
            },
            token("an RSA key's") { TestKeys.rsa.sign($0) },
        ]
    }()

    private static func der(_ raw: [UInt8]) -> [UInt8] {
        func integer(_ digits: ArraySlice<UInt8>) -> [UInt8] {
            let short = Array(digits.drop { $0 == 0 })
            let positive = (short.first ?? 0x80) >= 0x80 ? [0] + short : short
            return [2, UInt8(positive.count)] + positive
        }
        let content = integer(raw[..<32]) + integer(raw[32...])
        return [0x30, UInt8(content.count)] + content
    }

    // MARK: Headers

    static let headers: [Attack] = {
        let own = TestKeys.otherElliptic
        let ownKey = String(decoding: own.publicKey.jwk.jsonBytes, as: UTF8.self)
        func forbidden(_ name: String, _ more: String) -> Attack {
            Attack(name, "forbiddenHeader", JWTFixture.forged(header: JWTFixture.header(more: more)))
        }
        func header(_ name: String, _ reason: String, _ text: String) -> Attack {
            Attack(name, reason, JWTFixture.forged(header: text))
        }
        let kid = JWTFixture.kid(.es256)
        return [
            Attack(
                "jwk: the attacker's key",
                "forbiddenHeader",
                JWTFixture.forged(header: JWTFixture.header(more: #","jwk":\#(ownKey)"#)) { own.sign($0) }
            ),
            forbidden("jku", #","jku":"https://attacker.example.org/jwks""#),
            forbidden("x5c", #","x5c":["AAAA"]"#),
            forbidden("x5u", #","x5u":"https://attacker.example.org/cert""#),
            forbidden("x5t", #","x5t":"AAAA""#),
            forbidden("crit", #","crit":["exp"]"#),
            forbidden("b64", #","b64":false,"crit":["b64"]"#),
            forbidden("zip", #","zip":"DEF""#),
            forbidden("jwk spelt with escapes", #","\u006a\u0077\u006b":{}"#),
            header("alg twice", "malformedHeader", #"{"alg":"none","alg":"ES256","kid":"\#(kid)","typ":"at+jwt"}"#),
            header(
                "alg twice, once escaped",
                "malformedHeader",
                #"{"alg":"ES256","\u0061lg":"none","kid":"\#(kid)","typ":"at+jwt"}"#
            ),
            header("kid twice", "malformedHeader", JWTFixture.header(more: #","kid":"x""#)),
            header("no kid", "unknownKey", #"{"alg":"ES256","typ":"at+jwt"}"#),
            header("kid null", "unknownKey", #"{"alg":"ES256","kid":null,"typ":"at+jwt"}"#),
            header("kid a number", "unknownKey", #"{"alg":"ES256","kid":0,"typ":"at+jwt"}"#),
            header("kid a path", "unknownKey", JWTFixture.header(kid: "../../../../dev/null")),
            header("kid SQL", "unknownKey", JWTFixture.header(kid: "x' UNION SELECT 'secret")),
            header("kid a command", "unknownKey", JWTFixture.header(kid: "key|/usr/bin/id")),
            header("kid with a NUL", "unknownKey", JWTFixture.header(kid: kid + #"\u0000"#)),
            header("kid very long", "unknownKey", JWTFixture.header(kid: String(repeating: "k", count: 129))),
            header("kid empty", "unknownKey", JWTFixture.header(kid: "")),
            header("no typ", "wrongType", #"{"alg":"ES256","kid":"\#(kid)"}"#),
            header("typ of an ID token", "wrongType", JWTFixture.header(typ: "JWT")),
            header("typ with a space", "wrongType", JWTFixture.header(typ: " at+jwt")),
            header("typ a list", "wrongType", #"{"alg":"ES256","kid":"\#(kid)","typ":["at+jwt"]}"#),
            header("a list", "malformedHeader", "[]"),
            header("a string", "malformedHeader", #""alg""#),
            header("not JSON", "malformedHeader", "alg=ES256"),
            header("something behind", "malformedHeader", JWTFixture.header() + "{}"),
            header("a mark in front", "malformedHeader", "\u{feff}" + JWTFixture.header()),
            header("nested deeply", "malformedHeader", String(repeating: "[", count: 1_000)),
        ]
    }()

    // MARK: Spelling

    static let spellings: [Attack] = {
        let token = JWTFixture.token()
        let parts = token.split(separator: ".").map(String.init)
        let (header, claims, signature) = (parts[0], parts[1], parts[2])
        // A signature of 64 bytes ends in a digit of which four bits are left over: other bits decode the same.
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        let last = TestKeys.made(signature.last.flatMap(alphabet.firstIndex(of:)))
        let respelt = signature.dropLast() + String(alphabet[last + 1])
        return [
            Attack("empty", "notThreeParts", ""),
            Attack("dots only", "notThreeParts", ".."),
            Attack("two parts", "notThreeParts", "\(header).\(claims)"),
            Attack("no signature", "notThreeParts", "\(header).\(claims)."),
            Attack("no header", "notThreeParts", ".\(claims).\(signature)"),
            Attack("no claims", "notThreeParts", "\(header)..\(signature)"),
            Attack("four parts", "notThreeParts", token + ".AAAA"),
            Attack("five parts, as if encrypted", "notThreeParts", token + ".AAAA.AAAA"),
            Attack("a dot behind", "notThreeParts", token + "."),
            Attack("a dot in front", "notThreeParts", "." + token),
            Attack("a space in front", "notBase64 0", " " + token),
            Attack("a space behind", "notBase64 2", token + " "),
            Attack("a line break behind", "notBase64 2", token + "\n"),
            Attack("a line break inside", "notBase64 1", "\(header).\n\(claims).\(signature)"),
            Attack("padded", "notBase64 2", token + "=="),
            Attack("header padded", "notBase64 0", "\(header)=.\(claims).\(signature)"),
            Attack("the other alphabet", "notBase64 1", "\(header).+/+/.\(signature)"),
            Attack("signature's last digit respelt", "notBase64 2", "\(header).\(claims).\(respelt)"),
            Attack("one digit", "notBase64 2", "\(header).\(claims).A"),
            Attack("a NUL", "notBase64 2", token + "\u{0}"),
            Attack("a letter that only looks like one", "notBase64 0", token.replacing("e", with: "\u{435}")),
            Attack("percent-encoded", "notBase64 2", token + "%3D"),
            Attack("with its scheme", "notBase64 0", "Bearer " + token),
            Attack("JSON serialization", "notThreeParts", #"{"payload":"\#(claims)","signature":"\#(signature)"}"#),
            Attack("huge", "tooLong", token + String(repeating: "A", count: 8 << 10)),
            Attack("nothing but dots, huge", "tooLong", String(repeating: ".", count: 1 << 20)),
        ]
    }()

    // MARK: Claims

    static let claims: [Attack] = {
        func claim(_ name: String, _ value: JSONValue?, _ reason: String) -> Attack {
            let spelling = value.map(\.text) ?? "missing"
            return Attack("\(name) \(spelling)", reason, JWTFixture.token(with: [(name, value)]))
        }
        func text(_ name: String, _ reason: String, _ text: String) -> Attack {
            Attack(name, reason, JWTFixture.forged(claims: text))
        }
        let sound = JSONValue.object(JWTFixture.claims).text
        return [
            claim("exp", nil, "malformedClaims $.exp"),
            claim("exp", .null, "malformedClaims $.exp"),
            claim("exp", "1795000600", "malformedClaims $.exp"),
            claim("exp", 1_795_000_600.5, "malformedClaims $.exp"),
            claim("exp", 1e300, "malformedClaims $.exp"),
            claim("exp", -1, "malformedClaims $.exp"),
            claim("exp", .integer(.max), "malformedClaims $.exp"),
            claim("exp", 9_000_000_001, "malformedClaims $.exp"),
            claim("exp", true, "malformedClaims $.exp"),
            claim("exp", [1_795_000_600], "malformedClaims $.exp"),
            claim("exp", 0, "malformedClaims $"),
            claim("exp", 1_795_000_000, "malformedClaims $"),
            claim("iat", nil, "malformedClaims $.iat"),
            claim("iat", "1795000000", "malformedClaims $.iat"),
            claim("iat", -1, "malformedClaims $.iat"),
            claim("iat", 1_795_000_011, "issuedInTheFuture"),
            claim("nbf", 1_795_000_011, "notYetValid"),
            claim("nbf", "1795000000", "malformedClaims $.nbf"),
            claim("nbf", .null, "malformedClaims $.nbf"),
            claim("nbf", .integer(.min), "malformedClaims $.nbf"),
            claim("iss", nil, "malformedClaims $.iss"),
            claim("iss", "", "malformedClaims $.iss"),
            claim("iss", ["https://users.example.org"], "malformedClaims $.iss"),
            claim("iss", "https://users.example.org.attacker.org", "wrongIssuer"),
            claim("iss", "https://users.example.org\u{0}", "wrongIssuer"),
            claim("iss", "HTTPS://users.example.org", "wrongIssuer"),
            claim("sub", nil, "malformedClaims $.sub"),
            claim("sub", "", "malformedClaims $.sub"),
            claim("sub", 7, "malformedClaims $.sub"),
            claim("aud", nil, "malformedClaims $.aud"),
            claim("aud", [], "malformedClaims $.aud"),
            claim("aud", [1], "malformedClaims $.aud[0]"),
            claim("aud", ["https://de.example.org", [:]], "malformedClaims $.aud[1]"),
            claim("aud", "*", "wrongAudience"),
            claim("aud", ["https://de.example.org.attacker.org"], "wrongAudience"),
            claim("aud", ["aud": "https://de.example.org"], "malformedClaims $.aud"),
            claim("aud", .array([JSONValue](repeating: "x", count: 17)), "malformedClaims $.aud"),
            claim("jti", 7, "malformedClaims $.jti"),
            claim("jti", .string(String(repeating: "j", count: 513)), "malformedClaims $.jti"),
            text("exp twice", "malformedClaims $", String(sound.dropLast()) + #","exp":8999999999}"#),
            text(
                "exp twice, once escaped",
                "malformedClaims $",
                String(sound.dropLast()) + #","\u0065xp":8999999999}"#
            ),
            text("claims a list", "malformedClaims $", "[\(sound)]"),
            text("claims a string", "malformedClaims $", "\"sub\""),
            text("claims not JSON", "malformedClaims $", "sub=me"),
            text(
                "claims nested deeply",
                "malformedClaims $\(String(repeating: "[0]", count: 8))",
                String(repeating: "[", count: 100)
            ),
            text("half a surrogate pair", "malformedClaims $.x", String(sound.dropLast()) + #","x":"\ud800"}"#),
        ]
    }()

    @Test(arguments: algorithms + signatures + headers + spellings + claims)
    func `an attack is refused for its reason`(_ attack: Attack) throws {
        let error = #expect(throws: JWTError.self) { try JWTFixture.verify(attack.token) }

        #expect(try Self.name(of: #require(error)) == attack.reason)
    }

    @Test
    func `no error leaves anything behind for the thread's next user of the library`() {
        for attack in Self.signatures { _ = try? JWTFixture.verify(attack.token) }

        #expect(ERR_peek_error() == 0)
    }

    @Test
    func `a key is not asked for until the header is sound`() {
        for attack in Self.algorithms + Self.headers + Self.spellings
        where attack.reason != "unknownKey" && attack.reason != "keyOfAnotherAlgorithm"
            && attack.reason != "badSignature"
        {
            _ = try? JWT.verify(
                attack.token,
                keys: { _, _ in
                    Issue.record("a key was asked for: \(attack.name)")
                    return nil
                },
                type: "at+jwt",
                now: JWTFixture.now,
                audience: JWTFixture.audience,
                issuer: JWTFixture.issuer
            )
        }
    }
}
