/// Where in a value we are. Spelt out only when an error needs it, which is why it is a chain and not text.
indirect enum JSONPath: Sendable {
    case root(String)
    case inMember(JSONPath, String)
    case inElement(JSONPath, Int)

    func member(_ key: String) -> JSONPath { .inMember(self, key) }
    func element(_ index: Int) -> JSONPath { .inElement(self, index) }
}

extension JSONPath: CustomStringConvertible {
    /// Names that are not plain words stand in brackets, escaped and cut short: they come from whoever sent the text.
    var description: String {
        switch self {
        case .root(let text):
            return text
        case .inElement(let parent, let index):
            return "\(parent)[\(index)]"
        case .inMember(let parent, let key):
            let isWord = key.utf8.allSatisfy { byte in
                byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-") || (byte | 0x20) &- UInt8(ascii: "a") < 26
                    || byte &- UInt8(ascii: "0") < 10
            }
            if isWord, !key.isEmpty, key.utf8.count <= 64 { return "\(parent).\(key)" }
            return "\(parent)[\(JSONValue.string(String(key.unicodeScalars.prefix(64))).text)]"
        }
    }
}
