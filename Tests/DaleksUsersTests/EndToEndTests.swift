import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksUsers

/// What docs/wire.md promises, over a real socket.
struct EndToEndTests {
    @Test func `somebody registers, logs in and refreshes, with the password hashed as it should be`() throws {
        let service = try TestService { $0.passwordParameters = .standard }

        let ann = try service.users.register(
            RegistrationRequest(email: " Ann@Example.COM", password: TestService.password, name: "Ann Ähre")
        )
        let session = try service.logIn("ANN@example.com ")

        #expect(ann.email == "ann@example.com" && ann.name == "Ann Ähre")
        #expect(session.user == ann)
        #expect(session.region == TestService.here)
        #expect(session.expiresInSeconds == 600)
        #expect(session.scope == "files:read files:write files:share offline_access")
        let first = try service.verify(session.accessToken)
        #expect(try service.me(session) == ann)

        let refreshed = try service.users.refresh(
            try required(session.refreshToken),
            requestID: "0123456789abcdef",
            resource: nil
        )

        #expect(refreshed.refreshToken != session.refreshToken && refreshed.user == nil)
        #expect(refreshed.region == TestService.here)
        let second = try service.verify(refreshed.accessToken)
        #expect(second.subject == first.subject && second.tokenID != first.tokenID)
        #expect(try second.reader.string("sid") == first.reader.string("sid"))
    }

    @Test func `an access token says what RFC 9068 asks for`() throws {
        let service = try TestService()
        let session = try service.newcomer()

        let claims = try service.verify(session.accessToken)

        #expect(claims.issuer == service.url && claims.audiences == [TestService.here.filesURL])
        #expect(claims.subject == "\(try required(session.user).id)")
        #expect(claims.expiresAt - claims.issuedAt == .seconds(600))
        #expect(try claims.reader.string("client_id") == "daleks")
        #expect(try claims.reader.string("scope") == session.scope)
        #expect(try required(claims.tokenID).utf8.count >= 20)
        let sid: SessionID = try claims.reader.identifier("sid")
        #expect(try claims.reader.string("sid") == "\(sid)")
        let header = try required(session.accessToken.split(separator: ".").first)
        let json = JSONReader(try JSONValue.parse(try required(Base64.decode(header))))
        #expect(try json.string("typ") == "at+jwt" && json.string("alg") == "ES256")
    }

