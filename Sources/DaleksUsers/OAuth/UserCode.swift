import DaleksCore
import DaleksSystem

/// Eight letters that are read from one screen and typed at another: consonants only, so that no word comes of it, and
/// none that is taken for another.
struct UserCode: Hashable, Sendable {
    /// Without the dash.
    let letters: String

    private static let alphabet = Array("BCDFGHJKLMNPQRSTVWXZ")
    private static let count = 8

    static func random() -> UserCode {
        var letters = ""
        while letters.count < count {
            // 256 is no multiple of 20: the last 16 bytes would make some letters likelier than others.
            let byte = Int(Random.bytes(count: 1)[0])
            if byte < 240 { letters.append(alphabet[byte % alphabet.count]) }
        }
        return UserCode(letters: letters)
    }

    private init(letters: String) { self.letters = letters }

    /// As people type it: in small letters, with or without the dash, with spaces.
    init?(_ text: String) {
        guard text.utf8.count <= 64 else { return nil }
        let letters = text.uppercased().filter { $0.isLetter || $0.isNumber }
        guard letters.count == Self.count, letters.allSatisfy({ Self.alphabet.contains($0) }) else { return nil }
        self.letters = letters
    }

    var text: String { "\(letters.prefix(4))-\(letters.suffix(4))" }
}
