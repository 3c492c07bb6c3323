import DaleksCore
import Testing

@Suite struct NameTests {
    @Test(arguments: ["a", "...", ".a", "..a", "a.", " ", "a b", "é", "\u{7f}", "-rf", "\\"])
    func `a name that POSIX allows is taken as it is`(text: String) throws {
        let name = try Name(text)
        #expect(name.bytes == Array(text.utf8))
        #expect(name.text == text)
    }

    @Test func `a name that is not UTF-8 has bytes and no text`() throws {
        let name = try Name([0xff, 0xfe])
        #expect(name.bytes == [0xff, 0xfe])
        #expect(name.text == nil)
        #expect(name.description == "\\xff\\xfe")
    }

    @Test func `the empty, the reserved and the too long are refused`() throws {
        #expect(throws: Name.Refusal.empty) { try Name("") }
        for text in [".", "..", "/", "a/b", "\0", "a\0"] {
            #expect(throws: Name.Refusal.reserved) { try Name(text) }
        }
        #expect(try Name([UInt8](repeating: 0xc3, count: 255)).bytes.count == 255)
        #expect(throws: Name.Refusal.tooLong) { try Name([UInt8](repeating: 0x61, count: 256)) }
    }

    @Test func `a name cannot drive a terminal`() throws {
        #expect(try Name("a\u{1b}[2Jb").description == "a\\x1b[2Jb")
        #expect(try Name("line\nline").description == "line\\x0aline")
        #expect(try Name("\u{9b}2J").description == "\\xc2\\x9b2J")
        #expect(try Name("Übung").description == "Übung")
    }

    @Test func `two names never look the same`() throws {
        // The four characters backslash, x, 1, b are not the byte 1b.
        #expect(try Name("\\x1b").description != Name("\u{1b}").description)
    }

    @Test func `names sort by their bytes`() throws {
        let names = try [[0x62], [0x61, 0x61], [0x61], [0xff]].map { try Name($0 as [UInt8]) }
        #expect(names.sorted().map(\.bytes) == [[0x61], [0x61, 0x61], [0x62], [0xff]])
    }
}
