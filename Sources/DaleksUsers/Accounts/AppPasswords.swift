import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// Makes and takes back the passwords of single programs.
struct AppPasswords: Sendable {
    let store: UsersStore
    let changes: AccountChanges
    let time: TimeSource

    struct Made: Sendable {
        let password: AppPassword
        /// Shown this once.
        let secret: String
    }

    func make(
        _ caller: Caller,
        name: String,
        scope: String?,
        password: String,
        code: String?,
        from origin: Origin,
        then answer: @escaping @Sendable (Result<Made, APIError>) -> Void
    ) throws(APIError) {
        guard Registration.isShown(name, bytesMax: Limits.Users.deviceBytesMax) else {
            throw .invalid("a name has 1 to \(Limits.Users.deviceBytesMax) bytes and no control characters")
        }
        let scopes = scope.map { Scopes(words: $0) } ?? .all
        guard !scopes.words.isEmpty, scopes.isSubset(of: .all) else {
            throw .invalid("the scope has some of: \(Scopes.all.text)")
        }
        try changes.proven(caller, password: password, code: code, from: origin, then: answer) { account, now, db in
            guard try AppPasswordTable.all(of: account.id, db).count < Limits.Users.appPasswordCountMax else {
                throw APIError.conflict("there are \(Limits.Users.appPasswordCountMax) already; take one back first")
            }
            let secret = Secret.make(.appPassword)
            let made = AppPassword(
                id: .random(at: now),
                account: account.id,
                name: name,
                scope: scopes,
                created: now,
                used: nil
            )
            try AppPasswordTable.insert(made, secret: secret.digest, db)
            try AuditTable.add(
                .appPassword,
                .done,
                account: account.id,
                detail: "made \(made.id)",
                from: origin,
                at: now,
                db
            )
            return Made(password: made, secret: secret.text)
        }
    }

    func list(_ caller: Caller) throws(APIError) -> [AppPassword] {
        try store.read { db in try AppPasswordTable.all(of: caller.account.id, db) }
    }

    /// Its log-ins end with it.
    func delete(_ id: AppPasswordID, _ caller: Caller, from origin: Origin) throws(APIError) {
        let now = time.wall
        let isGone = try store.write { db in
            guard try AppPasswordTable.delete(id, of: caller.account.id, at: now, db) else { return false }
            try AuditTable.add(
                .appPassword,
                .done,
                account: caller.account.id,
                detail: "taken back \(id)",
                from: origin,
                at: now,
                db
            )
            return true
        }
        guard isGone else { throw .notFound("there is no such app password") }
    }
}
