import DaleksCore

/// A stored password hash, taken apart. Only the one spelling that hashes are made in is read.
struct PasswordHash {
    let parameters: Argon2id.Parameters
    let salt: [UInt8]
    let hash: [UInt8]

    init?(_ text: String) {
        guard text.utf8.count <= 256 else { return nil }
        let fields = text.split(separator: "$", omittingEmptySubsequences: false)
        // 19 is version 1.3, the only one that the library makes.
        guard fields.count == 6, fields[0].isEmpty, fields[1] == "argon2id", fields[2] == "v=19",
            let parameters = Self.parameters(fields[3]),
            let salt = Self.decode(fields[4]), (8...64).contains(salt.count),
            let hash = Self.decode(fields[5]), (16...64).contains(hash.count)
        else { return nil }
        self.parameters = parameters
        self.salt = salt
        self.hash = hash
    }

    private static func parameters(_ text: Substring) -> Argon2id.Parameters? {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count == 3, let memory = number(parts[0], "m="), let passes = number(parts[1], "t="),
            let lanes = number(parts[2], "p=")
        else { return nil }
        return Argon2id.Parameters(memory: memory, passes: passes, lanes: lanes)
    }

    private static func number(_ text: Substring, _ prefix: String) -> UInt32? {
        guard text.hasPrefix(prefix), let number = UInt32(text.dropFirst(2)), "\(prefix)\(number)" == text else {
            return nil
        }
        return number
    }

    /// The PHC spelling is base64's standard alphabet without padding.
    private static func decode(_ text: Substring) -> [UInt8]? {
        guard !text.utf8.contains(UInt8(ascii: "=")) else { return nil }
        return Base64.decode(text + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4), .standard)
    }
}
