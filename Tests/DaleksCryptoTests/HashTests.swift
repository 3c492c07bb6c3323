import DaleksCore
import DaleksCrypto
import DaleksSystem
import Testing

/// Against the vectors of FIPS 180-4, RFC 2202, RFC 4226, RFC 4231 and RFC 5869.
struct HashTests {
    private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            String(repeating: "a", count: 1_000_000),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        ),
    ])
    func `SHA-256 gives the standard's values`(text: String, expected: String) {
        #expect(SHA256.digest(of: Array(text.utf8)).description == expected)
    }

    @Test
    func `SHA-256 in pieces is SHA-256 of the whole`() {
        let content = Random.bytes(count: 10_000)
        var hash = SHA256()
        var position = 0
        while position < content.count {
            let end = min(content.count, position + Int.random(in: 0...700))
            hash.update(Array(content[position..<end]))
            position = end
        }

        #expect(hash.finalize() == SHA256.digest(of: content))
    }

    @Test(arguments: [
        ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"), ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
    ])
    func `SHA-1 gives the standard's values`(text: String, expected: String) {
        #expect(Hex.encode(SHA1.digest(of: Array(text.utf8))) == expected)
    }

    @Test(arguments: [
        (
            [UInt8](repeating: 0x0b, count: 20), bytes("Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            bytes("Jefe"), bytes("what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xaa, count: 20), [UInt8](repeating: 0xdd, count: 50),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        ),
        (
            [UInt8](repeating: 0xaa, count: 131), bytes("Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
        (
            [], [],
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"
        ),
    ])
    func `HMAC-SHA-256 gives the RFC's values`(key: [UInt8], message: [UInt8], expected: String) {
        #expect(Hex.encode(HMAC.sha256(key: key, message)) == expected)
    }

    @Test(arguments: [
        ([UInt8](repeating: 0x0b, count: 20), bytes("Hi There"), "b617318655057264e28bc0b6fb378c8ef146be00"),
        (bytes("Jefe"), bytes("what do ya want for nothing?"), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        (bytes("12345678901234567890"), [UInt8](repeating: 0, count: 8), "cc93cf18508d94934c64b65d8ba7667fb7cde4b0"),
    ])
    func `HMAC-SHA-1 gives the RFCs' values`(key: [UInt8], message: [UInt8], expected: String) {
        #expect(Hex.encode(HMAC.sha1(key: key, message)) == expected)
    }

    @Test(arguments: [
        (
            [UInt8](repeating: 0x0b, count: 22), [UInt8](0x00...0x0c), [UInt8](0xf0...0xf9),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        ),
        (
            [UInt8](0x00...0x4f), [UInt8](0x60...0xaf), [UInt8](0xb0...0xff),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
                + "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"
        ),
        (
            [UInt8](repeating: 0x0b, count: 22), [], [],
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
        ),
    ])
    func `HKDF gives the RFC's values`(secret: [UInt8], salt: [UInt8], info: [UInt8], expected: String) {
        let key = HKDF.sha256(secret: secret, salt: salt, info: info, byteCount: expected.utf8.count / 2)

        #expect(Hex.encode(key) == expected)
    }

    @Test
    func `HKDF gives as much as it can and no more`() {
        #expect(HKDF.sha256(secret: [1], info: [], byteCount: HKDF.byteCountMax).count == 255 * 32)
        #expect(HKDF.sha256(secret: [1], info: [], byteCount: 0).isEmpty)
    }

    @Test
    func `equality in constant time is equality`() {
        #expect(constantTimeEqual([], []))
        #expect(constantTimeEqual([1, 2, 3], [1, 2, 3]))
        #expect(!constantTimeEqual([1, 2, 3], [1, 2, 4]))
        #expect(!constantTimeEqual([0, 2, 3], [1, 2, 3]))
        #expect(!constantTimeEqual([1, 2], [1, 2, 3]))
        #expect(!constantTimeEqual([], [0]))
    }
}
