import DaleksHTTP

/// Where a bucket is: `s3://bucket/prefix?endpoint=https://host:port&region=name`.
struct S3Address: Hashable, Sendable {
    /// Without a last slash.
    let endpoint: String
    /// As the `Host` field has it.
    let host: String
    let region: String
    let bucket: String
    /// Before every key; empty or with a last slash.
    let prefix: String

    struct Refusal: Error, Equatable {
        let complaint: String
    }

    init(_ text: String) throws(Refusal) {
        guard text.hasPrefix("s3://") else { throw Refusal(complaint: "does not begin with s3://") }
        let parts = text.dropFirst("s3://".count).split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let path = parts[0].split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let bucket = String(path[0])
        guard (3...63).contains(bucket.utf8.count), bucket.utf8.allSatisfy(Self.isBucketByte) else {
            throw Refusal(complaint: "names no bucket (3 to 63 lower-case letters, digits, dashes and dots)")
        }
        var values = ["region": "us-east-1"]
        for pair in parts.count > 1 ? parts[1].split(separator: "&") : [] {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard sides.count == 2, ["endpoint", "region"].contains(sides[0]),
                let value = PercentEncoding.decode(sides[1])
            else { throw Refusal(complaint: "has a parameter other than endpoint=URL and region=NAME") }
            values[String(sides[0])] = value
        }
        let region = values["region"] ?? ""
        var endpoint = values["endpoint"] ?? "https://s3.\(region).amazonaws.com"
        while endpoint.hasSuffix("/") { endpoint.removeLast() }
        guard let scheme = ["https://", "http://"].first(where: { endpoint.hasPrefix($0) }) else {
            throw Refusal(complaint: "has an endpoint that is no http or https URL")
        }
        let host = String(endpoint.dropFirst(scheme.utf8.count))
        guard !host.isEmpty, host.utf8.allSatisfy(Self.isHostByte) else {
            throw Refusal(complaint: "has an endpoint that is more than scheme, host and port")
        }
        guard !region.isEmpty, region.utf8.allSatisfy(Self.isBucketByte) else {
            throw Refusal(complaint: "has a region that is no name")
        }
        var prefix = path.count > 1 ? String(path[1]) : ""
        while prefix.hasPrefix("/") { prefix.removeFirst() }
        while prefix.hasSuffix("/") { prefix.removeLast() }
        guard prefix.utf8.count <= 500, prefix.utf8.allSatisfy({ Self.isHostByte($0) || $0 == UInt8(ascii: "/") })
        else {
            throw Refusal(complaint: "has a prefix of other than letters, digits and -._/")
        }
        self.endpoint = endpoint
        self.host = Self.withoutDefaultPort(host, scheme)
        self.region = region
        self.bucket = bucket
        self.prefix = prefix.isEmpty ? "" : prefix + "/"
    }

    /// As every client sends it.
    private static func withoutDefaultPort(_ host: String, _ scheme: String) -> String {
        let port = scheme == "https://" ? ":443" : ":80"
        return host.hasSuffix(port) ? String(host.dropLast(port.utf8.count)) : host
    }

    private static func isBucketByte(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        isBucketByte(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) || byte == UInt8(ascii: "_")
            || [UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]")].contains(byte)
    }
}
