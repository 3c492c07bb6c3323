import DaleksCore
import Testing

@Suite struct IdentifierTests {
    @Test func `text and bytes come back`() {
        let id = NodeID(high: 0x0123_4567_89ab_cdef, low: 0xfedc_ba98_7654_3210)
        #expect(id.description == "0123456789abcdeffedcba9876543210")
        #expect(NodeID(id.description) == id)
        #expect(id.bytes.first == 0x01 && id.bytes.last == 0x10)
        #expect(NodeID(bytes: id.bytes) == id)
    }

    @Test(arguments: [
        "", "0123456789abcdeffedcba987654321", "0123456789abcdeffedcba98765432100", "0123456789ABCDEFfedcba9876543210",
        "0123456789abcdefgedcba9876543210", "０123456789abcdeffedcba98765432", " 123456789abcdeffedcba9876543210",
    ])
    func `any other text is refused`(text: String) {
        #expect(NodeID(text) == nil)
    }

    @Test(arguments: [0, 15, 17, 32])
    func `another count of bytes is refused`(count: Int) {
        #expect(NodeID(bytes: [UInt8](repeating: 1, count: count)) == nil)
    }

    @Test func `later ones sort after earlier ones, whatever was drawn`() {
        let early = NodeID(at: Timestamp(seconds: 1_000), random: (.max, .max))
        let late = NodeID(at: Timestamp(seconds: 1_000, nanoseconds: 1_000_000), random: (0, 0))
        #expect(early < late)
        #expect(early.bytes.lexicographicallyPrecedes(late.bytes))
    }

    @Test func `a clock before 1970 or after 10889 makes identifiers all the same`() {
        #expect(NodeID(at: Timestamp(nanoseconds: .min), random: (7, 7)).high == 7)
        #expect(NodeID(at: Timestamp(nanoseconds: .max), random: (7, 7)).low == 7)
    }
}
