import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// A new password for who forgot the old one: a link by mail, and the second factor where there is one.
struct PasswordReset: Sendable {
    let store: UsersStore
    let hasher: PasswordHasher
    let proof: PasswordProof
    let correspondence: Correspondence
    let time: TimeSource

    /// Nothing tells whether there is such an account, since nobody looks for it while the stranger waits: the wish is
    /// written down, and `answerNext` sees to it afterwards.
    func ask(_ text: String, from origin: Origin) throws(APIError) {
        guard let email = Email(text) else { throw Registration.badEmail }
        guard try correspondence.mayWrite(to: email, from: origin) else { return }
        try store.write { db in try ResetWishTable.insert(ResetWish(email: email, from: origin, at: time.wall), db) }
    }

    /// Posts the mail for who asked first, where there is such an account. False when nobody asked.
    func answerNext() throws(APIError) -> Bool {
        guard try store.read({ db in try ResetWishTable.first(db) }) != nil else { return false }
        return try store.write { db in
            // Another process may have taken it meanwhile.
            guard let first = try ResetWishTable.first(db), try ResetWishTable.take(first.number, db) else {
                return true
            }
            let wish = first.wish
            let account = try AccountTable.load(email: wish.email, db)
            if let account { try post(to: account, at: time.wall, db) }
            try AuditTable.add(
                .reset,
                .done,
                account: account?.id,
                detail: "asked",
                from: wish.origin,
                at: wish.time,
                db
            )
            return true
        }
    }

    /// The mail with a link, as part of another change. A link of before is void.
    func post(
        to account: Account,
        isWelcome: Bool = false,
        at now: Timestamp,
        _ db: borrowing Connection
    ) throws {
        let token = Secret.make(.mail)
        let lifetime = isWelcome ? Limits.Users.registrationTokenLifetime : Limits.Users.resetTokenLifetime
        try MailTable.forget(.reset, of: account.id, db)
        try MailTable.insert(
            MailToken(purpose: .reset, account: account.id, email: account.email, expires: now + lifetime),
            digest: token.digest,
            db
        )
        let letter =
            isWelcome
            ? correspondence.welcome(account.email, token) : correspondence.passwordReset(account.email, token)
        try MailTable.post(letter, at: now, db)
    }

    /// Answers later, on a thread of the hasher, unless it throws.
    func finish(
        _ text: String,
        password: String,
        code: String?,
        from origin: Origin,
        then answer: @escaping @Sendable (Result<Void, APIError>) -> Void
    ) throws(APIError) {
        guard let token = Secret(.mail, text) else { throw Registration.goneLink }
        guard (code?.utf8.count ?? 0) <= Limits.Users.codeBytesMax else { throw .invalid("the code is too long") }
        let promise = try store.readOnce { db in try MailTable.load(token.digest, at: time.wall, db) }
        guard let promise, promise.purpose == .reset, let id = promise.account else { throw Registration.goneLink }
        try PasswordRule.check(password, email: promise.email)
        let place = try hasher.admit()
        // Codes of the second factor are guessed here as well as at the log-in: the same count for both.
        try proof.attempts.reserve(promise.email, from: origin)
        try place.run { turn in
            do throws(APIError) {
                let hash = try turn.hash(password)
                try set(hash, of: id, token, code, origin)
                try? proof.attempts.forgive(siteOf: origin)
                answer(.success(()))
            } catch {
                if error.code == .mfaRequired, code == nil {
                    // Whoever left out the code guessed nothing.
                    try? proof.attempts.forgive(promise.email, from: origin)
                }
                answer(.failure(error))
            }
        }
    }

    private func set(
        _ hash: String,
        of id: UserID,
        _ token: Secret,
        _ code: String?,
        _ origin: Origin
    ) throws(APIError) {
        let now = time.wall
        try proof.writing(id, code: code, from: origin) { db in
            guard let promise = try MailTable.load(token.digest, at: now, db), try MailTable.take(token.digest, db),
                var account = try AccountTable.load(id, db), account.email == promise.email
            else { throw Registration.goneLink }
            try proof.check(code, of: account, at: now, db)
            account.passwordHash = hash
            try AccountTable.save(account, db)
            // Who needs this may have lost more than the password.
            _ = try SessionTable.endAll(of: id, at: now, db)
            try AppPasswordTable.deleteAll(of: id, db)
            try proof.attempts.succeed(account.email, db)
            try MailTable.post(correspondence.passwordChanged(account.email), at: now, db)
            try AuditTable.add(.password, .done, account: id, detail: "by mail", from: origin, at: now, db)
        }
    }
}
