import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// How the first administrator comes about without any default password: a token that a start prints while there is
/// none, good once.
struct FirstAdmin: Sendable {
    let store: UsersStore
    let hasher: PasswordHasher
    let time: TimeSource

    /// A fresh token where there is no administrator; nil where there is one. Those of starts before stay good, for
    /// several processes may start at once.
    func invite() throws(APIError) -> String? {
        let secret = Secret.make(.firstAdmin)
        let now = time.wall
        let isWanted = try store.write { db in
            guard try !AccountTable.hasAdmin(db) else { return false }
            try db.execute(
                "INSERT INTO first_admin_tokens (token, created) VALUES (?1, ?2)",
                [.digest(secret.digest), .time(now)]
            )
            return true
        }
        return isWanted ? secret.text : nil
    }

    /// Answers later, on a thread of the hasher, unless it throws.
    func begin(
        token text: String,
        _ request: RegistrationRequest,
        from origin: Origin,
        then answer: @escaping @Sendable (Result<UserRecord, APIError>) -> Void
    ) throws(APIError) {
        guard let token = Secret(.firstAdmin, text) else { throw Self.badToken }
        guard let email = Email(request.email) else { throw Registration.badEmail }
        let name = try Registration.name(request.name)
        let handle = try Registration.handle(request.handle)
        try PasswordRule.check(request.password, email: email)
        // Before the costly part: nobody hashes here without a token.
        guard try store.read({ db in try Self.isGood(token, db) }) else { throw Self.badToken }
        let place = try hasher.admit()
        try place.run { turn in
            do throws(APIError) {
                let hash = try turn.hash(request.password)
                let now = time.wall
                let account = Account(
                    id: .random(at: now),
                    email: email,
                    name: name,
                    passwordHash: hash,
                    home: nil,
                    created: now,
                    handle: handle,
                    role: .admin
                )
                answer(.success(try make(account, token, origin)))
            } catch {
                answer(.failure(error))
            }
        }
    }

    private func make(_ account: Account, _ token: Secret, _ origin: Origin) throws(APIError) -> UserRecord {
        try store.write { db in
            guard try Self.isGood(token, db), try !AccountTable.hasAdmin(db) else { throw Self.badToken }
            try db.execute("DELETE FROM first_admin_tokens")
            guard try AccountTable.insert(account, db) else {
                throw APIError(.alreadyExists, "there is an account with this e-mail address, or with this handle")
            }
            try AuditTable.add(.firstAdmin, .done, account: account.id, from: origin, at: account.created, db)
            return account.record
        }
    }

    private static func isGood(_ token: Secret, _ db: borrowing Connection) throws -> Bool {
        try db.exists("SELECT 1 FROM first_admin_tokens WHERE token = ?1", [.digest(token.digest)])
    }

    private static var badToken: APIError {
        .forbidden("the token is not one for the first administrator, or was used; a start without one prints another")
    }
}
