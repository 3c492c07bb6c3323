import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// What administrators do with accounts and sessions. Everything is written into the audit log, with who did it.
struct UserAdministration: Sendable {
    let store: UsersStore
    let hasher: PasswordHasher
    let reset: PasswordReset
    let refreshRule: RefreshRule
    let time: TimeSource

    /// An account with what only counting tells.
    struct Entry: Sendable {
        let account: Account
        let sessionCount: Int
    }

    struct Wish: Sendable {
        var name: String?
        var handle: Handle?
        var role: Account.Role?
        var isLocked: Bool?
        /// Nil: as it is; `.some(nil)`: none any more.
        var quotaBytes: Int64??
    }

    func list(query: String?, after: UserID?, limit: Int) throws(APIError) -> [Entry] {
        try store.read { db in
            let accounts = try AccountTable.list(after: after, query: query?.lowercased(), limit: limit, db)
            var entries: [Entry] = []
            for account in accounts { entries.append(try Self.entry(account, db)) }
            return entries
        }
    }

    func load(_ id: UserID) throws(APIError) -> Entry {
        try store.read { db in try Self.entry(try Self.account(id, db), db) }
    }

    /// An account that needs no verification. Without a password a mail lets its owner set one.
    func create(
        _ email: Email,
        name: String,
        handle: Handle?,
        password: String?,
        role: Account.Role,
        by actor: Caller,
        from origin: Origin,
        then answer: @escaping @Sendable (Result<Entry, APIError>) -> Void
    ) throws(APIError) {
        if let password { try PasswordRule.check(password, email: email) }
        // Nobody knows a random one: until the link is used there is no way in.
        let secret = password ?? Secret.make(.appPassword).text
        let place = try hasher.admit()
        try place.run { turn in
            do throws(APIError) {
                let hash = try turn.hash(secret)
                let now = time.wall
                let account = Account(
                    id: .random(at: now),
                    email: email,
                    name: name,
                    passwordHash: hash,
                    home: nil,
                    created: now,
                    handle: handle,
                    role: role
                )
                answer(.success(try insert(account, isInvited: password == nil, actor, origin)))
            } catch {
                answer(.failure(error))
            }
        }
    }

    private func insert(
        _ account: Account,
        isInvited: Bool,
        _ actor: Caller,
        _ origin: Origin
    ) throws(APIError) -> Entry {
        try store.write { db in
            guard try AccountTable.insert(account, db) else {
                throw APIError(.alreadyExists, "there is an account with this e-mail address, or with this handle")
            }
            if isInvited { try reset.post(to: account, isWelcome: true, at: account.created, db) }
            try note(.create, account.id, actor, "role \(account.role.rawValue)", origin, account.created, db)
            return Entry(account: account, sessionCount: 0)
        }
    }

    func change(_ id: UserID, _ wish: Wish, by actor: Caller, from origin: Origin) throws(APIError) -> Entry {
        let now = time.wall
        return try store.write { db in
            var account = try Self.account(id, db)
            if let name = wish.name { account.name = name }
            if let handle = wish.handle, handle != account.handle {
                guard try !AccountTable.isTaken(handle, db) else {
                    throw APIError(.alreadyExists, "the handle is another person's")
                }
                account.handle = handle
            }
            if wish.name != nil || wish.handle != nil { try note(.change, id, actor, nil, origin, now, db) }
            if let quota = wish.quotaBytes, quota != account.quotaBytes {
                account.quotaBytes = quota
                try note(.quota, id, actor, quota.map { "\($0) bytes" } ?? "none", origin, now, db)
            }
            if let role = wish.role, role != account.role {
                if account.role == .admin { try Self.requireAnotherAdmin(account, db) }
                account.role = role
                try note(.role, id, actor, role.rawValue, origin, now, db)
            }
            if let isLocked = wish.isLocked, isLocked != (account.lockedSince != nil) {
                try setLocked(isLocked, &account, actor, origin, now, db)
            }
            try AccountTable.save(account, db)
            return try Self.entry(account, db)
        }
    }

