import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksUsers

/// What is not a request of the wire is refused by its name, and never a failure of ours.
struct BadInputTests {
    private struct Case {
        let path: String
        let body: String
        var type = "application/json"
        let status: Int
        let code: String
    }

    private static let form = "application/x-www-form-urlencoded"

    private static var bodies: [Case] {
        let (users, login) = (Routes.Users.users, Routes.Users.login)
        let long = String(repeating: "x", count: 1_100)
        func user(_ email: String, _ password: String, _ name: String) -> String {
            #"{"email": \#(email), "password": \#(password), "name": \#(name)}"#
        }
        func entry(_ more: String) -> String { #"{"email": "a@b.c", "password": "a good password"\#(more)}"# }
        return [
            Case(path: users, body: "", status: 400, code: "malformed"),
            Case(path: users, body: "{", status: 400, code: "malformed"),
            Case(path: users, body: "[]", status: 400, code: "malformed"),
            Case(path: users, body: "null", status: 400, code: "malformed"),
            Case(path: users, body: #"{"email": "a@b.c"}"#, status: 400, code: "malformed"),
            Case(path: users, body: user("1", #""p""#, #""n""#), status: 400, code: "malformed"),
            Case(path: users, body: user(#""a@b.c""#, "[]", #""n""#), status: 400, code: "malformed"),
            Case(path: users, body: user(#""a@b.c""#, #""a good password""#, "null"), status: 400, code: "malformed"),
            Case(
                path: users,
                body: #"{"email":"a@b.c","email":"a@b.d","password":"a good password","name":"n"}"#,
                status: 400,
                code: "malformed"
            ),
            Case(path: users, body: user(#""nonsense""#, #""a good password""#, #""n""#), status: 422, code: "invalid"),
            Case(path: users, body: user(#""a@b.c""#, #""short""#, #""n""#), status: 422, code: "invalid"),
            Case(path: users, body: user(#""a@b.c""#, #""\#(long)""#, #""n""#), status: 422, code: "invalid"),
            Case(path: users, body: user(#""a@b.c""#, #""password123""#, #""n""#), status: 422, code: "invalid"),
            Case(path: users, body: user(#""a@b.c""#, #""a good password""#, #""""#), status: 422, code: "invalid"),
            Case(path: users, body: user(#""a@b.c""#, #""a good password""#, #""a\nb""#), status: 422, code: "invalid"),
            Case(
                path: users,
                body: user(#""a@b.c""#, #""a good password""#, #""\#(long)""#),
                status: 422,
                code: "invalid"
            ),
            Case(path: users, body: "{}", type: "text/plain", status: 415, code: "unsupported"),
            Case(path: users, body: "email=a@b.c", type: form, status: 415, code: "unsupported"),
            Case(path: users, body: String(repeating: " ", count: 20_000), status: 413, code: "too_large"),
            Case(path: login, body: entry(""), status: 400, code: "malformed"),
            Case(path: login, body: entry(#", "device": 7"#), status: 400, code: "malformed"),
            Case(path: login, body: entry(#", "device": "x", "region": {}"#), status: 400, code: "malformed"),
            Case(path: login, body: entry(#", "device": """#), status: 422, code: "invalid"),
            Case(path: login, body: entry(#", "device": "\u0007""#), status: 422, code: "invalid"),
            Case(path: login, body: entry(#", "device": "x", "region": "nowhere""#), status: 422, code: "invalid"),
            Case(path: login, body: entry(#", "device": "x""#), status: 401, code: "invalid_credentials"),
            Case(
                path: login,
                body: #"{"email": "a@b.c", "password": "\#(long)", "device": "x"}"#,
                status: 422,
                code: "invalid"
            ),
            Case(path: login, body: String(repeating: "[", count: 10_000), status: 400, code: "malformed"),
            Case(path: login, body: String(repeating: "x", count: 1 << 20), status: 413, code: "too_large"),
        ]
    }

    private static var forms: [Case] {
        let token = Routes.Users.token
        func bad(_ body: String, _ code: String = "invalid_request", type: String = form, path: String = token) -> Case
        {
            Case(path: path, body: body, type: type, status: code == "invalid_client" ? 401 : 400, code: code)
        }
        let id16 = "0123456789abcdef"
        return [
            bad(""), bad("grant_type="), bad("grant_type=refresh_token"),
            bad("grant_type=refresh_token&refresh_token="),
            bad("refresh_token=x"),
            bad("grant_type=refresh_token&refresh_token=x&refresh_token=y"),
            bad("grant_type=refresh_token&grant_type=refresh_token&refresh_token=x"),
            bad("grant_type=refresh_token&refresh_token=x&resource=a&resource=b"),
            bad("grant_type=refresh_token&refresh_token=x&other=1&other=2"),
            bad("grant_type=refresh_token&refresh_token=%zz"), bad("grant_type=refresh_token&refresh_token=%ff"),
            bad("grant_type=refresh_token&refresh_token=x&request_id=short"),
            bad("grant_type=refresh_token&refresh_token=x&request_id=" + String(repeating: "x", count: 129)),
            bad("grant_type=refresh_token&refresh_token=x&client_id=other", "invalid_client"),
            bad("grant_type=password&username=a&password=b", "unsupported_grant_type"),
            bad("grant_type=client_credentials", "invalid_client"),
            bad("grant_type=client_credentials&client_id=daleks", "unauthorized_client"),
            bad("grant_type=authorization_code&client_id=daleks&code=x&code_verifier=y", "invalid_grant"),
            bad("grant_type=authorization_code&client_id=daleks&code=x"),
            bad("grant_type=authorization_code&code=x&code_verifier=y", "invalid_client"),
            bad("token=x", "invalid_client", path: Routes.Users.introspect),
            bad("token=x&client_id=daleks", "invalid_client", path: Routes.Users.introspect),
            bad("", "invalid_client", path: Routes.Users.deviceAuthorization),
            bad("client_id=daleks&scope=admin", "invalid_scope", path: Routes.Users.deviceAuthorization),
            bad("grant_type=refresh_token&refresh_token=x", "invalid_grant"),
            bad("grant_type=refresh_token&refresh_token=x&request_id=\(id16)", "invalid_grant"),
            bad("grant_type=refresh_token&refresh_token=dlr_" + String(repeating: "A", count: 86), "invalid_grant"),
            bad(
                "grant_type=refresh_token&refresh_token=dlr_" + String(repeating: "%C3%A9", count: 43),
                "invalid_grant"
            ),
            bad(#"{"grant_type": "refresh_token"}"#, type: "application/json"),
            bad((0..<2_000).map { "p\($0)=1" }.joined(separator: "&")),
            Case(path: token, body: String(repeating: "x", count: 20_000), type: form, status: 413, code: "too_large"),
            bad("", path: Routes.Users.revoke), bad("token=x&token=y", path: Routes.Users.revoke),
            bad("token=x", type: "text/plain", path: Routes.Users.revoke),
        ]
    }

    @Test func `bodies and forms that are none of the wire's are refused by name`() throws {
        let service = try TestService { $0.attemptRule.freeCount = 1_000 }

        for item in Self.bodies + Self.forms {
            let response = try service.send(.post, item.path, item.body, type: item.type)
            let shown = item.body.prefix(100)
            #expect(response.status.code == item.status, "\(item.path) \(shown)")
            #expect(response.code == item.code, "\(item.path) \(shown)")
            let isOAuth = item.path.hasPrefix("/oauth") && item.status != 413
            let type = isOAuth ? "application/json" : "application/problem+json"
            #expect(response.fields["Content-Type"] == type, "\(item.path) \(shown)")
        }

        #expect(!service.log.contains { $0.contains("\"error\"") })
        #expect(try service.measure("daleks_users_registrations_total{outcome=\"done\"}") == 0)
    }

    @Test func `other methods and paths are refused too`() throws {
        let service = try TestService()

        #expect(try service.send(.get, Routes.Users.users).status.code == 405)
        #expect(try service.send(.get, Routes.Users.token).status.code == 405)
        #expect(try service.send(.delete, Routes.Users.keys).status.code == 405)
        #expect(try service.send(.get, "/v1/nothing").status.code == 404)
        #expect(try service.send(.post, Routes.Users.login).code == "malformed")
    }

    @Test func `random bytes are never a failure of ours`() throws {
        let service = try TestService()
        var generator = SeededGenerator(for: "random bodies")
        let pieces = [
            "{", "}", "[", "]", "\"email\"", "\"password\"", ":", ",", "\"a@b.c\"", "\"", "\\u0000", "1e999", "null",
            "&",
            "=", "%", "%00", "grant_type=refresh_token", "refresh_token=dlr_", "token", "\u{fffd}", "\u{7}", "é",
        ]
        let paths = [Routes.Users.users, Routes.Users.login, Routes.Users.token, Routes.Users.revoke]

        for _ in 0..<500 {
            let count = Int.random(in: 0...12, using: &generator)
            let body = (0..<count).map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
            let path = paths.randomElement(using: &generator) ?? ""
            let type = generator.oneIn(2) ? Self.form : "application/json"
            let status = try service.send(.post, path, body, type: type).status.code
            #expect((400..<500).contains(status) || path == Routes.Users.revoke && status == 200, "\(path) \(body)")
        }
    }
}
