import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// What people do with their own account. Whatever could lock its owner out, or let somebody else in for good, takes
/// the password again, and the code of the second factor where there is one.
struct AccountChanges: Sendable {
    let store: UsersStore
    let hasher: PasswordHasher
    let proof: PasswordProof
    let mode: RegistrationMode
    let correspondence: Correspondence
    let time: TimeSource

    /// Runs `change` in one transaction with the settling of the password; answers later, unless it throws.
    func proven<Answer: Sendable>(
        _ caller: Caller,
        password: String,
        code: String?,
        from origin: Origin,
        then answer: @escaping @Sendable (Result<Answer, APIError>) -> Void,
        prepare: @escaping @Sendable (PasswordHasher.Turn) throws(APIError) -> Void = { _ in },
        _ change: @escaping @Sendable (Account, Timestamp, borrowing Connection) throws -> Answer
    ) throws(APIError) {
        let claim = PasswordProof.Claim(email: caller.account.email, password: password, code: code, origin: origin)
        try proof.begin(claim) { result, turn in
            do throws(APIError) {
                let proven = try result.get()
                try prepare(turn)
                let now = time.wall
                answer(
                    .success(
                        try proven.write { db in
                            let account = try proven.settle(at: now, db)
                            guard account.id == caller.account.id else { throw PasswordProof.refused }
                            return try change(account, now, db)
                        }
                    )
                )
            } catch {
                answer(.failure(error))
            }
        }
    }

    // MARK: The password

    /// Every other session ends.
    func setPassword(
        _ caller: Caller,
        from old: String,
        to new: String,
        code: String?,
        origin: Origin,
        then answer: @escaping @Sendable (Result<Void, APIError>) -> Void
    ) throws(APIError) {
        try PasswordRule.check(new, email: caller.account.email)
        let hash = Lock("")
        try proven(
            caller,
            password: old,
            code: code,
            from: origin,
            then: answer,
            prepare: { turn throws(APIError) in
                let made = try turn.hash(new)
                hash.withLock { $0 = made }
            }
        ) { account, now, db in
            var account = account
            account.passwordHash = hash.withLock { $0 }
            try AccountTable.save(account, db)
            _ = try SessionTable.endAll(of: account.id, except: caller.session.id, at: now, db)
            try MailTable.forget(.reset, of: account.id, db)
            try MailTable.post(correspondence.passwordChanged(account.email), at: now, db)
            try AuditTable.add(
                .password,
                .done,
                account: account.id,
                session: caller.session.id,
                from: origin,
                at: now,
                db
            )
        }
    }

    // MARK: What others see

    struct Wish: Sendable {
        var name: String?
        var handle: Handle?
        var region: String?
    }

    /// The account as it is then, and what a change of region means.
    func change(
        _ caller: Caller,
        _ wish: Wish,
        from origin: Origin
    ) throws(APIError) -> (account: Account, note: String?) {
        let now = time.wall
        return try store.write { db in
            guard var account = try AccountTable.load(caller.account.id, db) else { throw PasswordProof.refused }
            if let name = wish.name { account.name = name }
            if let handle = wish.handle, handle != account.handle {
                guard try !AccountTable.isTaken(handle, db) else {
                    throw APIError(.alreadyExists, "the handle is another person's")
                }
                account.handle = handle
            }
            let note = try wish.region.flatMap { try move(&account, to: $0, caller, origin, now, db) }
            try AccountTable.save(account, db)
            if wish.name != nil || wish.handle != nil {
                try AuditTable.add(.change, .done, account: account.id, from: origin, at: now, db)
            }
            return (account, note)
        }
    }

    /// Nil where it is home already.
    private func move(
        _ account: inout Account,
        to code: String,
        _ caller: Caller,
        _ origin: Origin,
        _ now: Timestamp,
        _ db: borrowing Connection
    ) throws -> String? {
        guard code != account.home else { return nil }
        guard let region = try RegionTable.open(code: code, db), region.status == RegionTable.open else {
            throw APIError.invalid("there is no such region that takes people")
        }
        let former = account.home
        account.home = code
        try AuditTable.add(
            .home,
            .done,
            account: account.id,
            session: caller.session.id,
            detail: "\(former ?? "none") to \(code)",
            from: origin,
            at: now,
            db
        )
        guard let former else { return nil }
        return
            "Nothing was moved: files in \(former) stay there and stay yours. From the next log-in on, new files go to"
            + " \(code); log in with --region \(former) under another profile to have both mounted."
    }

    // MARK: The address

    enum AddressChange: Sendable {
        case done(Account)
        case pending(Email)
    }

    /// The new one holds once it was verified; where registration is open, at once.
    func setEmail(
        _ caller: Caller,
        _ email: Email,
        password: String,
        code: String?,
        from origin: Origin,
        then answer: @escaping @Sendable (Result<AddressChange, APIError>) -> Void
    ) throws(APIError) {
        try proven(caller, password: password, code: code, from: origin, then: answer) { account, now, db in
            var account = account
            let isTaken = try AccountTable.isTaken(email, db)
            if mode == .open {
                guard !isTaken else { throw APIError(.alreadyExists, "another account has this address") }
                let former = account.email
                account.email = email
                try AccountTable.save(account, db)
                try MailTable.forget(.reset, of: account.id, db)
                try MailTable.post(correspondence.addressChanged(former), at: now, db)
                try AuditTable.add(.change, .done, account: account.id, from: origin, at: now, db)
                return .done(account)
            }
            let token = Secret.make(.mail)
            try MailTable.forget(.email, of: account.id, db)
            // Whoever owns the account hears of it in time, wherever the wish comes from.
            try MailTable.post(correspondence.addressWanted(account.email), at: now, db)
            // Whether another account has the address is told to its owner only.
            if isTaken {
                try MailTable.post(correspondence.alreadyRegistered(email), at: now, db)
            } else {
                let promise = MailToken(
                    purpose: .email,
                    account: account.id,
                    email: email,
                    expires: now + Limits.Users.registrationTokenLifetime
                )
                try MailTable.insert(promise, digest: token.digest, db)
                try MailTable.post(correspondence.newAddress(email, token), at: now, db)
            }
            return .pending(email)
        }
    }

    // MARK: The end

    /// When regions erase what was theirs.
    func delete(
        _ caller: Caller,
        password: String,
        code: String?,
        from origin: Origin,
        then answer: @escaping @Sendable (Result<Timestamp, APIError>) -> Void
    ) throws(APIError) {
        try proven(caller, password: password, code: code, from: origin, then: answer) { account, now, db in
            try Self.delete(account, actor: nil, from: origin, at: now, db)
        }
    }

    /// Sessions end at once, every region hears of it, and nothing of the person is kept but the audit log's lines.
    static func delete(
        _ account: Account,
        actor: UserID?,
        from origin: Origin,
        at now: Timestamp,
        _ db: borrowing Connection
    ) throws -> Timestamp {
        if account.role == .admin, account.lockedSince == nil {
            guard try AccountTable.adminCount(db) > 1 else {
                throw APIError.conflict("this is the last administrator; make another first")
            }
        }
        let purgeAfter = now + Limits.Users.purgeGrace
        _ = try SessionTable.endAll(of: account.id, at: now, db)
        try AccountTable.delete(account.id, db)
        try RevocationTable.add(.deletion(account.id, purgeAfter: purgeAfter), at: now, db)
        try AuditTable.add(.delete, .done, account: account.id, actor: actor, from: origin, at: now, db)
        return purgeAfter
    }
}
