import DaleksCore
import Testing

@Suite struct DigestTests {
    @Test func `bytes and text come back in order`() throws {
        let bytes = (0..<32).map { UInt8($0 * 8) }
        let digest = try #require(Digest(bytes: bytes))
        #expect(digest.bytes == bytes)
        #expect(digest.description == Hex.encode(bytes))
        #expect(Digest(digest.description) == digest)
        #expect(Set([digest, digest]).count == 1)
    }

    @Test func `another count or spelling is refused`() {
        #expect(Digest(bytes: [UInt8](repeating: 0, count: 31)) == nil)
        #expect(Digest(bytes: [UInt8](repeating: 0, count: 33)) == nil)
        #expect(Digest(String(repeating: "A", count: 64)) == nil)
        #expect(Digest(String(repeating: "a", count: 63)) == nil)
        #expect(Digest(String(repeating: "é", count: 32)) == nil)
    }
}
