import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON
import DaleksSystem

/// What people ask about themselves and each other: docs/wire.md, from `/v1/users` to `/v1/me`.
struct AccountRoutes: Sendable {
    let store: UsersStore
    let registration: Registration
    let reset: PasswordReset
    let changes: AccountChanges
    let factors: SecondFactors
    let appPasswords: AppPasswords
    let people: People
    let check: AccessTokenCheck
    let services: ServiceCheck
    let sessions: Sessions
    let time: TimeSource

    private static let body = BodyRule.limited(to: Int64(Limits.Users.bodyBytesMax))

    /// Whoever has a session, of whatever program.
    private var anybody: Authenticator<Caller> {
        Authenticator(naming: Self.name) { [check] request throws(APIError) in try check.caller(of: request) }
    }

    /// In a program of this house, which may look into the account.
    private var member: Authenticator<Caller> {
        Authenticator(naming: Self.name) { [check] request throws(APIError) in
            try check.caller(of: request).requireHouse()
        }
    }

    /// For the access log.
    private static func name(_ caller: Caller) -> String { "\(caller.account.id)" }

    private var owner: Authenticator<Caller> {
        Authenticator(naming: Self.name) { [check] request throws(APIError) in
            try check.caller(of: request).requireOwn()
        }
    }

    func add(to router: inout Router) {
        addRegistration(to: &router)
        addPassword(to: &router)
        addMe(to: &router)
        addSecondFactor(to: &router)
        addAppPasswords(to: &router)
        addSessions(to: &router)
        addPeople(to: &router)
    }

    // MARK: Coming

    private func addRegistration(to router: inout Router) {
        router.on(.post, Routes.Users.users, body: Self.body) { [registration] request, _ throws(APIError) in
            let body = try request.json(RegistrationRequest.self, bytesMax: Limits.Users.bodyBytesMax)
            return try Later.answer(Self.registered) { answer throws(APIError) in
                try registration.begin(body, from: Origin(request), then: answer)
            }
        }
        router.on(.post, Routes.Users.verify, body: Self.body) { [registration] request, _ throws(APIError) in
            let body = try request.members()
            let (token, password) = try reading { () throws(JSONError) in
                (try body.string("token"), try body.optionalString("password"))
            }
            return try Later.answer({ (record: UserRecord) in .json(record, status: .created) }) {
                answer throws(APIError) in
                try registration.verify(token, password: password, from: Origin(request), then: answer)
            }
        }
    }

    private static func registered(_ outcome: Registration.Outcome) -> HTTPResponse {
        switch outcome {
        case .made(let record): .json(record, status: .created)
        case .mailed: .object(.accepted) { $0.member("status", "verify") }
        }
    }

    private func addPassword(to router: inout Router) {
        router.on(.post, Routes.Users.forgotPassword, body: Self.body) { [reset] request, _ throws(APIError) in
            let body = try request.members()
            let email = try reading { () throws(JSONError) in try body.string("email") }
            try reset.ask(email, from: Origin(request))
            return HTTPResponse.object(.accepted) { $0.member("status", "mailed") }.notStored
        }
        router.on(.post, Routes.Users.resetPassword, body: Self.body) { [reset] request, _ throws(APIError) in
            let body = try request.members()
            let (token, password, code) = try reading { () throws(JSONError) in
                (try body.string("token"), try body.string("password"), try body.optionalString("code"))
            }
            return try Later.answer({ (_: Void) in .empty(.noContent) }) { answer throws(APIError) in
                try reset.finish(token, password: password, code: code, from: Origin(request), then: answer)
            }
        }
        router.onAuthenticated(.post, "/v1/me/password", by: owner, body: Self.body) {
            [changes] request, asked throws(APIError) in
            let body = try request.members()
            let (old, new, code) = try reading { () throws(JSONError) in
                (try body.string("password"), try body.string("new_password"), try body.optionalString("code"))
            }
            return try Later.answer({ (_: Void) in .empty(.noContent) }) { answer throws(APIError) in
                try changes.setPassword(
                    asked.principal,
                    from: old,
                    to: new,
                    code: code,
                    origin: Origin(request),
                    then: answer
                )
            }
        }
    }

    // MARK: Being

