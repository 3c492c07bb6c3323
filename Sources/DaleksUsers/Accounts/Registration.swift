import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// Makes accounts.
struct Registration: Sendable {
    enum Outcome: Sendable {
        case made(UserRecord)
        /// Whatever there is to tell is in a mail.
        case mailed
    }

    let store: UsersStore
    let mode: RegistrationMode
    /// From one address.
    let perHourMax: Int
    let hasher: PasswordHasher
    let attempts: Attempts
    let correspondence: Correspondence
    let measures: UsersMeasures
    let time: TimeSource

    /// Answers later, on a thread of the hasher, unless it throws.
    func begin(
        _ request: RegistrationRequest,
        from origin: Origin,
        then answer: @escaping @Sendable (Result<Outcome, APIError>) -> Void
    ) throws(APIError) {
        guard mode != .closed else { throw .forbidden("accounts are made by administrators here") }
        guard let email = Email(request.email) else { throw Self.badEmail }
        let name = try Self.name(request.name)
        let handle = try Self.handle(request.handle)
        try PasswordRule.check(request.password, email: email)
        // Before the costly part; asked again in the transaction that decides. With mail nobody may see a difference.
        if mode == .open {
            guard try !store.read({ db in try AccountTable.isTaken(email, db) }) else { throw taken() }
        }
        if let wait = try attempts.count(AttemptSubject(registrationsFrom: origin.site), perHourMax: perHourMax) {
            throw Attempts.blocked(wait)
        }
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
                    handle: handle
                )
                answer(.success(mode == .open ? .made(try create(account, origin)) : try propose(account, origin)))
            } catch {
                answer(.failure(error))
            }
        }
    }

    private func create(_ account: Account, _ origin: Origin) throws(APIError) -> UserRecord {
        let isNew = try store.write { db in
            guard try AccountTable.insert(account, db) else { return false }
            try AuditTable.add(.register, .done, account: account.id, from: origin, at: account.created, db)
            return true
        }
        guard isNew else { throw taken() }
        measures.registered.increment()
        return account.record
    }

    /// The same work and the same answer whether or not there is such an account; the mail tells its owner which.
    private func propose(_ account: Account, _ origin: Origin) throws(APIError) -> Outcome {
        let now = account.created
        let mayWrite = try correspondence.mayWrite(to: account.email, from: origin)
        let token = Secret.make(.mail)
        try store.write { db in
            guard mayWrite else { return }
            let isTaken = try AccountTable.isTaken(account.email, db)
            // Written in either case, since writing takes time that can be measured; one is over already.
            let promise = MailToken(
                purpose: .register,
                email: account.email,
                name: account.name,
                handle: account.handle,
                passwordHash: isTaken
                    ? String(repeating: "-", count: account.passwordHash.utf8.count) : account.passwordHash,
                expires: isTaken ? now : now + Limits.Users.registrationTokenLifetime
            )
            try MailTable.insert(promise, digest: token.digest, db)
            let letter =
                isTaken
                ? correspondence.alreadyRegistered(account.email) : correspondence.verification(account.email, token)
            try MailTable.post(letter, at: now, db)
        }
        return .mailed
    }

    /// Keeps the promise of a link: the account is there, or it has its new address. Answers later, on a thread of the
    /// hasher, unless it throws.
    ///
    /// Who presses the button must know the account's password. Otherwise somebody could register an address together
    /// with its owner, and have the owner confirm the account whose password they know; or ask for somebody else's
    /// address for their own account, and what people share with that address would be theirs once its owner pressed.
    func verify(
        _ text: String,
        password: String?,
        from origin: Origin,
        then answer: @escaping @Sendable (Result<UserRecord, APIError>) -> Void
    ) throws(APIError) {
        guard let token = Secret(.mail, text) else { throw Self.goneLink }
        let found = try store.read { db -> (promise: MailToken, email: Email, hash: String)? in
            guard let promise = try MailTable.load(token.digest, at: time.wall, db) else { return nil }
            switch promise.purpose {
            case .reset: return nil
            case .register: return promise.passwordHash.map { (promise, promise.email, $0) }
            case .email:
                guard let id = promise.account, let account = try AccountTable.load(id, db) else { return nil }
                return (promise, account.email, account.passwordHash)
            }
        }
        guard let (promise, email, hash) = found else { throw Self.goneLink }
        guard let password else { throw .invalid("give the account's password too") }
        guard password.utf8.count <= Limits.Users.passwordBytesMax else { throw PasswordRule.tooLong }
        let place = try hasher.admit()
        // Guesses at it count as guesses at a log-in do.
        try attempts.reserve(email, from: origin)
        try place.run { turn in
            do throws(APIError) {
                guard try turn.verify(password, against: hash) else {
                    throw promise.purpose == .register ? Self.otherPassword : Self.wrongPassword
                }
                // A password that is changed meanwhile makes the link void.
                let record = try keep(promise, token, origin)
                try? attempts.forgive(email, from: origin)
                answer(.success(record))
            } catch {
                answer(.failure(error))
            }
        }
    }

    private func keep(_ promise: MailToken, _ token: Secret, _ origin: Origin) throws(APIError) -> UserRecord {
        let now = time.wall
        let record = try store.write { db -> UserRecord? in
            guard try MailTable.take(token.digest, db) else { return nil }
            return promise.purpose == .register
                ? try register(promise, origin, now, db) : try move(promise, origin, now, db)
        }
        guard let record else { throw Self.goneLink }
        return record
    }

    private func register(
        _ promise: MailToken,
        _ origin: Origin,
        _ now: Timestamp,
        _ db: borrowing Connection
    ) throws -> UserRecord? {
        guard let name = promise.name, let hash = promise.passwordHash else { return nil }
        // Somebody may have taken the handle meanwhile; another can be chosen later.
        let handle = try promise.handle.flatMap { try AccountTable.isTaken($0, db) ? nil : $0 }
        let account = Account(
            id: .random(at: now),
            email: promise.email,
            name: name,
            passwordHash: hash,
            home: nil,
            created: now,
            handle: handle
        )
        guard try AccountTable.insert(account, db) else { return nil }
        try MailTable.forgetRegistrations(of: account.email, db)
        try AuditTable.add(.register, .done, account: account.id, from: origin, at: now, db)
        measures.registered.increment()
        return account.record
    }

    private func move(
        _ promise: MailToken,
        _ origin: Origin,
        _ now: Timestamp,
        _ db: borrowing Connection
    ) throws -> UserRecord? {
        guard let id = promise.account, var account = try AccountTable.load(id, db),
            try !AccountTable.isTaken(promise.email, db)
        else { return nil }
        let former = account.email
        account.email = promise.email
        try AccountTable.save(account, db)
        // A link that was sent to the former address must not set a password any more.
        try MailTable.forget(.reset, of: id, db)
        try MailTable.post(correspondence.addressChanged(former), at: now, db)
        try AuditTable.add(.verify, .done, account: id, from: origin, at: now, db)
        return account.record
    }

    private func taken() -> APIError {
        measures.registrationsRefused.increment()
        return APIError(.alreadyExists, "there is an account with this e-mail address, or with this handle")
    }

    static var goneLink: APIError { .gone("the link was used before, or is too old; ask for another") }
    static var otherPassword: APIError {
        APIError(
            .invalidCredentials,
            "this is not the password that was chosen with this link. If somebody else asked for it, use the link of"
                + " your own mail"
        )
    }
    static var wrongPassword: APIError {
        APIError(
            .invalidCredentials,
            "this is not the password of the account that is to have this address. If that account is not yours, do"
                + " nothing"
        )
    }
    static var badEmail: APIError { .invalid("the e-mail address cannot be one: write it as name@example.com") }

    static func name(_ text: String) throws(APIError) -> String {
        guard Self.isShown(text, bytesMax: Limits.Users.nameBytesMax) else {
            throw .invalid("a name has 1 to \(Limits.Users.nameBytesMax) bytes and no control characters")
        }
        return text
    }

    static func handle(_ text: String?) throws(APIError) -> Handle? {
        guard let text else { return nil }
        guard let handle = Handle(text) else {
            throw .invalid("a handle has 2 to 32 letters, digits, dashes, dots and underscores; a letter comes first")
        }
        return handle
    }

    /// Whether people can be shown it: some bytes, none of them control characters.
    static func isShown(_ text: String, bytesMax: Int) -> Bool {
        (1...bytesMax).contains(text.utf8.count)
            && text.unicodeScalars.allSatisfy { $0.value >= 32 && !(127..<160).contains($0.value) }
    }
}
