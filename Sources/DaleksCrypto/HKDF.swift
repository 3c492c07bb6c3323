/// Keys from a key (RFC 5869): one secret gives any number of keys that tell nothing about each other.
public enum HKDF {
    /// The most that the construction can give: 255 blocks.
    public static let byteCountMax = 255 * 32

    /// `info` names the purpose; two purposes never share it.
    public static func sha256(secret: [UInt8], salt: [UInt8] = [], info: [UInt8], byteCount: Int) -> [UInt8] {
        precondition((0...byteCountMax).contains(byteCount), "HKDF gives at most \(byteCountMax) bytes")
        let extracted = HMAC.sha256(key: salt, secret)
        var output: [UInt8] = []
        var block: [UInt8] = []
        var counter: UInt8 = 0
        while output.count < byteCount {
            counter += 1
            block = HMAC.sha256(key: extracted, block + info + [counter])
            output += block
        }
        return Array(output.prefix(byteCount))
    }
}