    private func addMe(to router: inout Router) {
        router.onAuthenticated(.get, Routes.Users.me, by: member) { _, asked in
            HTTPResponse.object { AccountBody.write(asked.principal.account, to: &$0) }.notStored
        }
        router.onAuthenticated(.get, "/v1/me/export", by: owner) {
            [store, time, sessions] request, asked throws(APIError) in
            let export = AccountExport(store: store, refreshRule: sessions.rule, time: time)
            return HTTPResponse.json(bytes: try export.run(asked.principal.account, from: Origin(request))).notStored
                .with("Content-Disposition", "attachment; filename=\"daleks-account.json\"")
        }
        router.onAuthenticated(.patch, Routes.Users.me, by: owner, body: Self.body) {
            [self] request, asked throws(APIError) in try change(asked.principal, request)
        }
        router.onAuthenticated(.delete, Routes.Users.me, by: owner, body: Self.body) {
            [changes] request, asked throws(APIError) in
            let (password, code) = try Self.proof(try request.members())
            return try Later.answer({ (purgeAfter: Timestamp) in
                .object(.accepted) { $0.member("purge_after", purgeAfter.nanoseconds) }
            }) { answer throws(APIError) in
                try changes.delete(
                    asked.principal,
                    password: password,
                    code: code,
                    from: Origin(request),
                    then: answer
                )
            }
        }
    }

    private func change(_ caller: Caller, _ request: HTTPRequest) throws(APIError) -> HTTPResponse {
        let (body, origin) = (try request.members(), Origin(request))
        let (name, handle, region, email) = try reading { () throws(JSONError) in
            (
                try body.optionalString("name"), try body.optionalString("handle"),
                try body.optionalString("region"), try body.optionalString("email")
            )
        }
        guard let email else {
            let wish = AccountChanges.Wish(
                name: try name.map { text throws(APIError) in try Registration.name(text) },
                handle: try Registration.handle(handle),
                region: region
            )
            let (account, note) = try changes.change(caller, wish, from: origin)
            return HTTPResponse.object { json in
                AccountBody.write(account, to: &json)
                json.member("note", ifPresent: note)
            }.notStored
        }
        guard name == nil, handle == nil, region == nil else {
            throw .malformed("the e-mail address is changed in a request of its own")
        }
        guard let address = Email(email) else { throw Registration.badEmail }
        let (password, code) = try Self.proof(body)
        return try Later.answer({ (outcome: AccountChanges.AddressChange) in
            .object { json in
                switch outcome {
                case .done(let account): AccountBody.write(account, to: &json)
                case .pending(let email):
                    AccountBody.write(caller.account, to: &json)
                    json.member("pending_email", email.text)
                }
            }
        }) { answer throws(APIError) in
            try changes.setEmail(caller, address, password: password, code: code, from: origin, then: answer)
        }
    }

    private static func proof(_ body: JSONReader) throws(APIError) -> (password: String, code: String?) {
        try reading { () throws(JSONError) in (try body.string("password"), try body.optionalString("code")) }
    }

    // MARK: The second factor

    private func addSecondFactor(to router: inout Router) {
        router.onAuthenticated(.post, "/v1/me/totp", by: owner, body: Self.body) {
            [factors] request, asked throws(APIError) in
            let (password, _) = try Self.proof(try request.members())
            return try Later.answer({ (proposal: SecondFactors.Proposal) in
                .object { json in
                    json.member("secret", proposal.secret)
                    json.member("uri", proposal.uri)
                }
            }) { answer throws(APIError) in
                try factors.propose(asked.principal, password: password, from: Origin(request), then: answer)
            }
        }
        router.onAuthenticated(.post, "/v1/me/totp/confirm", by: owner, body: Self.body) {
            [factors] request, asked throws(APIError) in
            let body = try request.members()
            let code = try reading { () throws(JSONError) in
                try body.string("code", bytesMax: Limits.Users.codeBytesMax)
            }
            let codes = try factors.confirm(asked.principal, code: code, from: Origin(request))
            return HTTPResponse.object { $0.member("recovery_codes", codes) }.notStored
        }
        router.onAuthenticated(.delete, "/v1/me/totp", by: owner, body: Self.body) {
            [factors] request, asked throws(APIError) in
            let (password, code) = try Self.proof(try request.members())
            return try Later.answer({ (_: Void) in .empty(.noContent) }) { answer throws(APIError) in
                try factors.end(asked.principal, password: password, code: code, from: Origin(request), then: answer)
            }
        }
        router.onAuthenticated(.post, "/v1/me/recovery-codes", by: owner, body: Self.body) {
            [factors] request, asked throws(APIError) in
            let (password, code) = try Self.proof(try request.members())
            return try Later.answer({ (codes: [String]) in
                .object { $0.member("recovery_codes", codes) }
            }) { answer throws(APIError) in
                try factors.renewRecoveryCodes(
                    asked.principal,
                    password: password,
                    code: code,
                    from: Origin(request),
                    then: answer
                )
            }
        }
    }

    // MARK: App passwords

