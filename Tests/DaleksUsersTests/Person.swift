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

@testable import DaleksUsers

/// Somebody with a session, who asks the service things.
struct Person: Sendable {
    let service: TestService
    let email: String
    let session: SessionAnswer
    /// Of the same session, for this service itself: what our programs ask for to manage the account.
    let own: String

    /// Registers (where registration is open) and logs in.
    init(_ service: TestService, _ email: String = "ann@example.com") throws {
        try service.register(email)
        try self.init(loggingIn: email, at: service)
    }

    init(
        loggingIn email: String,
        password: String = TestService.password,
        code: String? = nil,
        at service: TestService
    ) throws {
        self.service = service
        self.email = email
        session = try service.users.logIn(
            LoginRequest(email: email, password: password, region: nil, device: "a laptop", code: code)
        )
        own = try Self.ownToken(session, at: service)
    }

    /// What a session's token for a region would be for the service itself. A refresh gives the same, and would use
    /// the refresh token up.
    static func ownToken(_ session: SessionAnswer, at service: TestService) throws -> String {
        let parts = session.accessToken.split(separator: ".")
        guard parts.count == 3, let payload = Base64.decode(parts[1], .url),
            case .object(var claims) = try JSONValue.parse(payload)
        else { throw TestFailure("this is no token") }
        claims["aud"] = .string(service.service.issuer)
        let signing = service.service.keys.signing
        return JWT.sign(claims: claims, type: TokenIssuer.tokenType, key: signing.key, kid: signing.id)
    }

    /// The first administrator, by the token that the start told.
    static func admin(_ service: TestService, _ email: String = "root@example.com") throws -> Person {
        let body = JSONObject([
            ("token", .string(try required(service.service.firstAdminToken, "token"))), ("email", .string(email)),
            ("password", .string(TestService.password)), ("name", .string("Root")),
        ])
        let answer = try service.send(.post, "/v1/admin/first", String(decoding: body.jsonBytes, as: UTF8.self))
        guard answer.status == .created else { throw TestFailure("no administrator: \(answer.text)") }
        return try Person(loggingIn: email, at: service)
    }

    func ask(_ method: HTTPMethod, _ path: String, _ body: JSONObject? = nil) throws -> ClientResponse {
        try service.send(
            method,
            path,
            body.map { String(decoding: $0.jsonBytes, as: UTF8.self) },
            fields: [("Authorization", "Bearer \(own)")]
        )
    }

    /// Whether the session goes on.
    var isIn: Bool { (try? ask(.get, Routes.Users.me).status) == .ok }

    /// Turns the second factor on; its secret and the recovery codes.
    func turnOnSecondFactor() throws -> (secret: [UInt8], codes: [String]) {
        let proposed = try ask(.post, "/v1/me/totp", ["password": .string(TestService.password)]).reader
        let secret = try required(Self.decoded(base32: try proposed.string("secret")), "secret")
        let code = OneTimePassword.code(secret, step: OneTimePassword.step(at: service.time.wall))
        let confirmed = try ask(.post, "/v1/me/totp/confirm", ["code": .string(code)])
        guard confirmed.status == .ok else { throw TestFailure("not confirmed: \(confirmed.text)") }
        return (secret, try confirmed.reader.strings("recovery_codes"))
    }

    static func decoded(base32 text: String) -> [UInt8]? {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
        var (bytes, buffer, bitCount) = ([UInt8](), 0, 0)
        for character in text {
            guard let value = alphabet.firstIndex(of: character) else { return nil }
            buffer = (buffer << 5 | value) & 0xfff
            bitCount += 5
            if bitCount >= 8 {
                bitCount -= 8
                bytes.append(UInt8(truncatingIfNeeded: buffer >> bitCount))
            }
        }
        return bytes
    }
}

extension ClientResponse {
    var text: String { String(decoding: body, as: UTF8.self) }
    var reader: JSONReader { get throws { JSONReader(try JSONValue.parse(body)) } }
}

extension TestService {
    /// The mails that went out, oldest first; waits until there are so many.
    func mails(atLeast count: Int, within seconds: Int = 10) throws -> [String] {
        let path = folder.path("state") + "/mail"
        for _ in 0..<(seconds * 50) {
            let names = ((try? Files.entries(of: path)) ?? []).filter { $0.hasSuffix(".eml") }.sorted()
            if names.count >= count {
                return try names.map {
                    String(decoding: try Files.readAll("\(path)/\($0)", max: 1 << 20), as: UTF8.self)
                }
            }
            usleep(20_000)
        }
        throw TestFailure("there are not \(count) mails in \(path)")
    }

    /// The mail that this is true of; waits for it. Others may come before or after it.
    func mail(where isIt: (String) -> Bool) throws -> String {
        for count in 0..<500 {
            if let mail = try mails(atLeast: 0).first(where: isIt) { return mail }
            usleep(count < 50 ? 5_000 : 20_000)
        }
        throw TestFailure("the mail did not come")
    }

    /// The token of the link in a mail.
    func token(in mail: String) throws -> String {
        let start = try required(mail.range(of: "token="), "link")
        return String(mail[start.upperBound...].prefix { !$0.isWhitespace })
    }

    func json(_ method: HTTPMethod, _ path: String, _ body: JSONObject) throws -> ClientResponse {
        try send(method, path, String(decoding: body.jsonBytes, as: UTF8.self))
    }
}

extension StringProtocol {
    /// Foundation's, which is not used here.
    func range(of text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) {
                return start..<index(start, offsetBy: text.count)
            }
            start = index(after: start)
        }
        return nil
    }
}
