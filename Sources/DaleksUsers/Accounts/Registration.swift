import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSystem

/// Makes accounts.
struct Registration: Sendable {
    let store: UsersStore
    let hasher: PasswordHasher
    let measures: UsersMeasures
    let time: TimeSource

    /// Answers later, on a thread of the hasher, unless it throws.
    func begin(
        _ request: RegistrationRequest,
        from origin: Origin,
        then answer: @escaping @Sendable (Result<UserRecord, APIError>) -> Void
    ) throws(APIError) {
        guard let email = Email(request.email) else { throw Self.badEmail }
        let name = try Self.name(request.name)
        try PasswordRule.check(request.password, email: email)
        // Before the costly part; asked again in the transaction that decides.
        guard try !store.read({ db in try AccountTable.isTaken(email, db) }) else { throw taken() }
        let place = try hasher.admit()
        try place.run { turn in
            do throws(APIError) {
                answer(.success(try create(email, name, hash: try turn.hash(request.password), origin)))
            } catch {
                answer(.failure(error))
            }
        }
    }

    private func create(
        _ email: Email,
        _ name: String,
        hash: String,
        _ origin: Origin
    ) throws(APIError) -> UserRecord {
        let now = time.wall
        let account = Account(
            id: .random(at: now),
            email: email,
            name: name,
            passwordHash: hash,
            home: nil,
            created: now
        )
        let isNew = try store.write { db in
            guard try AccountTable.insert(account, db) else { return false }
            try AuditTable.add(.register, .done, account: account.id, from: origin, at: now, db)
            return true
        }
        guard isNew else { throw taken() }
        measures.registered.increment()
        return account.record
    }

    private func taken() -> APIError {
        measures.registrationsRefused.increment()
        return APIError(.alreadyExists, "there is an account with this e-mail address")
    }

    static var badEmail: APIError { .invalid("the e-mail address cannot be one: write it as name@example.com") }

    private static func name(_ text: String) throws(APIError) -> String {
        guard Self.isShown(text, bytesMax: Limits.Users.nameBytesMax) else {
            throw .invalid("a name has 1 to \(Limits.Users.nameBytesMax) bytes and no control characters")
        }
        return text
    }

    /// Whether people can be shown it: some bytes, none of them control characters.
    static func isShown(_ text: String, bytesMax: Int) -> Bool {
        (1...bytesMax).contains(text.utf8.count)
            && text.unicodeScalars.allSatisfy { $0.value >= 32 && !(127..<160).contains($0.value) }
    }
}
