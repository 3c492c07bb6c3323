import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// Turns an e-mail address and a password into a session.
struct LogIn: Sendable {
    let store: UsersStore
    let proof: PasswordProof
    let sessions: Sessions
    let measures: UsersMeasures
    let time: TimeSource

    /// What is wanted besides being let in.
    private struct Wish: Sendable {
        let device: String
        /// Nil: the user's home, or the first there is.
        let region: String?
        /// Where to begin for who has no home yet; what serves nobody is passed over.
        let nearest: String?
        let origin: Origin
    }

    /// Answers later, on a thread of the hasher, unless it throws.
    func begin(
        _ request: LoginRequest,
        from origin: Origin,
        then answer: @escaping @Sendable (Result<SessionAnswer, APIError>) -> Void
    ) throws(APIError) {
        guard let email = Email(request.email) else { throw Registration.badEmail }
        let wish = try check(request, origin)
        let claim = PasswordProof.Claim(
            email: email,
            password: request.password,
            code: request.code,
            takesAppPassword: true,
            origin: origin
        )
        try proof.begin(claim) { result, _ in
            do throws(APIError) {
                answer(.success(try finish(wish, try result.get())))
            } catch {
                answer(.failure(error))
            }
        }
    }

    /// Who this is, for pages that make no session of a program. Answers later, unless it throws; `mfaRequired` where
    /// the account has a second factor and `code` is nil. App passwords are not for pages.
    func authenticate(
        email text: String,
        password: String,
        code: String?,
        from origin: Origin,
        then answer: @escaping @Sendable (Result<Account, APIError>) -> Void
    ) throws(APIError) {
        guard let email = Email(text) else { throw Registration.badEmail }
        let claim = PasswordProof.Claim(email: email, password: password, code: code, origin: origin)
        try proof.begin(claim) { result, _ in
            do throws(APIError) {
                let (proven, now) = (try result.get(), time.wall)
                let account = try proven.write { db in
                    let account = try proven.settle(at: now, db)
                    try AuditTable.add(.login, .done, account: account.id, from: origin, at: now, db)
                    return account
                }
                measures.loginsDone.increment()
                answer(.success(account))
            } catch {
                answer(.failure(error))
            }
        }
    }

    private func check(_ request: LoginRequest, _ origin: Origin) throws(APIError) -> Wish {
        guard Registration.isShown(request.device, bytesMax: Limits.Users.deviceBytesMax) else {
            throw .invalid("a device's name has 1 to \(Limits.Users.deviceBytesMax) bytes and no control characters")
        }
        let region = request.region == "auto" ? nil : request.region
        let regions = try store.readOnce { db in try RegionTable.listed(db) }
        guard !regions.isEmpty else { throw .unavailable("no region is set up here yet", retryAfterSeconds: 60) }
        if let region, !regions.contains(where: { $0.code == region }) {
            let codes = regions.map(\.code).joined(separator: ", ")
            throw .invalid("there is no such region; there are: \(codes)")
        }
        return Wish(device: request.device, region: region, nearest: request.nearest, origin: origin)
    }

    private func finish(_ wish: Wish, _ proven: PasswordProof.Proven) throws(APIError) -> SessionAnswer {
        let now = time.wall
        let scope = proven.appPassword?.scope ?? .all
        let (session, token) = sessions.make(
            for: proven.account.id,
            scope: scope,
            device: wish.device,
            at: now,
            appPassword: proven.appPassword?.id,
            isProven: proven.appPassword == nil
        )
        let (user, region) = try proven.write { db -> (UserRecord, RegionRecord?) in
            let account = try proven.settle(at: now, db)
            let region = try Self.region(wish.region, home: account.home, nearest: wish.nearest, db)
            guard let region else { return (account.record, nil) }
            try AccountTable.setFirstHome(region.code, of: account.id, db)
            try SessionTable.insert(session.state(in: region.code), db)
            try AuditTable.add(
                .login,
                .done,
                account: account.id,
                session: session.id,
                detail: proven.appPassword.map { "app password \($0.id)" },
                from: wish.origin,
                at: now,
                db
            )
            return (account.record, region)
        }
        guard let region else {
            throw .unavailable("the region takes nobody new, or was closed just now; choose another")
        }
        measures.loginsDone.increment()
        return sessions.answer(session.grant(in: region), refreshToken: token, user: user)
    }

    /// The one that was asked for; the user's home while it serves; else the first that takes people. A region that is
    /// being drained keeps those who live there, and nobody else begins to.
    private static func region(
        _ code: String?,
        home: String?,
        nearest: String?,
        _ db: borrowing Connection
    ) throws -> RegionRecord? {
        if let code {
            let region = try RegionTable.open(code: code, db)
            return region?.status == RegionTable.open || code == home ? region : nil
        }
        if let home, let region = try RegionTable.open(code: home, db) { return region }
        let open = try RegionTable.allOpen(db)
        return open.first { $0.code == nearest } ?? open.first
    }
}
