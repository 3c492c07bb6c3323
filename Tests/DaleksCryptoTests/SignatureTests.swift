import DaleksCore
import DaleksCrypto
import DaleksJSON
import DaleksSystem
import Testing

struct SignatureTests {
    private let message = Array("a message".utf8)

    @Test(arguments: SignatureAlgorithm.allCases)
    func `a signature is verified for its message and key only`(algorithm: SignatureAlgorithm) throws {
        let key = algorithm == .es256 ? TestKeys.elliptic : TestKeys.rsa
        let other = try SigningKey.generate(algorithm, rsaBits: 2_048)

        let signature = key.sign(message)

        #expect(signature.count == (algorithm == .es256 ? 64 : 256))
        #expect(key.publicKey.verify(signature, of: message))
        #expect(!key.publicKey.verify(signature, of: message + [0]))
        #expect(!key.publicKey.verify(signature, of: []))
        #expect(!other.publicKey.verify(signature, of: message))
        for count in [0, 1, signature.count - 1] {
            #expect(!key.publicKey.verify(Array(signature[..<count]), of: message))
        }
        #expect(!key.publicKey.verify(signature + [0], of: message))
        #expect(!key.publicKey.verify([0] + signature, of: message))
        for bit in stride(from: 0, to: signature.count * 8, by: 13) {
            var changed = signature
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!key.publicKey.verify(changed, of: message))
        }
    }

    @Test
    func `ES256 signatures keep 64 bytes, however small their numbers are`() {
        // One in 256 numbers is shorter than 32 bytes and one in two has its high bit set, so all spellings occur.
        for index in 0..<2_000 {
            let message = Array("message \(index)".utf8)
            let signature = TestKeys.elliptic.sign(message)
            #expect(signature.count == 64)
            #expect(TestKeys.elliptic.publicKey.verify(signature, of: message))
        }
    }

    /// As Wycheproof tries them: numbers at the edges of what a scalar may be.
    @Test
    func `ES256 signatures with numbers out of range are refused`() {
        let zero = [UInt8](repeating: 0, count: 32)
        let one = zero.dropLast() + [1]
        let order = TestKeys.order
        let beyond = Array(order.dropLast()) + [order[31] + 1]
        let largest = [UInt8](repeating: 0xff, count: 32)
        let edges = [zero, Array(one), Array(order.dropLast()) + [order[31] - 1], order, beyond, largest]

        for r in edges {
            for s in edges { #expect(!TestKeys.elliptic.publicKey.verify(r + s, of: message)) }
        }
        let signature = TestKeys.elliptic.sign(message)
        for edge in edges {
            #expect(!TestKeys.elliptic.publicKey.verify(Array(signature[..<32]) + edge, of: message))
            #expect(!TestKeys.elliptic.publicKey.verify(edge + Array(signature[32...]), of: message))
        }
    }

    @Test
    func `an ES256 signature's mirror image is one too, so nothing may be known by its signature`() {
        let signature = TestKeys.elliptic.sign(message)

        let mirrored = signature[..<32] + TestKeys.difference(TestKeys.order, signature[32...])

        #expect(TestKeys.elliptic.publicKey.verify(Array(mirrored), of: message))
    }

    @Test
    func `an RS256 signature beyond its modulus is refused`() {
        #expect(!TestKeys.rsa.publicKey.verify([UInt8](repeating: 0xff, count: 256), of: message))
        #expect(!TestKeys.rsa.publicKey.verify([UInt8](repeating: 0, count: 256), of: message))
    }

    /// RFC 7515, appendix A.3.
    @Test
    func `the RFC's ES256 example is verified`() throws {
        let key = try VerificationKey(
            jwk: JWK(json: [
                "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
            ])
        )
        let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"

        #expect(key.verify(try #require(Base64.decode(signature)), of: Self.signed(header: "eyJhbGciOiJFUzI1NiJ9")))
    }

    /// RFC 7515, appendix A.2.
    @Test
    func `the RFC's RS256 example is verified`() throws {
        let key = try VerificationKey(
            jwk: JWK(json: [
                "kty": "RSA", "e": "AQAB",
                "n": .string(
                    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0B"
                        + "m4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5"
                        + "z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7"
                        + "aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
                ),
            ])
        )
        let signature =
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2F"
            + "p5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQB"
            + "MHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeY"
            + "I2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"

        #expect(key.verify(try #require(Base64.decode(signature)), of: Self.signed(header: "eyJhbGciOiJSUzI1NiJ9")))
    }

    private static func signed(header: String) -> [UInt8] {
        let payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        return Array("\(header).\(payload)".utf8)
    }

    @Test
    func `many threads use one key at a time`() {
        let key = TestKeys.elliptic
        let failures = Lock(0)
        let threads = (0..<4).map { number in
            Thread(name: "signer \(number)") {
                for index in 0..<200 {
                    let message = Array("thread \(number) message \(index)".utf8)
                    if !key.publicKey.verify(key.sign(message), of: message) { failures.withLock { $0 += 1 } }
                }
            }
        }
        for thread in threads { thread.join() }

        #expect(failures.withLock { $0 } == 0)
    }
}
