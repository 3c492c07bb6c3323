import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// The one way in which a password is checked, whatever it is given for: logging in, a page's log-in, changing the
/// password, the second factor or the address, making app passwords, deleting the account.
///
/// Nothing that a caller can see or measure tells a wrong password from an account that is not there: the same checks,
/// the same count of attempts, one hash, one line in the audit log, the same words. And nothing gets past the second
/// factor: what is proven is settled in the transaction that uses it, and settling takes the code.
struct PasswordProof: Sendable {
    let store: UsersStore
    let hasher: PasswordHasher
    let attempts: Attempts
    let sealing: SealingKeys
    let measures: UsersMeasures
    let time: TimeSource

    /// What somebody says of themselves.
    struct Claim: Sendable {
        let email: Email
        let password: String
        /// Of the second factor, or a recovery code.
        var code: String?
        /// Whether an app password will do.
        var takesAppPassword = false
        let origin: Origin
    }

    /// A password that was right. Nothing is let in before `settle`.
    struct Proven: Sendable {
        fileprivate let proof: PasswordProof
        fileprivate let claim: Claim
        /// As it was when the password was checked.
        let account: Account
        let appPassword: AppPassword?
        fileprivate let newHash: String?
        fileprivate let settlement = Settlement()

        /// The transaction that does what this was proven for; it begins with `settle`. What it refuses is undone, so
        /// that a code was wrong is written down apart from it.
        func write<Answer>(_ body: (borrowing Connection) throws -> Answer) throws(APIError) -> Answer {
            let answer = try proof.writing(account.id, code: claim.code, from: claim.origin, body)
            if settlement.isDone.withLock({ $0 }) {
                // A program that logs in each minute must not clean the slate of who guesses at the password. Where
                // this fails, one attempt too many counts for a while.
                try? proof.attempts.succeed(claim.email, clearsSlate: appPassword == nil, from: claim.origin)
            }
            return answer
        }

        /// The first step of the transaction that does what this was proven for. Throws where the account changed since
        /// or the second factor is missing or wrong; then the transaction does not happen, and the attempt stays
        /// counted.
        func settle(at now: Timestamp, _ db: borrowing Connection) throws -> Account {
            let account = try proof.settle(self, at: now, db)
            settlement.isDone.withLock { $0 = true }
            return account
        }
    }

    /// Whether somebody was let in.
    fileprivate final class Settlement: Sendable { let isDone = Lock(false) }

    /// Answers later, on a thread of the hasher, unless it throws.
    func begin(
        _ claim: Claim,
        then work: @escaping @Sendable (Result<Proven, APIError>, PasswordHasher.Turn) -> Void
    ) throws(APIError) {
        guard claim.password.utf8.count <= Limits.Users.passwordBytesMax else { throw PasswordRule.tooLong }
        guard (claim.code?.utf8.count ?? 0) <= Limits.Users.codeBytesMax else { throw .invalid("the code is too long") }
        let place = try hasher.admit()
        try attempts.reserve(claim.email, from: claim.origin)
        do throws(APIError) {
            try place.run { turn in
                let proven: Proven
                do throws(APIError) { proven = try prove(claim, turn) } catch {
                    return work(.failure(error), turn)
                }
                work(.success(proven), turn)
            }
        } catch {
            try attempts.forgive(claim.email, from: claim.origin)
            throw error
        }
    }

    private func prove(_ claim: Claim, _ turn: PasswordHasher.Turn) throws(APIError) -> Proven {
        let account = try store.readOnce { db in try AccountTable.load(email: claim.email, db) }
        if let appPassword = try appPassword(claim, account), let account {
            return Proven(proof: self, claim: claim, account: account, appPassword: appPassword, newHash: nil)
        }
        let isRight: Bool
        do throws(APIError) {
            isRight = try turn.verify(claim.password, against: account?.passwordHash)
        } catch {
            try attempts.forgive(claim.email, from: claim.origin)
            throw error
        }
        guard isRight, let account else { throw try refuse(claim, account) }
        if account.secondFactor != nil, claim.code == nil {
            // Half of a log-in is not a failed one: the other half comes with the next request.
            try attempts.forgive(claim.email, from: claim.origin)
            throw Self.codeNeeded
        }
        let newHash = turn.isOutdated(account.passwordHash) ? try turn.hash(claim.password) : nil
        return Proven(proof: self, claim: claim, account: account, appPassword: nil, newHash: newHash)
    }

