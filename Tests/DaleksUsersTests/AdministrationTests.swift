import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPClient
import DaleksHTTPServer
import DaleksJSON
import DaleksService
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksUsers

@Suite(.serialized)
struct AdministrationTests {
    @Test(arguments: Backend.allCases)
    func `the first administrator comes by a token that is good once`(backend: Backend) throws {
        let service = try TestService(on: backend)
        defer { service.stop() }
        let token = try required(service.service.firstAdminToken)
        @Sendable func make(_ email: String, _ token: String) throws -> String? {
            let body: JSONObject = [
                "token": .string(token), "email": .string(email), "password": .string(TestService.password),
                "name": "X",
            ]
            let answer = try service.json(.post, "/v1/admin/first", body)
            return answer.status == .created ? nil : answer.code
        }

        #expect(try make("eve@example.com", "dlf_" + String(repeating: "A", count: 43)) == "forbidden")
        let made = atOnce(4) { try make("root\($0)@example.com", token) }.filter { (try? $0.get()) == .some(nil) }
        #expect(made.count == 1)
        #expect(try make("eve@example.com", token) == "forbidden")
        #expect(!service.log.contains { $0.contains(token) })
    }

    @Test(arguments: Backend.allCases)
    func `administrators make, find, change, lock and delete accounts, and nobody else does`(backend: Backend) throws {
        let service = try TestService(on: backend)
        defer { service.stop() }
        let admin = try Person.admin(service)
        let ann = try Person(service)
        let body: JSONObject = ["email": "bob@example.com", "name": "Bob", "handle": "bob"]

        for (method, path, body) in [
            (HTTPMethod.get, "/v1/admin/users", nil), (.post, "/v1/admin/users", body), (.get, "/v1/admin/audit", nil),
            (.get, "/v1/admin/regions", nil), (.get, "/v1/admin/keys", nil), (.post, "/v1/admin/restored", nil),
            (.post, "/v1/admin/tokens/inspect", ["token": "x"]),
        ] as [(HTTPMethod, String, JSONObject?)] {
            #expect(try ann.ask(method, path, body).status == .forbidden, "\(method) \(path)")
        }

        let made = try admin.ask(.post, "/v1/admin/users", body)
        let id = try made.reader.string("id")
        let token = try service.token(in: try service.mails(atLeast: 1)[0])
        let set: JSONObject = ["token": .string(token), "password": .string(TestService.password)]
        #expect(made.status == .created)
        #expect(try service.json(.post, Routes.Users.resetPassword, set).status == .noContent)
        let bob = try Person(loggingIn: "bob@example.com", at: service)

        let found = try admin.ask(.get, "/v1/admin/users?query=BOB").reader.array("users")
        let page = try admin.ask(.get, "/v1/admin/users?limit=2").reader
        let rest = try admin.ask(.get, "/v1/admin/users?limit=2&after=\(try page.string("next"))").reader
        #expect(try found.map { try $0.string("id") } == [id])
        #expect(try found[0].integer("session_count") == 1)
        #expect(try page.array("users").count == 2 && rest.array("users").count == 1)

        let changed = try admin.ask(.patch, "/v1/admin/users/\(id)", ["quota_bytes": 1_000, "name": "Bobby"]).reader
        #expect(try changed.integer("quota_bytes") == 1_000 && changed.string("name") == "Bobby")
        // A region hears of it, since it has to see to it; other people do not.
        let region = try EnrolledRegion(service, admin, code: "de", url: "https://files.de.example")
        let ids: JSONObject = ["ids": .array([.string(id)])]
        let told = try region.send(.post, Routes.Users.names, ids).reader.array("users")
        #expect(try told.map { try $0.integer("quota_bytes") } == [1_000])
        #expect(try !ann.ask(.post, Routes.Users.names, ids).text.contains("quota"))
        // An integer to JSON Schema, and so to those who read our document.
        for (number, status) in [("2e3", 200), ("2000.0", 200), ("2000.5", 400), ("-1.0", 400), ("1e300", 400)] {
            let answer = try service.send(
                .patch,
                "/v1/admin/users/\(id)",
                "{\"quota_bytes\": \(number)}",
                fields: [("Authorization", "Bearer \(admin.own)")]
            )
            #expect(answer.status.code == status, "\(number)")
            if status == 200 { #expect(try answer.reader.integer("quota_bytes") == 2_000) }
        }
        let lifted = try admin.ask(.patch, "/v1/admin/users/\(id)", ["quota_bytes": nil]).reader
        #expect(try lifted.optionalInteger("quota_bytes") == nil)

        #expect(try admin.ask(.patch, "/v1/admin/users/\(id)", ["is_locked": true]).status == .ok)
        #expect(!bob.isIn)
        let locked = try service.json(
            .post,
            Routes.Users.login,
            ["email": "bob@example.com", "password": .string(TestService.password), "device": "x"]
        )
        #expect(locked.code == "locked")
        #expect(throws: (any Error).self) { try service.logIn("bob@example.com", password: "a wrong one, this") }
        #expect(try admin.ask(.patch, "/v1/admin/users/\(id)", ["is_locked": false]).status == .ok)
        #expect(throws: Never.self) { try service.logIn("bob@example.com") }

        #expect(try admin.ask(.delete, "/v1/admin/users/\(id)").status == .accepted)
        #expect(try admin.ask(.get, "/v1/admin/users/\(id)").status == .notFound)
    }

    @Test(arguments: Backend.allCases)
    func `the last administrator stays`(backend: Backend) throws {
        let service = try TestService(on: backend)
        defer { service.stop() }
        let admin = try Person.admin(service)
        let id = try required(admin.session.user).id

        #expect(try admin.ask(.patch, "/v1/admin/users/\(id)", ["role": "user"]).code == "conflict")
        #expect(try admin.ask(.patch, "/v1/admin/users/\(id)", ["is_locked": true]).code == "conflict")
        #expect(try admin.ask(.delete, "/v1/admin/users/\(id)").code == "conflict")
        #expect(try admin.ask(.delete, Routes.Users.me, ["password": .string(TestService.password)]).code == "conflict")
        #expect(admin.isIn)

        let ann = try Person(service)
        let annID = try required(ann.session.user).id
        #expect(try admin.ask(.patch, "/v1/admin/users/\(annID)", ["role": "admin"]).status == .ok)
        #expect(try ann.ask(.patch, "/v1/admin/users/\(id)", ["role": "user"]).status == .ok)
        #expect(try admin.ask(.get, "/v1/admin/users").status == .forbidden)
    }

    @Test func `the audit log says who did what to whom, and is searched`() throws {
        let service = try TestService()
        defer { service.stop() }
        let admin = try Person.admin(service)
        let (adminID, ann) = (try required(admin.session.user).id, try Person(service))
        let id = try required(ann.session.user).id
        _ = try? service.logIn(password: "a wrong one, this")
        _ = try admin.ask(.patch, "/v1/admin/users/\(id)", ["quota_bytes": 5])
        func entries(_ query: String) throws -> [JSONReader] {
            try admin.ask(.get, "/v1/admin/audit?\(query)").reader.array("entries")
        }

        let all = try entries("user=\(id)")
        let refused = try entries("action=login&outcome=refused")
        let quota = try entries("action=quota")

        #expect(try all.map { try $0.string("action") } == ["quota", "login", "login", "register"])
        #expect(
            try refused.count == 1 && refused[0].string("user") == "\(id)" && refused[0].string("client") == "127.0.0.1"
        )
        #expect(try quota[0].string("actor") == "\(adminID)" && quota[0].string("detail") == "5 bytes")
        #expect(try entries("user=\(id)&limit=2").count == 2)
        #expect(try entries("user=\(id)&since=\(Int64.max)").isEmpty)
        let next = try admin.ask(.get, "/v1/admin/audit?user=\(id)&limit=2").reader.integer("next")
        #expect(
            try entries("user=\(id)&limit=2&after=\(next)").map { try $0.string("action") } == ["login", "register"]
        )
    }

    @Test func `any token is explained`() throws {
        let service = try TestService()
        defer { service.stop() }
        let admin = try Person.admin(service)
        let ann = try Person(service)
        let id = try required(ann.session.user).id
        func inspect(_ token: String) throws -> JSONReader {
            try admin.ask(.post, "/v1/admin/tokens/inspect", ["token": .string(token)]).reader
        }

        let access = try inspect(ann.session.accessToken)
        let refresh = try inspect(try required(ann.session.refreshToken))
        let tampered = try inspect(ann.session.accessToken.dropLast(4) + "AAAA")

        #expect(
            try access.string("kind") == "access_token" && access.bool("is_valid") && access.string("user") == "\(id)"
        )
        #expect(try access.string("audience") == TestService.here.filesURL)
        #expect(try access.object("claims").string("client_id") == "daleks")
        #expect(try access.integer("expires") > service.time.wall.nanoseconds)
        #expect(try refresh.string("kind") == "refresh_token" && refresh.bool("is_valid"))
        #expect(try !tampered.bool("is_valid") && !tampered.string("reason").isEmpty)
        #expect(try inspect("nonsense").string("kind") == "unknown")
        #expect(try access.string("email") == "ann@example.com" && refresh.string("email") == "ann@example.com")

        let program = try Program(service)
        let identity = try inspect(try program.session([("scope", "openid files:read")]).string("id_token"))
        #expect(try identity.string("kind") == "id_token" && identity.bool("is_valid"))
        #expect(try identity.string("audience") == program.id && identity.string("email") == "ann@example.com")

        let robot = try Program(service, redirects: [], grants: [.clientCredentials], scope: "files:read")
        let own = try robot.send(Routes.Users.token, [("grant_type", "client_credentials")]).json.string("access_token")
        #expect(try inspect(own).bool("is_valid"))
        try service.service.clients.remove(robot.id, by: nil, from: try .test)
        #expect(try !inspect(own).bool("is_valid") && inspect(own).bool("is_revoked"))

        #expect(try admin.ask(.delete, "/v1/admin/users/\(id)/sessions").status == .noContent)
        let revoked = try inspect(ann.session.accessToken)
        #expect(try !revoked.bool("is_valid") && revoked.bool("is_revoked"))
        #expect(try inspect(try required(ann.session.refreshToken)).bool("is_revoked"))
    }
}
