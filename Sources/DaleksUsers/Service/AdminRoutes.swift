import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON
import DaleksSQLite
import DaleksSystem

/// What administrators ask: docs/wire.md, `/v1/admin`.
struct AdminRoutes: Sendable {
    let store: UsersStore
    let first: FirstAdmin
    let users: UserAdministration
    let regions: RegionAdministration
    let enrolment: Enrolment
    let inspection: TokenInspection
    let restoration: Restoration
    let clients: AdminClientRoutes
    let check: AccessTokenCheck

    private static let body = BodyRule.limited(to: Int64(Limits.Users.bodyBytesMax))

    private var admin: Authenticator<Caller> {
        Authenticator(naming: { "\($0.account.id)" }) { [check] request throws(APIError) in
            try check.caller(of: request).requireAdmin()
        }
    }

    func add(to router: inout Router) {
        addFirst(to: &router)
        addUsers(to: &router)
        addOneUser(to: &router)
        addSessions(to: &router)
        addRegions(to: &router)
        addOthers(to: &router)
        clients.add(to: &router, by: admin)
    }

    private func addFirst(to router: inout Router) {
        router.on(.post, "/v1/admin/first", body: Self.body) { [first] request, _ throws(APIError) in
            let body = try request.members()
            let (token, asked) = try reading { () throws(JSONError) in
                (try body.string("token"), try RegistrationRequest(json: body.value))
            }
            return try Later.answer({ (record: UserRecord) in .json(record, status: .created) }) {
                answer throws(APIError) in
                try first.begin(token: token, asked, from: Origin(request), then: answer)
            }
        }
    }

    // MARK: Users

    private func addUsers(to router: inout Router) {
        router.onAuthenticated(.get, "/v1/admin/users", by: admin) { [users] request, _ throws(APIError) in
            let limit = try Self.limit(request)
            let after = try request.query.only("after")
            guard after == nil || after.flatMap({ UserID($0) }) != nil else { throw .malformed("after is no id") }
            let entries = try users.list(
                query: try request.query.only("query"),
                after: after.flatMap { UserID($0) },
                limit: limit
            )
            return HTTPResponse.object { json in
                json.key("users")
                json.beginArray()
                for entry in entries { json.object { AccountBody.write(entry, to: &$0) } }
                json.endArray()
                if entries.count == limit { json.member("next", ifPresent: entries.last?.account.id) }
            }.notStored
        }
        router.onAuthenticated(.post, "/v1/admin/users", by: admin, body: Self.body) {
            [self] request, asked throws(APIError) in try create(asked.principal, request)
        }
    }

    private func create(_ actor: Caller, _ request: HTTPRequest) throws(APIError) -> HTTPResponse {
        let body = try request.members()
        let (email, name, handle, password, role) = try reading { () throws(JSONError) in
            (
                try body.string("email"), try body.string("name"), try body.optionalString("handle"),
                try body.optionalString("password"), try body.optionalString("role")
            )
        }
        guard let address = Email(email) else { throw Registration.badEmail }
        let (checkedName, checkedHandle) = (try Registration.name(name), try Registration.handle(handle))
        let checkedRole = try Self.role(role) ?? .user
        return try Later.answer({ (entry: UserAdministration.Entry) in
            .object(.created) { AccountBody.write(entry, to: &$0) }
        }) { answer throws(APIError) in
            try users.create(
                address,
                name: checkedName,
                handle: checkedHandle,
                password: password,
                role: checkedRole,
                by: actor,
                from: Origin(request),
                then: answer
            )
        }
    }

    private func addOneUser(to router: inout Router) {
        router.onAuthenticated(.get, "/v1/admin/users/:id", by: admin) { [users] _, asked throws(APIError) in
            let entry = try users.load(try asked.parameters.identifier("id"))
            return HTTPResponse.object { AccountBody.write(entry, to: &$0) }.notStored
        }
        router.onAuthenticated(.patch, "/v1/admin/users/:id", by: admin, body: Self.body) {
            [users] request, asked throws(APIError) in
            let entry = try users.change(
                try asked.parameters.identifier("id"),
                try Self.wish(try request.members()),
                by: asked.principal,
                from: Origin(request)
            )
            return HTTPResponse.object { AccountBody.write(entry, to: &$0) }.notStored
        }
        router.onAuthenticated(.delete, "/v1/admin/users/:id", by: admin) {
            [users] request, asked throws(APIError) in
            let purgeAfter = try users.delete(
                try asked.parameters.identifier("id"),
                by: asked.principal,
                from: Origin(request)
            )
            return HTTPResponse.object(.accepted) { $0.member("purge_after", purgeAfter.nanoseconds) }.notStored
        }
        router.onAuthenticated(.post, "/v1/admin/users/:id/password-reset", by: admin) {
            [users] request, asked throws(APIError) in
            try users.resetPassword(
                try asked.parameters.identifier("id"),
                by: asked.principal,
                from: Origin(request)
            )
            return HTTPResponse.object(.accepted) { $0.member("status", "mailed") }.notStored
        }
        router.onAuthenticated(.delete, "/v1/admin/users/:id/totp", by: admin) {
            [users] request, asked throws(APIError) in
            try users.endSecondFactor(
                try asked.parameters.identifier("id"),
                by: asked.principal,
                from: Origin(request)
            )
            return .empty(.noContent)
        }
    }

