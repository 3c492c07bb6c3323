import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// Turns the second factor on and off, and makes recovery codes.
struct SecondFactors: Sendable {
    let store: UsersStore
    let changes: AccountChanges
    let attempts: Attempts
    let sealing: SealingKeys
    let issuer: TokenIssuer
    let time: TimeSource

    struct Proposal: Sendable {
        let secret: String
        let uri: String
    }

    /// A secret for the app. It is not in force before a code of it was shown: nobody locks themselves out.
    func propose(
        _ caller: Caller,
        password: String,
        from origin: Origin,
        then answer: @escaping @Sendable (Result<Proposal, APIError>) -> Void
    ) throws(APIError) {
        guard caller.account.secondFactor == nil else { throw Self.isOn }
        try changes.proven(caller, password: password, code: nil, from: origin, then: answer) { account, _, db in
            guard account.secondFactor == nil else { throw Self.isOn }
            let secret = OneTimePassword.makeSecret()
            try SecondFactorTable.propose(try sealing.seal(secret, for: account.id), for: account.id, db)
            return Proposal(
                secret: Base32.encode(secret),
                uri: OneTimePassword.uri(secret: secret, account: account.email.text, issuer: issuer.issuer)
            )
        }
    }

    /// The recovery codes, which are shown this once.
    func confirm(_ caller: Caller, code: String, from origin: Origin) throws(APIError) -> [String] {
        try attempts.reserve(caller.account.email, from: origin)
        let now = time.wall
        let id = caller.account.id
        let codes = try store.write { db in
            guard let account = try AccountTable.load(id, db), account.secondFactor == nil,
                let sealed = try SecondFactorTable.proposed(for: id, db)
            else { throw APIError.conflict("there is nothing to confirm; ask for a secret first") }
            let secret = try sealing.open(sealed, of: id)
            guard let step = OneTimePassword.step(of: OneTimePassword.plain(code), secret, at: now) else {
                throw PasswordProof.codeWrong
            }
            try SecondFactorTable.begin(try sealing.seal(secret, for: id), step: step, for: id, db)
            try attempts.succeed(account.email, db)
            try AuditTable.add(.totp, .done, account: id, detail: "on", from: origin, at: now, db)
            return try Self.makeRecoveryCodes(for: id, db)
        }
        try? attempts.forgive(siteOf: origin)
        return codes
    }

    func end(
        _ caller: Caller,
        password: String,
        code: String?,
        from origin: Origin,
        then answer: @escaping @Sendable (Result<Void, APIError>) -> Void
    ) throws(APIError) {
        try changes.proven(caller, password: password, code: code, from: origin, then: answer) { account, now, db in
            try SecondFactorTable.end(for: account.id, db)
            try AuditTable.add(.totp, .done, account: account.id, detail: "off", from: origin, at: now, db)
        }
    }

    func renewRecoveryCodes(
        _ caller: Caller,
        password: String,
        code: String?,
        from origin: Origin,
        then answer: @escaping @Sendable (Result<[String], APIError>) -> Void
    ) throws(APIError) {
        try changes.proven(caller, password: password, code: code, from: origin, then: answer) { account, now, db in
            guard account.secondFactor != nil else { throw APIError.conflict("there is no second factor") }
            try AuditTable.add(.recovery, .done, account: account.id, from: origin, at: now, db)
            return try Self.makeRecoveryCodes(for: account.id, db)
        }
    }

    private static func makeRecoveryCodes(for id: UserID, _ db: borrowing Connection) throws -> [String] {
        let codes = (0..<RecoveryCode.count).map { _ in RecoveryCode.make() }
        try SecondFactorTable.setRecoveryCodes(codes.map { RecoveryCode.digest($0, of: id) }, for: id, db)
        return codes
    }

    private static var isOn: APIError { .conflict("the second factor is on; turn it off first") }
}
