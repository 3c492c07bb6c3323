import DaleksCore

extension APIError {
    /// The media type of `problem`.
    public static let problemMediaType = "application/problem+json"

    /// The body of the answer, RFC 9457: `code` is the stable name, `request_id` finds the line in our log.
    public func problem(requestID: String) -> [UInt8] {
        var text = "{\"type\":\"about:blank\",\"title\":"
        Self.appendQuoted(status.reasonPhrase, to: &text)
        text += ",\"status\":\(status.code),\"code\":\"\(code.rawValue)\",\"detail\":"
        Self.appendQuoted(detail, to: &text)
        text += ",\"request_id\":"
        Self.appendQuoted(requestID, to: &text)
        text += "}"
        return Array(text.utf8)
    }

    private static func appendQuoted(_ value: String, to text: inout String) {
        text += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            default:
                if scalar.value < 0x20 {
                    text += "\\u00" + Hex.encode([UInt8(scalar.value)])
                } else {
                    text.unicodeScalars.append(scalar)
                }
            }
        }
        text += "\""
    }
}