    private func addAppPasswords(to router: inout Router) {
        router.onAuthenticated(.get, "/v1/me/app-passwords", by: member) {
            [appPasswords] _, asked throws(APIError) in
            let all = try appPasswords.list(asked.principal)
            return HTTPResponse.object { json in
                json.key("app_passwords")
                json.beginArray()
                for password in all { json.object { AccountBody.write(password, to: &$0) } }
                json.endArray()
            }.notStored
        }
        router.onAuthenticated(.post, "/v1/me/app-passwords", by: owner, body: Self.body) {
            [appPasswords] request, asked throws(APIError) in
            let body = try request.members()
            let (name, scope) = try reading { () throws(JSONError) in
                (try body.string("name"), try body.optionalString("scope"))
            }
            let (password, code) = try Self.proof(body)
            return try Later.answer({ (made: AppPasswords.Made) in
                .object(.created) { json in
                    AccountBody.write(made.password, to: &json)
                    json.member("secret", made.secret)
                }
            }) { answer throws(APIError) in
                try appPasswords.make(
                    asked.principal,
                    name: name,
                    scope: scope,
                    password: password,
                    code: code,
                    from: Origin(request),
                    then: answer
                )
            }
        }
        router.onAuthenticated(.delete, "/v1/me/app-passwords/:id", by: owner) {
            [appPasswords] request, asked throws(APIError) in
            let id: AppPasswordID = try asked.parameters.identifier("id")
            try appPasswords.delete(id, asked.principal, from: Origin(request))
            return .empty(.noContent)
        }
    }

    // MARK: Sessions

    private func addSessions(to router: inout Router) {
        router.onAuthenticated(.get, "/v1/me/sessions", by: member) {
            [store, sessions, time] _, asked throws(APIError) in
            let caller = asked.principal
            let now = time.wall
            let live = try store.read { db in
                try SessionSummary.live(of: caller.account.id, sessions.rule, at: now, db)
            }
            return HTTPResponse.object { json in
                json.key("sessions")
                json.beginArray()
                for session in live { session.encode(to: &json, current: caller.session.id) }
                json.endArray()
            }.notStored
        }
        router.onAuthenticated(.delete, "/v1/me/sessions/:id", by: owner) {
            [self] request, asked throws(APIError) in
            let id: SessionID = try asked.parameters.identifier("id")
            let ended = try end(asked.principal, only: id, except: nil, request)
            guard ended > 0 else { throw .notFound("there is no such session that goes on") }
            return .empty(.noContent)
        }
        router.onAuthenticated(.delete, "/v1/me/sessions", by: owner) {
            [self] request, asked throws(APIError) in
            let kept: SessionID?
            switch try request.query.only("except") {
            case nil: kept = nil
            case "current": kept = asked.principal.session.id
            default: throw .malformed("except is current, or absent")
            }
            _ = try end(asked.principal, only: nil, except: kept, request)
            return .empty(.noContent)
        }
    }

    /// How many ended.
    private func end(
        _ caller: Caller,
        only id: SessionID?,
        except kept: SessionID?,
        _ request: HTTPRequest
    ) throws(APIError) -> Int {
        let (now, origin, account) = (time.wall, Origin(request), caller.account.id)
        let ended = try store.write { db -> [SessionID] in
            var ended: [SessionID] = []
            if let id {
                guard try SessionTable.load(id, db)?.account == account, try SessionTable.end(id, .revoked, at: now, db)
                else { return [] }
                ended = [id]
            } else {
                ended = try SessionTable.endAll(of: account, except: kept, at: now, db)
            }
            for session in ended {
                try AuditTable.add(.revoke, .done, account: account, session: session, from: origin, at: now, db)
            }
            return ended
        }
        for _ in ended { sessions.measures.sessionsRevoked.increment() }
        return ended.count
    }

    // MARK: Others

    private func addPeople(to router: inout Router) {
        router.onAuthenticated(.get, Routes.Users.find, by: anybody) { [people] request, asked throws(APIError) in
            let found = try people.find(
                asked.principal,
                email: try request.query.only("email"),
                handle: try request.query.only("handle")
            )
            return HTTPResponse.object { json in
                json.member("id", found.id)
                json.member("name", found.name)
                json.member("handle", ifPresent: found.handle?.text)
                json.member("region", ifPresent: found.home)
            }.notStored
        }
        router.on(.post, Routes.Users.names, body: Self.body) { [self] request, _ throws(APIError) in
            let isService = ServiceCheck.isBasic(request)
            if isService { _ = try services.service(of: request) } else { _ = try check.caller(of: request) }
            let body = try request.members()
            let ids = try reading { () throws(JSONError) in
                var ids: [UserID] = []
                for element in try body.array("ids", countMax: Limits.Wire.nameQueryCountMax) {
                    ids.append(try element.identifierValue())
                }
                return ids
            }
            let found = try people.named(ids)
            return HTTPResponse.object { json in
                json.key("users")
                json.beginArray()
                for account in found {
                    json.object { AccountBody.writeName(of: account, isService: isService, to: &$0) }
                }
                json.endArray()
            }.notStored
        }
    }
}
