import DaleksHTTPServer
import Testing

@Suite struct AddressTests {
    @Test(arguments: [
        ("10.0.0.0/8", "10.255.0.1", true),
        ("10.0.0.0/8", "11.0.0.1", false),
        ("127.0.0.1", "127.0.0.1", true),
        ("127.0.0.1", "127.0.0.2", false),
        ("0.0.0.0/0", "1.2.3.4", true),
        ("0.0.0.0/0", "::1", false),
        ("fd00::/8", "fd12::1", true),
        ("fd00::/8", "fe00::1", false),
        ("2001:db8::/65", "2001:db8::7fff:ffff:ffff:ffff", true),
        ("2001:db8::/65", "2001:db8::8000:0:0:0", false),
    ])
    func `a block holds its addresses and no other`(block: String, address: String, isInside: Bool) throws {
        #expect(try #require(CIDR(block)).contains(try #require(IPAddress(address))) == isInside)
    }

    @Test(arguments: ["", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0/8", "x", "::1/129", "10.0.0.0/8/8", "10.0.0.0/"])
    func `what is no block is refused`(text: String) {
        #expect(CIDR(text) == nil)
    }

    @Test(arguments: ["127.0.0.1", "::1", "2001:db8::1"])
    func `an address is written as it was read`(text: String) {
        #expect(IPAddress(text)?.description == text)
        #expect(IPAddress("[\(text)]")?.description == text)
    }
}
