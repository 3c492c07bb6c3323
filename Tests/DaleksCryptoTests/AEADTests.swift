import DaleksCore
import DaleksCrypto
import DaleksSystem
import Testing

/// Against the vectors of the GCM specification (its test cases 13, 14 and 16).
struct AEADTests {
    struct Vector: Sendable {
        let key: String
        let nonce: String
        let context: String
        let message: String
        let ciphertext: String
        let tag: String
    }

    static let vectors = [
        Vector(
            key: String(repeating: "00", count: 32),
            nonce: String(repeating: "00", count: 12),
            context: "",
            message: "",
            ciphertext: "",
            tag: "530f8afbc74536b9a963b4f1c4cb738b"
        ),
        Vector(
            key: String(repeating: "00", count: 32),
            nonce: String(repeating: "00", count: 12),
            context: "",
            message: String(repeating: "00", count: 16),
            ciphertext: "cea7403d4d606b6e074ec5d3baf39d18",
            tag: "d0d1c8a799996bf0265b98b5d48ab919"
        ),
        Vector(
            key: "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
            nonce: "cafebabefacedbaddecaf888",
            context: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            message: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                + "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
            ciphertext: "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                + "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
            tag: "76fc6ece0f4e1768cddf8853bb2d551b"
        ),
    ]

    @Test(arguments: vectors)
    func `a message of the specification opens`(_ vector: Vector) throws {
        let sealed = try #require(Hex.decode(vector.nonce + vector.ciphertext + vector.tag))

        let message = try AEAD.open(
            sealed,
            key: try #require(Hex.decode(vector.key)),
            context: try #require(Hex.decode(vector.context))
        )

        #expect(Hex.encode(message) == vector.message)
    }

    private let key = Random.bytes(count: AEAD.keyBytes)

    @Test(arguments: [0, 1, 15, 16, 17, 100_000])
    func `what was sealed opens again, and never looks the same twice`(count: Int) throws {
        let message = Random.bytes(count: count)

        let sealed = AEAD.seal(message, key: key, context: [1, 2])

        #expect(sealed.count == count + AEAD.overheadBytes)
        #expect(try AEAD.open(sealed, key: key, context: [1, 2]) == message)
        #expect(AEAD.seal(message, key: key, context: [1, 2]) != sealed)
    }

    @Test
    func `nothing opens after any bit was changed, cut or added, or under another key or context`() throws {
        let sealed = AEAD.seal(Array("a secret".utf8), key: key, context: [1])

        for bit in 0..<(sealed.count * 8) {
            var changed = sealed
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(throws: CryptoError.notAuthentic) { try AEAD.open(changed, key: key, context: [1]) }
        }
        for count in 0..<sealed.count {
            #expect(throws: CryptoError.notAuthentic) { try AEAD.open(Array(sealed[..<count]), key: key, context: [1]) }
        }
        #expect(throws: CryptoError.notAuthentic) { try AEAD.open(sealed + [0], key: key, context: [1]) }
        #expect(throws: CryptoError.notAuthentic) { try AEAD.open(sealed, key: key) }
        #expect(throws: CryptoError.notAuthentic) {
            try AEAD.open(sealed, key: Random.bytes(count: AEAD.keyBytes), context: [1])
        }
    }
}
