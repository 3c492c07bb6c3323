/// Whom a certificate is for.
public enum CertificateSubject: Hashable, Sendable {
    case host(String)
    case address(String)

    /// The library's spelling in a list of names, or nil where a character could end the name and begin another.
    var spelling: String? {
        switch self {
        case .host(let name):
            let isPlain = name.utf8.allSatisfy { byte in
                (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte &- UInt8(ascii: "0") < 10
                    || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "*")
            }
            return isPlain && !name.isEmpty && name.utf8.count <= 253 ? "DNS:" + name : nil
        case .address(let text):
            let isPlain = text.utf8.allSatisfy { byte in
                (byte | 0x20) &- UInt8(ascii: "a") < 6 || byte &- UInt8(ascii: "0") < 10
                    || byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".")
            }
            return isPlain && !text.isEmpty && text.utf8.count <= 45 ? "IP:" + text : nil
        }
    }
}