    @Test func `regions are listed, chosen at log-in, and reached from any session`() throws {
        let service = try TestService()
        try service.register()

        #expect(try service.users.regions().map(\.code) == ["here", "there"])
        let session = try service.logIn(region: "there")
        #expect(session.region == TestService.there)
        _ = try service.verify(session.accessToken, audience: TestService.there.filesURL)
        // Where somebody began is where he comes back to.
        #expect(try service.logIn().region == TestService.there)
        #expect(try service.logIn(region: "here").region == TestService.here)

        let other = try service.users.refresh(
            try required(session.refreshToken),
            requestID: "0123456789abcdef",
            resource: TestService.here.filesURL + "/"
        )
        _ = try service.verify(other.accessToken, audience: TestService.here.filesURL)
        #expect(throws: JWTError.wrongAudience) {
            try service.verify(other.accessToken, audience: TestService.there.filesURL)
        }
    }

    @Test func `a region that does not exist is refused without costing the token`() throws {
        let service = try TestService()
        let session = try service.newcomer()
        let token = try required(session.refreshToken)

        let refused = try service.form(
            Routes.Users.token,
            [("grant_type", "refresh_token"), ("refresh_token", token), ("resource", "http://elsewhere.example")]
        )

        #expect(refused.status == .badRequest && refused.code == "invalid_target")
        #expect(throws: ClientFailure.self) { try service.logIn(region: "nowhere") }
        _ = try service.users.refresh(token, requestID: "0123456789abcdef", resource: nil)
    }

    @Test func `a token may ask for less than its session has and not for more`() throws {
        let service = try TestService()
        let token = try required(try service.newcomer().refreshToken)
        let asking = { (scope: String, token: String) in
            try service.form(
                Routes.Users.token,
                [("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope)]
            )
        }

        #expect(try asking("files:read admin", token).code == "invalid_scope")
        let less = try SessionAnswer(json: try JSONValue.parse(try asking("files:read", token).body))

        #expect(try service.verify(less.accessToken).reader.string("scope") == "files:read")
        let next = try service.users.refresh(
            try required(less.refreshToken),
            requestID: "0123456789abcdef",
            resource: nil
        )
        #expect(next.scope == Scopes.all.text)
    }

    @Test func `a taken e-mail is a conflict however it is spelt`() throws {
        let service = try TestService()
        try service.register("ann@example.com")

        let again = try service.send(
            .post,
            Routes.Users.users,
            #"{"email": "  ANN@EXAMPLE.com", "password": "another password", "name": "x"}"#
        )
        let racing = atOnce(16) { _ in try service.register("bob@example.com") }

        #expect(again.status == .conflict && again.code == "already_exists")
        #expect(racing.filter { (try? $0.get()) != nil }.count == 1)
    }

    @Test func `a revoked session refreshes no more and is nobody, whatever else is revoked is fine`() throws {
        let service = try TestService()
        let session = try service.newcomer()
        let token = try required(session.refreshToken)

        try service.users.revoke("nonsense")
        try service.users.revoke(token)
        try service.users.revoke(token)

        #expect(throws: ClientFailure.loggedOut("the session has ended")) {
            try service.users.refresh(token, requestID: "0123456789abcdef", resource: nil)
        }
        let refusal = #expect(throws: ClientFailure.self) { try service.me(session) }
        #expect(refusal?.code == "unauthorized")
    }

    @Test func `me wants a token of ours`() throws {
        let service = try TestService()
        let token = try Person(service).own
        let parts = token.split(separator: ".").map { String($0) }
        let stranger = try SigningKey.generate(.es256)
        let claims = try required(Base64.decode(parts[1]))
        let forged = JWT.sign(
            claims: try JSONObject(json: try JSONValue.parse(claims)),
            type: "at+jwt",
            key: stranger,
            kid: try service.keySet().keys[0].keyID
        )

        for bad in ["", "x", "a.b.c", parts[0] + "." + parts[1] + ".", parts.reversed().joined(separator: "."), forged]
        {
            let response = try service.send(.get, Routes.Users.me, fields: [("Authorization", "Bearer \(bad)")])
            #expect(response.status == .unauthorized && response.fields["WWW-Authenticate"] != nil)
        }
        #expect(try service.send(.get, Routes.Users.me).status == .unauthorized)
        #expect(
            try service.send(.get, Routes.Users.me, fields: [("Authorization", "Basic eDp5")]).code == "unauthorized"
        )
    }

    @Test func `a token that is over is told from one that is wrong`() throws {
        let clock = ManualClock()
        let service = try TestService(time: clock.source)
        let token = try Person(service).own

        clock.advance(by: .seconds(599))
        _ = try service.users.me(accessToken: token)
        clock.advance(by: .seconds(2))

        let refusal = #expect(throws: ClientFailure.self) { try service.users.me(accessToken: token) }
        #expect(refusal?.code == "token_expired")
    }

    @Test func `the key set and the metadata can be kept, and are asked for again by tag`() throws {
        let service = try TestService()

        let keys = try service.send(.get, Routes.Users.keys)
        let tag = try required(keys.fields["ETag"])
        let again = try service.send(.get, Routes.Users.keys, fields: [("If-None-Match", tag)])
        let metadata = JSONReader(try JSONValue.parse(try service.send(.get, Routes.Users.metadata).body))

        #expect(keys.fields["Cache-Control"] == "public, max-age=300")
        #expect(keys.fields["Content-Type"] == "application/jwk-set+json")
        #expect(again.status == .notModified && again.body.isEmpty)
        #expect(try metadata.string("issuer") == service.url)
        #expect(try metadata.string("token_endpoint") == service.url + "/oauth/token")
        #expect(try metadata.string("jwks_uri") == service.url + "/.well-known/jwks.json")
        #expect(try metadata.strings("grant_types_supported").contains("authorization_code"))
    }

    @Test func `answers with secrets are not kept by anybody on the way`() throws {
        let service = try TestService()
        try service.register()
        let login = try service.send(
            .post,
            Routes.Users.login,
            #"{"email": "ann@example.com", "password": "\#(TestService.password)", "device": "x"}"#
        )
        let session = try SessionAnswer(json: try JSONValue.parse(login.body))
        let refresh = try service.form(
            Routes.Users.token,
            [("grant_type", "refresh_token"), ("refresh_token", try required(session.refreshToken))]
        )
        let refused = try service.form(Routes.Users.token, [("grant_type", "refresh_token"), ("refresh_token", "x")])

        for response in [login, refresh, refused] { #expect(response.fields["Cache-Control"] == "no-store") }
    }

    @Test func `the Host field reaches no answer`() throws {
        let service = try TestService()

        let metadata = try service.send(
            .get,
            Routes.Users.metadata,
            fields: [("Host", "evil.example"), ("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Proto", "https")]
        )

        #expect(!String(decoding: metadata.body, as: UTF8.self).contains("evil"))
    }

    @Test func `it is alive, ready, and says how it is doing`() throws {
        let service = try TestService()
        _ = try service.newcomer()

        #expect(try service.send(.get, "/livez").status == .ok)
        #expect(try service.send(.get, "/readyz").status == .ok)
        #expect(try service.measure(#"daleks_users_logins_total{outcome="done"}"#) == 1)
        #expect(try service.measure(#"daleks_users_registrations_total{outcome="done"}"#) == 1)
        #expect(try service.measure("daleks_users_keys") == 1)
        let text = try service.send(.get, "/metrics").text
        for series in [
            #"refreshes_total{outcome="done"}"#, #"refreshes_total{outcome="reused"}"#,
            #"logins_total{outcome="refused"}"#, #"logins_total{outcome="blocked"}"#, "password_queue",
            "key_age_seconds", "oldest_key_age_seconds",
        ] { #expect(text.contains("\ndaleks_users_\(series) "), "\(series)") }
        for work in ["read", "write"] {
            #expect(try service.measure(#"daleks_users_database_seconds_count{work="\#(work)"}"#) >= 1)
        }
    }
}
