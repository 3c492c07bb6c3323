import DaleksCore
import DaleksCrypto
import DaleksJSON
import Testing

struct JWTTests {
    @Test(arguments: SignatureAlgorithm.allCases)
    func `a sound token says what was claimed`(algorithm: SignatureAlgorithm) throws {
        let token = JWTFixture.token(algorithm, with: [("scope", "files"), ("nbf", 1_795_000_000)])

        let claims = try JWTFixture.verify(token)

        #expect(claims.issuer == JWTFixture.issuer)
        #expect(claims.subject == "0192f3a4b5c6d7e8f9a0b1c2d3e4f501")
        #expect(claims.audiences == [JWTFixture.audience])
        #expect(claims.issuedAt == Timestamp(seconds: 1_795_000_000))
        #expect(claims.expiresAt == Timestamp(seconds: 1_795_000_600))
        #expect(claims.notBefore == Timestamp(seconds: 1_795_000_000))
        #expect(claims.tokenID == "one")
        #expect(try claims.reader.string("scope") == "files")
    }

    @Test
    func `a header says algorithm, key and type, and nothing else`() throws {
        let header = try #require(JWTFixture.token().split(separator: ".").first)

        let members = try JSONReader(JSONValue.parse(try #require(Base64.decode(header)))).objectValue()

        #expect(members == ["alg": "ES256", "kid": .string(JWTFixture.kid(.es256)), "typ": "at+jwt"])
    }

    @Test
    func `a token may be for several, and its type may be spelt as a media type`() throws {
        let several = JWTFixture.token(with: [("aud", ["https://fr.example.org", "https://de.example.org"])])
        let media = JWTFixture.forged(header: JWTFixture.header(typ: "application/at+jwt"))

        #expect(try JWTFixture.verify(several).audiences.count == 2)
        #expect(throws: Never.self) { try JWTFixture.verify(media) }
    }

    @Test(
        arguments: [
            (1_794_999_989, JWTError.issuedInTheFuture), (1_794_999_990, nil), (1_795_000_609, nil),
            (1_795_000_610, .expired), (0, .issuedInTheFuture), (4_000_000_000, .expired),
        ] as [(Int64, JWTError?)]
    )
    func `a token holds from its issue to its end, give or take the leeway`(now: Int64, expected: JWTError?) {
        let token = JWTFixture.token()

        #expect(refusal { try JWTFixture.verify(token, now: Timestamp(seconds: now)) } == expected)
    }

    @Test
    func `the leeway is no longer than ten minutes, whatever is asked for, and never negative`() {
        let token = JWTFixture.token()

        let late = Timestamp(seconds: 1_795_000_600 + 601)
        #expect(refusal { try JWTFixture.verify(token, now: late, leeway: .seconds(86_400)) } == .expired)
        let last = Timestamp(seconds: 1_795_000_599)
        #expect(refusal { try JWTFixture.verify(token, now: last, leeway: .seconds(-100)) } == nil)
    }

    @Test
    func `an algorithm that is not allowed here is refused though its key is known`() {
        let token = JWTFixture.token(.rs256)

        #expect(refusal { try JWTFixture.verify(token, allowed: [.es256]) } == .algorithmNotAllowed)
        #expect(refusal { try JWTFixture.verify(token, allowed: []) } == .algorithmNotAllowed)
        #expect(refusal { try JWTFixture.verify(token, allowed: [.rs256]) } == nil)
    }

    @Test
    func `a token for another type, audience or issuer is refused`() {
        let token = JWTFixture.token()

        #expect(refusal { try JWTFixture.verify(token, type: "JWT") } == .wrongType)
        #expect(refusal { try JWTFixture.verify(token, type: "logout+jwt") } == .wrongType)
        #expect(refusal { try JWTFixture.verify(token, audience: "https://fr.example.org") } == .wrongAudience)
        #expect(refusal { try JWTFixture.verify(token, audience: "https://de.example.org/") } == .wrongAudience)
        #expect(refusal { try JWTFixture.verify(token, issuer: "https://users.example.org/") } == .wrongIssuer)
        #expect(refusal { try JWTFixture.verify(token, issuer: "https://users.example.or") } == .wrongIssuer)
    }

    @Test
    func `no change of one character and no cut leaves a token valid`() {
        let token = JWTFixture.token()
        let bytes = Array(token.utf8)

        for position in bytes.indices {
            var changed = bytes
            changed[position] = changed[position] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            let text = String(decoding: changed, as: UTF8.self)
            #expect(throws: JWTError.self, "character \(position)") { try JWTFixture.verify(text) }
        }
        for count in stride(from: 0, to: bytes.count, by: 7) {
            #expect(throws: JWTError.self) { try JWTFixture.verify(String(decoding: bytes[..<count], as: UTF8.self)) }
        }
    }

    private func refusal(_ verify: () throws -> JWT.Claims) -> JWTError? {
        do {
            _ = try verify()
            return nil
        } catch {
            return error as? JWTError
        }
    }
}
