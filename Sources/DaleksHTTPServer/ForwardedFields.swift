import DaleksCore
import DaleksHTTP

/// What a trusted proxy says about the client in front of it.
struct ForwardedFields {
    let client: ClientAddress?
    let scheme: String?
    let host: String?
    let requestID: String?

    /// `trusted` are our proxies: addresses of theirs in the chain are passed over, and the first that is not is the
    /// client. What stands left of it was written by anybody.
    init(_ fields: HTTPFields, trusted: [CIDR]) {
        client = fields.list("X-Forwarded-For").flatMap { Self.client(in: $0, trusted: trusted) }
        let scheme = fields["X-Forwarded-Proto"]?.lowercased()
        self.scheme = scheme == "http" || scheme == "https" ? scheme : nil
        host = fields["X-Forwarded-Host"].flatMap { HostField.isValid($0) && !$0.isEmpty ? $0 : nil }
        requestID = fields["X-Request-Id"].flatMap { Self.isRequestID($0) ? $0 : nil }
    }

    private static func client(in chain: String, trusted: [CIDR]) -> ClientAddress? {
        var furthest: ClientAddress?
        for hop in chain.split(separator: ",").reversed().prefix(Limits.HTTPServer.forwardedHopsMax) {
            guard let address = IPAddress(String(hop.filter { $0 != " " && $0 != "\t" })) else { return furthest }
            furthest = ClientAddress(address: address)
            guard trusted.contains(where: { $0.contains(address) }) else { return furthest }
        }
        return furthest
    }

    private static func isRequestID(_ text: String) -> Bool {
        (1...Limits.HTTPServer.requestIDBytesMax).contains(text.utf8.count) && HTTPFields.isName(text)
    }
}

enum HostField {
    /// Letters, digits and what host names, addresses and ports need besides; nothing that could end a URL's authority.
    static func isValid(_ text: String) -> Bool {
        text.utf8.count <= 255
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: ":"),
                    UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "%"):
                    true
                default:
                    false
                }
            }
    }
}
