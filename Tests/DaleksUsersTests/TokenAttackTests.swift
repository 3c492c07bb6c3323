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

/// What attackers send in place of an access token opens nothing here.
struct TokenAttackTests {
    @Test func `a hundred forged tokens are nobody's, and introspection knows none of them`() throws {
        let service = try TestService()
        let program = try Program(service)
        let session = try service.newcomer()
        let own = try Person.ownToken(session, at: service)
        let payload = try required(Base64.decode(own.split(separator: ".")[1]))
        let claims = try JSONObject(json: try JSONValue.parse(payload))
        let (signing, stranger) = (service.service.keys.signing, try SigningKey.generate(.es256))
        let forge = TokenForge(
            keyID: signing.id,
            claims: claims.members.map { ($0.key, $0.value.text) },
            publicKey: String(decoding: signing.key.publicKey.jwk.jsonBytes, as: UTF8.self),
            sign: { signing.key.sign($0) },
            signAsStranger: { stranger.sign($0) },
            authenticate: { HMAC.sha256(key: $0, $1) }
        )

        #expect(try service.users.me(accessToken: forge.sound) == session.user)
        #expect(try program.isActive(forge.sound))
        #expect(forge.attacks.count >= 100)
        for attack in forge.attacks {
            let answer = try service.send(.get, Routes.Users.me, fields: [("Authorization", "Bearer \(attack.token)")])
            #expect(answer.status == .unauthorized, "\(attack)")
            #expect(answer.fields["WWW-Authenticate"] != nil, "\(attack)")
            guard !attack.token.isEmpty else { continue }
            #expect(try !program.isActive(attack.token), "\(attack)")
        }
    }

    @Test func `an ID token opens nothing`() throws {
        let service = try TestService()
        try service.register()
        let program = try Program(service)
        let token = try program.session([("scope", "openid files:read")]).string("id_token")

        let answer = try service.send(.get, Routes.Users.userInfo, fields: [("Authorization", "Bearer \(token)")])

        #expect(answer.status == .unauthorized)
        #expect(try !program.isActive(token))
    }

    @Test func `a key that was taken back opens nothing any more, and another signs at once`() throws {
        let service = try TestService()
        let session = try service.newcomer()
        let own = try Person.ownToken(session, at: service)
        #expect(try service.users.me(accessToken: own) == session.user)
        let old = service.service.keys.signing.id

        #expect(try service.service.keys.revoke(old, by: nil, from: try .test))

        #expect(throws: ClientFailure.self) { try service.users.me(accessToken: own) }
        #expect(service.service.keys.signing.id != old)
        #expect(try service.keySet()[old] == nil)
        let next = try service.users.refresh(
            try required(session.refreshToken),
            requestID: "0123456789abcdef",
            resource: service.service.issuer
        )
        #expect(try service.users.me(accessToken: next.accessToken) == session.user)
        #expect(try !service.service.keys.revoke(old, by: nil, from: try .test))
    }

    @Test func `an ordered key is announced first, and signs when everybody can know it`() throws {
        let clock = ManualClock()
        let service = try TestService(time: clock.source)
        let keys = service.service.keys
        let old = keys.signing.id
        clock.advance(by: .seconds(1))

        try keys.rotate(by: nil, from: try .test)
        #expect(keys.signing.id == old && keys.records.count == 2)
        clock.advance(by: .seconds(3_599))
        _ = try keys.turn()
        #expect(keys.signing.id == old)
        clock.advance(by: .seconds(1))
        _ = try keys.turn()
        let new = keys.signing.id
        #expect(new != old)
        // One order, one key.
        clock.advance(by: .seconds(7_200))
        _ = try keys.turn()
        #expect(keys.signing.id == new)
    }
}
