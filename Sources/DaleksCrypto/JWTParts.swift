import DaleksCore

/// A token cut at its dots. Nothing in it is proved yet.
struct JWTParts {
    let header: [UInt8]
    let claims: [UInt8]
    let signature: [UInt8]
    /// What the signature is over: the first two parts as they were sent.
    let signed: [UInt8]

    init(_ text: String) throws(JWTError) {
        guard text.utf8.count <= Limits.Crypto.tokenBytesMax else { throw .tooLong }
        let bytes = Array(text.utf8)
        let parts = bytes.split(separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 3, parts.allSatisfy({ !$0.isEmpty }) else { throw .notThreeParts }
        header = try Self.decode(parts, 0)
        claims = try Self.decode(parts, 1)
        signature = try Self.decode(parts, 2)
        signed = Array(bytes[..<parts[1].endIndex])
    }

    private static func decode(_ parts: [ArraySlice<UInt8>], _ part: Int) throws(JWTError) -> [UInt8] {
        guard let bytes = Base64.decode(Array(parts[part]), .url) else { throw .notBase64(part: part) }
        return bytes
    }
}
