import DaleksCore
import DaleksHTTP

/// Which passwords an account may have. There are no rules about kinds of characters: they make passwords worse.
enum PasswordRule {
    static func check(_ password: String, email: Email) throws(APIError) {
        let bytes = password.utf8.count
        guard bytes <= Limits.Users.passwordBytesMax else { throw tooLong }
        guard password.unicodeScalars.count >= Limits.Users.passwordCharactersMin else {
            throw .invalid("a password has at least \(Limits.Users.passwordCharactersMin) characters")
        }
        let plain = password.lowercased()
        guard plain != email.text, Email(password) != email else {
            throw .invalid("the password must not be the e-mail address")
        }
        let own = email.text.prefix { $0 != "@" }
        guard !CommonPasswords.contains(plain, besides: ["daleks", own]) else {
            throw .invalid("this password is among the first that are guessed; choose another")
        }
    }

    static var tooLong: APIError { .invalid("a password has at most \(Limits.Users.passwordBytesMax) bytes") }
}