    /// Asked for whether or not there is the account, so that both take as long.
    private func appPassword(_ claim: Claim, _ account: Account?) throws(APIError) -> AppPassword? {
        guard claim.takesAppPassword, let secret = Secret(.appPassword, claim.password) else { return nil }
        let found = try store.readOnce { db in try AppPasswordTable.find(secret: secret.digest, db) }
        guard let found, found.account == account?.id else { return nil }
        return found
    }

    private func settle(_ proven: Proven, at now: Timestamp, _ db: borrowing Connection) throws -> Account {
        let (claim, before) = (proven.claim, proven.account)
        guard let account = try AccountTable.load(before.id, db), account.email == before.email else {
            throw Self.refused
        }
        if let appPassword = proven.appPassword {
            guard let secret = Secret(.appPassword, claim.password),
                try AppPasswordTable.find(secret: secret.digest, db)?.id == appPassword.id
            else { throw Self.refused }
            try AppPasswordTable.touch(appPassword.id, at: now, db)
        } else {
            // Changed in this very moment: what was proven is not the password any more.
            guard account.passwordHash == before.passwordHash else {
                throw APIError.unavailable("the account was changed just now; try again")
            }
            try check(claim.code, of: account, at: now, db)
            if let newHash = proven.newHash {
                try AccountTable.rehash(account.id, from: before.passwordHash, to: newHash, db)
            }
        }
        guard account.lockedSince == nil else { throw Self.locked }
        return account
    }

    /// A transaction that may refuse a code. That it did is in the audit log, although the transaction is not.
    func writing<Answer>(
        _ account: UserID,
        code: String?,
        from origin: Origin,
        _ body: (borrowing Connection) throws -> Answer
    ) throws(APIError) -> Answer {
        do throws(APIError) {
            return try store.write { db in try body(db) }
        } catch {
            guard error.code == .mfaRequired, code != nil else { throw error }
            try store.writeOnce(.normal) { db in
                try AuditTable.add(
                    .totp,
                    .refused,
                    account: account,
                    detail: "wrong code",
                    from: origin,
                    at: time.wall,
                    db
                )
            }
            measures.loginsRefused.increment()
            throw error
        }
    }

    /// Takes the code of an account that has a second factor; each is good once.
    func check(_ code: String?, of account: Account, at now: Timestamp, _ db: borrowing Connection) throws {
        guard let factor = account.secondFactor else { return }
        guard let code else { throw Self.codeNeeded }
        let plain = OneTimePassword.plain(code)
        if OneTimePassword.isCode(plain) {
            let secret = try sealing.open(factor.sealedSecret, of: account.id)
            guard let step = OneTimePassword.step(of: plain, secret, at: now),
                try SecondFactorTable.take(step: step, of: account.id, db)
            else { throw Self.codeWrong }
        } else {
            let digest = RecoveryCode.digest(code, of: account.id)
            guard try SecondFactorTable.take(recoveryCode: digest, of: account.id, db) else { throw Self.codeWrong }
        }
    }

    private func refuse(_ claim: Claim, _ account: Account?) throws(APIError) -> APIError {
        try store.writeOnce(.normal) { db in
            try AuditTable.add(.login, .refused, account: account?.id, from: claim.origin, at: time.wall, db)
        }
        measures.loginsRefused.increment()
        return Self.refused
    }

    static var refused: APIError {
        APIError(.invalidCredentials, "the e-mail address or the password is wrong").with(
            "WWW-Authenticate",
            "Bearer"
        )
    }

    static var locked: APIError { APIError(.locked, "the account is locked; ask an administrator") }
    static var codeNeeded: APIError { APIError(.mfaRequired, "the account has a second factor: give its code too") }
    static var codeWrong: APIError { APIError(.mfaRequired, "the code is wrong, or was used before") }
}
