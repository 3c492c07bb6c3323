import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// Turns an e-mail address and a password into a session.
///
/// Nothing that a caller can see or measure tells a wrong password from an account that is not there: the same checks,
/// the same count of attempts, one hash, one line in the audit log, the same words.
struct LogIn: Sendable {
    let store: UsersStore
    let hasher: PasswordHasher
    let rule: AttemptRule
    let sessions: Sessions
    let measures: UsersMeasures
    let time: TimeSource

    /// What is known before the password is.
    private struct Attempt: Sendable {
        let email: Email
        let password: String
        let device: String
        /// Nil: the user's home, or the first there is.
        let region: String?
        let origin: Origin
    }

    /// Answers later, on a thread of the hasher, unless it throws.
    func begin(
        _ request: LoginRequest,
        from origin: Origin,
        then answer: @escaping @Sendable (Result<SessionAnswer, APIError>) -> Void
    ) throws(APIError) {
        let attempt = try check(request, origin)
        try admit(attempt, then: answer) { turn throws(APIError) in try finish(attempt, turn) }
    }

    /// Who this is, for pages that make no session of a program. Answers later, unless it throws; `mfaRequired` where
    /// the account has a second factor and `code` is nil.
    func authenticate(
        email text: String,
        password: String,
        code: String?,
        from origin: Origin,
        then answer: @escaping @Sendable (Result<Account, APIError>) -> Void
    ) throws(APIError) {
        guard let email = Email(text) else { throw Registration.badEmail }
        guard password.utf8.count <= Limits.Users.passwordBytesMax else { throw PasswordRule.tooLong }
        let attempt = Attempt(email: email, password: password, device: "", region: nil, origin: origin)
        try admit(attempt, then: answer) { turn throws(APIError) in
            let (account, newHash) = try prove(attempt, turn)
            try store.write { db in
                try AttemptTable.clear(AttemptSubject(email), db)
                if let newHash { try AccountTable.rehash(account.id, from: account.passwordHash, to: newHash, db) }
            }
            return account
        }
    }

    private func admit<Answer>(
        _ attempt: Attempt,
        then answer: @escaping @Sendable (Result<Answer, APIError>) -> Void,
        _ work: @escaping @Sendable (PasswordHasher.Turn) throws(APIError) -> Answer
    ) throws(APIError) {
        let place = try hasher.admit()
        try count(attempt)
        do throws(APIError) {
            try place.run { turn in
                do throws(APIError) {
                    answer(.success(try work(turn)))
                } catch {
                    answer(.failure(error))
                }
            }
        } catch {
            try forgive(attempt)
            throw error
        }
    }

    private func check(_ request: LoginRequest, _ origin: Origin) throws(APIError) -> Attempt {
        guard let email = Email(request.email) else { throw Registration.badEmail }
        guard request.password.utf8.count <= Limits.Users.passwordBytesMax else { throw PasswordRule.tooLong }
        guard Registration.isShown(request.device, bytesMax: Limits.Users.deviceBytesMax) else {
            throw .invalid("a device's name has 1 to \(Limits.Users.deviceBytesMax) bytes and no control characters")
        }
        let region = request.region == "auto" ? nil : request.region
        let regions = try store.read { db in try RegionTable.allOpen(db) }
        guard !regions.isEmpty else { throw .unavailable("no region is set up here yet", retryAfterSeconds: 60) }
        if let region, !regions.contains(where: { $0.code == region }) {
            let codes = regions.map(\.code).joined(separator: ", ")
            throw .invalid("there is no such region; there are: \(codes)")
        }
        return Attempt(
            email: email,
            password: request.password,
            device: request.device,
            region: region,
            origin: origin
        )
    }

    /// Counts it as failed, before any work is done for it.
    private func count(_ attempt: Attempt) throws(APIError) {
        let (subject, now) = (AttemptSubject(attempt.email), time.wall)
        let decision = try store.write(.normal) { db in
            let decision = rule.admit(after: try AttemptTable.load(subject, db), at: now)
            if case .admitted(let state) = decision { try AttemptTable.save(state, of: subject, db) }
            return decision
        }
        guard case .refused(let retryAfter) = decision else { return }
        measures.loginsBlocked.increment()
        let seconds = Int((retryAfter.nanoseconds + 999_999_999) / 1_000_000_000)
        throw .rateLimited("too many attempts; wait before the next", retryAfterSeconds: seconds)
    }

    /// Nothing was tried after all: that is nobody's failure.
    private func forgive(_ attempt: Attempt) throws(APIError) {
        try store.write(.normal) { db in try AttemptTable.forgive(AttemptSubject(attempt.email), db) }
    }

    /// Whose password it is, and its new hash where the parameters rose.
    private func prove(
        _ attempt: Attempt,
        _ turn: PasswordHasher.Turn
    ) throws(APIError) -> (Account, newHash: String?) {
        let account = try store.read { db in try AccountTable.load(email: attempt.email, db) }
        let isRight: Bool
        do throws(APIError) {
            isRight = try turn.verify(attempt.password, against: account?.passwordHash)
        } catch {
            try forgive(attempt)
            throw error
        }
        guard isRight, let account else { throw try refuse(attempt, account) }
        return (account, turn.isOutdated(account.passwordHash) ? try turn.hash(attempt.password) : nil)
    }

    private func finish(_ attempt: Attempt, _ turn: PasswordHasher.Turn) throws(APIError) -> SessionAnswer {
        let (account, newHash) = try prove(attempt, turn)
        let now = time.wall
        let (session, token) = sessions.make(for: account.id, device: attempt.device, at: now)
        let region = try store.write { db -> RegionRecord? in
            try AttemptTable.clear(AttemptSubject(attempt.email), db)
            guard let region = try Self.region(attempt.region ?? account.home, isChosen: attempt.region != nil, db)
            else {
                return nil
            }
            if let newHash { try AccountTable.rehash(account.id, from: account.passwordHash, to: newHash, db) }
            try AccountTable.setFirstHome(region.code, of: account.id, db)
            try SessionTable.insert(session.state(in: region.code), db)
            try AuditTable.add(
                .login,
                .done,
                account: account.id,
                session: session.id,
                from: attempt.origin,
                at: now,
                db
            )
            return region
        }
        guard let region else { throw .unavailable("the region was closed just now; choose another") }
        measures.loginsDone.increment()
        return sessions.answer(session.grant(in: region), refreshToken: token, user: account.record)
    }

    /// The one that was asked for; the user's home while it is open; else the first.
    private static func region(
        _ code: String?,
        isChosen: Bool,
        _ db: borrowing Connection
    ) throws -> RegionRecord? {
        if let code, let region = try RegionTable.open(code: code, db) { return region }
        return isChosen ? nil : try RegionTable.allOpen(db).first
    }

    private func refuse(_ attempt: Attempt, _ account: Account?) throws(APIError) -> APIError {
        try store.write(.normal) { db in
            try AuditTable.add(.login, .refused, account: account?.id, from: attempt.origin, at: time.wall, db)
        }
        measures.loginsRefused.increment()
        return APIError(.invalidCredentials, "the e-mail address or the password is wrong").with(
            "WWW-Authenticate",
            "Bearer"
        )
    }
}
