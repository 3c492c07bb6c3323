import DaleksCore
import DaleksTestSupport
import Testing

@Suite struct EncodingTests {
    @Test func `hexadecimal text is lower case and reads both`() {
        #expect(Hex.encode([0x00, 0x9a, 0xff]) == "009aff")
        #expect(Hex.decode("009AfF") == [0x00, 0x9a, 0xff])
        #expect(Hex.decode("") == [])
    }

    @Test(arguments: ["0", "0g", "é0", "0x00", " 00", "００"])
    func `what is not hexadecimal is refused`(text: String) {
        #expect(Hex.decode(text) == nil)
    }

    /// RFC 4648, section 10.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func `base64 follows the vectors of its standard`(plain: String, encoded: String) {
        let bytes = Array(plain.utf8)
        let unpadded = encoded.filter { $0 != "=" }
        #expect(Base64.encode(bytes, .standard) == encoded)
        #expect(Base64.decode(encoded, .standard) == bytes)
        #expect(Base64.encode(bytes, .url) == unpadded)
        #expect(Base64.decode(unpadded, .url) == bytes)
    }

    @Test func `the two alphabets differ in two digits and do not mix`() {
        let bytes: [UInt8] = [0xfb, 0xff, 0xbf]
        #expect(Base64.encode(bytes, .standard) == "+/+/")
        #expect(Base64.encode(bytes, .url) == "-_-_")
        #expect(Base64.decode("+/+/", .url) == nil)
        #expect(Base64.decode("-_-_", .standard) == nil)
    }

    @Test(arguments: [
        "Zg=", "Zg", "Zg===", "Z===", "====", "=", "==", "Zg==Zg==", "Zm9v====", "Zm9vY===", "Zg==\n", " Zg==", "Zm 9v",
        "Zh==", "Zm9=", "Zm9vY@==", "Z=g=", "Zg=g", "Zｇ==",
    ])
    func `a respelt standard text is refused`(text: String) {
        #expect(Base64.decode(text, .standard) == nil)
    }

    @Test(arguments: ["Z", "Zg==", "Zm8=", "Zh", "Zm9", "Zm9vY", "Zg\n", "Zm9v=", "Z g"])
    func `a respelt url text is refused`(text: String) {
        #expect(Base64.decode(text, .url) == nil)
    }

    @Test func `any bytes come back, and no other text stands for them`() {
        var random = SeededGenerator(for: "base64")
        for _ in 0..<300 {
            let bytes = random.bytes(count: Int.random(in: 0...70, using: &random))
            for alphabet in [Base64.Alphabet.standard, .url] {
                let text = Base64.encode(bytes, alphabet)
                #expect(Base64.decode(text, alphabet) == bytes)
                #expect(respelt(text, &random).allSatisfy { Base64.decode($0, alphabet) != bytes })
            }
            #expect(Hex.decode(Hex.encode(bytes)) == bytes)
        }
    }

    /// The text with one digit changed, each way it can be, at a random place.
    private func respelt(_ text: String, _ random: inout SeededGenerator) -> [String] {
        guard !text.isEmpty else { return ["="] }
        let place = Int.random(in: 0..<text.utf8.count, using: &random)
        let original = Array(text.utf8)
        return (UInt8.min...127).filter { $0 != original[place] }.map { digit in
            var changed = original
            changed[place] = digit
            return String(decoding: changed, as: UTF8.self)
        }
    }
}