    /// An integer as JSON Schema has it, which may be written 1e9 as well.
    private static func bytes(ofQuotaIn body: JSONReader) throws(JSONError) -> Int64? {
        if case .double(let number)? = try body.optional("quota_bytes")?.value, let whole = Int64(exactly: number),
            whole >= 0
        {
            return whole
        }
        return try body.optionalInteger("quota_bytes", in: 0...Int64.max)
    }

    private static func wish(_ body: JSONReader) throws(APIError) -> UserAdministration.Wish {
        let (name, handle, role, isLocked, quota) = try reading { () throws(JSONError) in
            (
                try body.optionalString("name"), try body.optionalString("handle"), try body.optionalString("role"),
                try body.optionalBool("is_locked"), try Self.bytes(ofQuotaIn: body)
            )
        }
        var wish = UserAdministration.Wish()
        wish.name = try name.map { text throws(APIError) in try Registration.name(text) }
        wish.handle = try Registration.handle(handle)
        wish.role = try Self.role(role)
        wish.isLocked = isLocked
        // Null is a wish too: that there be none.
        if case .object(let object) = body.value, object["quota_bytes"] != nil { wish.quotaBytes = .some(quota) }
        return wish
    }

    private static func role(_ text: String?) throws(APIError) -> Account.Role? {
        guard let text else { return nil }
        guard let role = Account.Role(rawValue: text) else { throw .invalid("a role is user or admin") }
        return role
    }

    // MARK: Sessions

    private func addSessions(to router: inout Router) {
        router.onAuthenticated(.get, "/v1/admin/sessions", by: admin) { [users] request, _ throws(APIError) in
            guard let id = try request.query.only("user").flatMap({ UserID($0) }) else {
                throw .malformed("say whose sessions: user=ID")
            }
            let sessions = try users.sessions(of: id)
            return HTTPResponse.object { json in
                json.key("sessions")
                json.beginArray()
                for session in sessions { session.encode(to: &json, current: nil) }
                json.endArray()
            }.notStored
        }
        router.onAuthenticated(.delete, "/v1/admin/sessions/:id", by: admin) {
            [users] request, asked throws(APIError) in
            try users.endSession(
                try asked.parameters.identifier("id"),
                by: asked.principal,
                from: Origin(request)
            )
            return .empty(.noContent)
        }
        router.onAuthenticated(.delete, "/v1/admin/users/:id/sessions", by: admin) {
            [users] request, asked throws(APIError) in
            try users.endSessions(
                of: try asked.parameters.identifier("id"),
                by: asked.principal,
                from: Origin(request)
            )
            return .empty(.noContent)
        }
    }

    // MARK: Regions

