import DaleksCore
import DaleksCrypto
import DaleksHTTP

/// AWS Signature Version 4 in the `Authorization` field, with the body's digest signed too: what arrives changed is
/// refused by the other side.
struct S3Signature {
    let credentials: S3Credentials
    let region: String
    var service = "s3"

    /// The fields that a request carries, `Host` apart, which whoever sends it puts in by itself.
    func fields(
        _ method: HTTPMethod,
        host: String,
        path: String,
        query: [(name: String, value: String)],
        fields extra: [(name: String, value: String)] = [],
        bodyDigest: Digest,
        at time: Timestamp
    ) -> [(name: String, value: String)] {
        let stamp = Self.stamp(time)
        var fields = extra + [("x-amz-content-sha256", "\(bodyDigest)"), ("x-amz-date", stamp)]
        if let token = credentials.sessionToken { fields.append(("x-amz-security-token", token)) }
        let signed = (fields + [("host", host)]).map { ($0.name.lowercased(), $0.value) }.sorted { $0.0 < $1.0 }
        let names = signed.map(\.0).joined(separator: ";")
        let canonical = [
            method.rawValue, path, Self.canonicalQuery(query), signed.map { "\($0.0):\($0.1)\n" }.joined(), names,
            "\(bodyDigest)",
        ].joined(separator: "\n")

        let day = String(stamp.prefix(8))
        let scope = "\(day)/\(region)/\(service)/aws4_request"
        let text = "AWS4-HMAC-SHA256\n\(stamp)\n\(scope)\n\(SHA256.digest(of: Array(canonical.utf8)))"
        let signature = Hex.encode(HMAC.sha256(key: key(day), Array(text.utf8)))
        let authorization =
            "AWS4-HMAC-SHA256 Credential=\(credentials.accessKey)/\(scope), SignedHeaders=\(names), "
            + "Signature=\(signature)"
        return fields + [("Authorization", authorization)]
    }

    private func key(_ day: String) -> [UInt8] {
        var key = Array("AWS4\(credentials.secretKey)".utf8)
        for part in [day, region, service, "aws4_request"] { key = HMAC.sha256(key: key, Array(part.utf8)) }
        return key
    }

    /// As it is signed and as it is sent: by name, everything but unreserved characters encoded.
    static func canonicalQuery(_ query: [(name: String, value: String)]) -> String {
        query.map { (PercentEncoding.encode($0.name), PercentEncoding.encode($0.value)) }
            .sorted { $0.0 == $1.0 ? $0.1 < $1.1 : $0.0 < $1.0 }
            .map { "\($0.0)=\($0.1)" }
            .joined(separator: "&")
    }

    /// Each segment encoded, the slashes kept.
    static func canonicalPath(_ path: String) -> String {
        path.split(separator: "/", omittingEmptySubsequences: false).map { PercentEncoding.encode($0) }
            .joined(separator: "/")
    }

    /// `20261121T101633Z`.
    static func stamp(_ time: Timestamp) -> String {
        String(
            decoding: time.rfc3339().utf8.filter { $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: ":") },
            as: UTF8.self
        )
    }
}