    private func setLocked(
        _ isLocked: Bool,
        _ account: inout Account,
        _ actor: Caller,
        _ origin: Origin,
        _ now: Timestamp,
        _ db: borrowing Connection
    ) throws {
        try note(isLocked ? .lock : .unlock, account.id, actor, nil, origin, now, db)
        guard isLocked else {
            account.lockedSince = nil
            return try RevocationTable.add(.unlock(account.id), at: now, db)
        }
        if account.role == .admin { try Self.requireAnotherAdmin(account, db) }
        account.lockedSince = now
        _ = try SessionTable.endAll(of: account.id, at: now, db)
        try RevocationTable.add(.user(account.id, before: now), at: now, db)
        try RevocationTable.add(.lock(account.id), at: now, db)
    }

    func delete(_ id: UserID, by actor: Caller, from origin: Origin) throws(APIError) -> Timestamp {
        let now = time.wall
        return try store.write { db in
            let account = try Self.account(id, db)
            return try AccountChanges.delete(account, actor: actor.account.id, from: origin, at: now, db)
        }
    }

    /// A mail with a link; the password and the sessions of before end when it is used.
    func resetPassword(_ id: UserID, by actor: Caller, from origin: Origin) throws(APIError) {
        let now = time.wall
        try store.write { db in
            try reset.post(to: try Self.account(id, db), at: now, db)
            try note(.reset, id, actor, nil, origin, now, db)
        }
    }

    func endSecondFactor(_ id: UserID, by actor: Caller, from origin: Origin) throws(APIError) {
        let now = time.wall
        try store.write { db in
            _ = try Self.account(id, db)
            try SecondFactorTable.end(for: id, db)
            try note(.totp, id, actor, "off", origin, now, db)
        }
    }

    // MARK: Sessions

    func sessions(of id: UserID) throws(APIError) -> [SessionSummary] {
        let now = time.wall
        return try store.read { db in
            _ = try Self.account(id, db)
            return try SessionSummary.live(of: id, refreshRule, at: now, db)
        }
    }

    func endSession(_ id: SessionID, by actor: Caller, from origin: Origin) throws(APIError) {
        let now = time.wall
        let isEnded = try store.write { db in
            guard let session = try SessionTable.load(id, db), try SessionTable.end(id, .revoked, at: now, db) else {
                return false
            }
            try AuditTable.add(
                .revoke,
                .done,
                account: session.account,
                session: id,
                actor: actor.account.id,
                from: origin,
                at: now,
                db
            )
            return true
        }
        guard isEnded else { throw .notFound("there is no such session that goes on") }
    }

    func endSessions(of id: UserID, by actor: Caller, from origin: Origin) throws(APIError) {
        let now = time.wall
        try store.write { db in
            _ = try Self.account(id, db)
            let ended = try SessionTable.endAll(of: id, at: now, db)
            try note(.revoke, id, actor, "\(ended.count) sessions", origin, now, db)
        }
    }

    // MARK: Parts

    private func note(
        _ action: AuditTable.Action,
        _ account: UserID,
        _ actor: Caller,
        _ detail: String?,
        _ origin: Origin,
        _ now: Timestamp,
        _ db: borrowing Connection
    ) throws {
        try AuditTable.add(
            action,
            .done,
            account: account,
            actor: actor.account.id,
            detail: detail,
            from: origin,
            at: now,
            db
        )
    }

    private static func account(_ id: UserID, _ db: borrowing Connection) throws -> Account {
        guard let account = try AccountTable.load(id, db) else { throw APIError.notFound("there is no such account") }
        return account
    }

    private static func entry(_ account: Account, _ db: borrowing Connection) throws -> Entry {
        let count = try db.first(
            "SELECT count(*) FROM sessions WHERE account = ?1 AND ended IS NULL",
            [.id(account.id)]
        ) { try $0.int(0) }
        return Entry(account: account, sessionCount: count ?? 0)
    }

    private static func requireAnotherAdmin(_ account: Account, _ db: borrowing Connection) throws {
        let count = try AccountTable.adminCount(db)
        guard account.lockedSince != nil || count > 1 else {
            throw APIError.conflict("this is the last administrator; make another first")
        }
    }
}