    private func addRegions(to router: inout Router) {
        router.onAuthenticated(.get, "/v1/admin/regions", by: admin) { [regions] _, _ throws(APIError) in
            let entries = try regions.list()
            return HTTPResponse.object { json in
                json.key("regions")
                json.beginArray()
                for entry in entries { json.object { Self.write(entry, to: &$0) } }
                json.endArray()
            }.notStored
        }
        router.onAuthenticated(.post, "/v1/admin/regions", by: admin, body: Self.body) {
            [regions] request, asked throws(APIError) in
            let body = try request.members()
            let (code, name, url) = try reading { () throws(JSONError) in
                (try body.string("code"), try body.optionalString("name"), try body.string("files_url"))
            }
            let region = try regions.create(
                code: code,
                name: name,
                filesURL: url,
                by: asked.principal,
                from: Origin(request)
            )
            return HTTPResponse.json(region, status: .created).notStored
        }
        router.onAuthenticated(.patch, "/v1/admin/regions/:code", by: admin, body: Self.body) {
            [regions] request, asked throws(APIError) in
            let body = try request.members()
            let wish = try reading { () throws(JSONError) in
                RegionAdministration.Wish(
                    name: try body.optionalString("name"),
                    filesURL: try body.optionalString("files_url"),
                    status: try body.optionalString("status")
                )
            }
            let code = try asked.parameters.text("code")
            let region = try regions.change(code, wish, by: asked.principal, from: Origin(request))
            return HTTPResponse.json(region).notStored
        }
        router.onAuthenticated(.delete, "/v1/admin/regions/:code", by: admin) {
            [regions] request, asked throws(APIError) in
            try regions.delete(try asked.parameters.text("code"), by: asked.principal, from: Origin(request))
            return .empty(.noContent)
        }
        router.onAuthenticated(.post, "/v1/admin/regions/:code/enrolment", by: admin, body: Self.body) {
            [enrolment] request, asked throws(APIError) in
            let body = try request.members()
            let ticket = try enrolment.invite(
                code: try asked.parameters.text("code"),
                name: try reading { () throws(JSONError) in try body.optionalString("name") },
                by: asked.principal,
                from: Origin(request)
            )
            return HTTPResponse.object(.created) { json in
                json.member("token", ticket.secret)
                json.member("expires", ticket.expires.nanoseconds)
            }.notStored
        }
    }

    private static func write(_ entry: RegionAdministration.Entry, to json: inout JSONWriter) {
        let region = entry.region.region
        json.member("code", region.code)
        json.member("name", region.name)
        json.member("files_url", region.filesURL)
        json.member("status", region.status)
        json.member("is_up", ifPresent: region.isUp)
        json.member("checked", ifPresent: region.checked?.nanoseconds)
        json.member("origin", entry.region.origin)
        json.member("user_count", entry.userCount)
        json.member("is_enrolled", entry.region.isEnrolled)
    }

    // MARK: The rest

    private func addOthers(to router: inout Router) {
        router.onAuthenticated(.get, "/v1/admin/audit", by: admin) { [store] request, _ throws(APIError) in
            let query = try Self.auditQuery(request)
            let entries = try store.read { db in try query.run(db) }
            return HTTPResponse.object { json in
                json.key("entries")
                json.beginArray()
                for entry in entries { entry.encode(to: &json) }
                json.endArray()
                if entries.count == query.limit { json.member("next", ifPresent: entries.last?.number) }
            }.notStored
        }
        router.onAuthenticated(.post, "/v1/admin/tokens/inspect", by: admin, body: Self.body) {
            [inspection, store] request, asked throws(APIError) in
            let body = try request.members()
            let token = try reading { () throws(JSONError) in try body.string("token") }
            let finding = try inspection.inspect(token)
            try store.write(.normal) { db in
                try AuditTable.add(
                    .inspect,
                    .done,
                    account: finding.user,
                    session: finding.session,
                    actor: asked.principal.account.id,
                    from: Origin(request),
                    at: inspection.time.wall,
                    db
                )
            }
            var json = JSONWriter()
            finding.encode(to: &json)
            return HTTPResponse.json(bytes: json.bytes).notStored
        }
        router.onAuthenticated(.post, "/v1/admin/restored", by: admin) {
            [restoration] request, asked throws(APIError) in
            let epoch = try restoration.run(by: asked.principal.account.id, from: Origin(request))
            return HTTPResponse.object { $0.member("epoch", "\(epoch)") }.notStored
        }
    }

    private static func auditQuery(_ request: HTTPRequest) throws(APIError) -> AuditQuery {
        var query = AuditQuery()
        if let text = try request.query.only("user") {
            guard let id = UserID(text) else { throw .malformed("user is no id") }
            query.account = id
        }
        query.action = try request.query.only("action")
        query.outcome = try request.query.only("outcome")
        query.since = try request.query.integer("since", in: 0...Int64.max).map { Timestamp(nanoseconds: $0) }
        query.until = try request.query.integer("until", in: 0...Int64.max).map { Timestamp(nanoseconds: $0) }
        query.before = try request.query.integer("after", in: 0...Int64.max)
        query.limit = try limit(request)
        return query
    }

    private static func limit(_ request: HTTPRequest) throws(APIError) -> Int {
        Int(try request.query.integer("limit", in: 1...Int64(Limits.Users.adminPageMax)) ?? 100)
    }
}
