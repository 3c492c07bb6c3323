import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksUsers

/// Keys come and go, and no token that is still good ever fails because of it.
struct KeyTests {
    private struct Ring {
        let ring: KeyRing
        let store: UsersStore

        init(_ folder: ScratchFolder, _ schedule: KeySchedule, _ clock: ManualClock) throws {
            store = try UsersStore(path: folder.path("users.db"), logger: .silent)
            ring = try KeyRing(
                store: store,
                folder: try KeyFolder(folder.path("keys")),
                schedule: schedule,
                time: clock.source,
                logger: .silent
            )
        }

        var keySet: JWKSet { get throws { try JWKSet(json: try JSONValue.parse(ring.published.body)) } }
    }

    /// Periods that leave no slack: each step of the schedule has to be right.
    private var schedule: KeySchedule {
        var schedule = KeySchedule()
        schedule.period = .seconds(100)
        schedule.announce = .seconds(30)
        schedule.retire = .seconds(20)
        return schedule
    }

    /// DALEKS_ROTATIONS=40 and more in the long form.
    private static let rotationCount = Environment.current["DALEKS_ROTATIONS"].flatMap { Int($0) } ?? 8

    @Test func `no key is called what an option is`() throws {
        // One in 64 would be, and `daleks admin keys revoke` would not take it.
        for _ in 0..<400 { #expect(try !KeyRing.draw(.es256).publicKey.jwk.keyID.hasPrefix("-")) }
    }

    @Test func `through rotation after rotation every token checks, with the set of now and with a kept one`() throws {
        let folder = ScratchFolder()
        let clock = ManualClock()
        var generator = SeededGenerator(for: "rotations")
        var ring = try Ring(folder, schedule, clock)
        var tokens: [(signature: [UInt8], id: String, until: Timestamp)] = []
        var kept = (set: try ring.keySet, until: clock.source.wall)
        var signers: Set<String> = []
        let message = Array("what a token says".utf8)

        while signers.count < Self.rotationCount {
            let now = clock.source.wall
            // As long as the router's max-age for this announcement.
            if now >= kept.until { kept = (try ring.keySet, now + .seconds(15)) }
            let signing = ring.ring.signing
            signers.insert(signing.id)
            tokens.append((signing.key.sign(message), signing.id, now + .seconds(19)))
            tokens.removeAll { $0.until <= now }
            let present = try ring.keySet
            for token in tokens {
                let key = try VerificationKey(jwk: try required(present[token.id], "key of a token"))
                #expect(key.verify(token.signature, of: message))
            }
            // Who keeps a set has the key that signs now.
            #expect(kept.set[signing.id] != nil)
            #expect(present.keys.count <= 3 && present.keys[0].keyID == signing.id)

            clock.advance(by: .seconds(Int.random(in: 1...5, using: &generator)))
            if generator.oneIn(50) {
                ring.store.close()
                ring = try Ring(folder, schedule, clock)
            }
            _ = try ring.ring.turn()
        }
        ring.store.close()
    }

    @Test func `after a long time off the old key signs until the new one has been seen`() throws {
        let folder = ScratchFolder()
        let clock = ManualClock()
        let before = try Ring(folder, schedule, clock)
        let old = before.ring.signing.id
        before.store.close()
        clock.advance(by: .seconds(100_000))

        let after = try Ring(folder, schedule, clock)

        #expect(after.ring.signing.id == old)
        #expect(try after.keySet.keys.count == 2)
        clock.advance(by: .seconds(29))
        _ = try after.ring.turn()
        #expect(after.ring.signing.id == old)
        clock.advance(by: .seconds(1))
        #expect(try after.ring.turn() == clock.source.wall + .seconds(20))
        #expect(after.ring.signing.id != old)
        #expect(try after.keySet[old] != nil)
        clock.advance(by: .seconds(20))
        _ = try after.ring.turn()
        #expect(try after.keySet[old] == nil)
        after.store.close()
    }

    @Test func `private keys are files for the owner alone and go with their records`() throws {
        let folder = ScratchFolder()
        let clock = ManualClock()
        let ring = try Ring(folder, schedule, clock)
        for _ in 0..<60 {
            clock.advance(by: .seconds(10))
            _ = try ring.ring.turn()
        }

        let names = try Files.entries(of: folder.path("keys"))
        #expect(Set(names) == Set(ring.ring.records.map { "\($0.id).pem" }))
        for name in names {
            var status = stat()
            #expect(stat(folder.path("keys/\(name)"), &status) == 0 && status.st_mode & 0o777 == 0o600)
            let text = String(decoding: try folder.read("keys/\(name)"), as: UTF8.self)
            #expect(text.hasPrefix("-----BEGIN PRIVATE KEY-----"))
            #expect(try SigningKey(pkcs8PEM: text).publicKey.jwk.keyID == String(name.dropLast(4)))
        }
        ring.store.close()
    }

    @Test func `a private key that is gone or damaged signs no more, and what it signed still checks`() throws {
        let folder = ScratchFolder()
        let clock = ManualClock()
        for damage in [nil, "no key at all"] {
            let before = try Ring(folder, schedule, clock)
            let old = before.ring.signing
            let signature = old.key.sign([1, 2, 3])
            before.store.close()
            #expect(unlink(folder.path("keys/\(old.id).pem")) == 0)
            if let damage { try folder.write(damage, to: "keys/\(old.id).pem") }
            try folder.write("left behind", to: "keys/stray.pem")

            let after = try Ring(folder, schedule, clock)

            #expect(after.ring.signing.id != old.id)
            let key = try VerificationKey(jwk: try required(try after.keySet[old.id]))
            #expect(key.verify(signature, of: [1, 2, 3]))
            #expect(try !Files.entries(of: folder.path("keys")).contains("stray.pem"))
            after.store.close()
        }
    }

    @Test func `keys of a program that wants RS256 come and go as the others do, and only where one wants them`() throws
    {
        let folder = ScratchFolder()
        let clock = ManualClock()
        let ring = try Ring(folder, schedule, clock)
        defer { ring.store.close() }
        #expect(throws: APIError.self) { try ring.ring.signing(.rs256) }
        #expect(try ring.keySet.keys.map(\.algorithm) == [.es256])
        _ = try Clients(store: ring.store, time: clock.source).register(
            Clients.Registration(
                name: "x",
                isPublic: false,
                redirects: [Program.redirect],
                grants: [.authorizationCode],
                scope: "openid",
                idTokenAlgorithm: .rs256
            ),
            by: nil,
            from: try .test
        )

        let first = try ring.ring.signing(.rs256)
        #expect(try ring.keySet.keys.map(\.algorithm) == [.es256, .rs256])
        #expect(first.key.algorithm == .rs256 && ring.ring.signing.key.algorithm == .es256)
        clock.advance(by: .seconds(70))
        _ = try ring.ring.turn()
        let announced = try ring.keySet.keys.filter { $0.algorithm == .rs256 }.map(\.keyID)
        #expect(announced.count == 2 && announced[0] == first.id)
        #expect(try ring.ring.signing(.rs256).id == first.id)
        clock.advance(by: .seconds(30))
        _ = try ring.ring.turn()
        let second = try ring.ring.signing(.rs256)
        #expect(second.id == announced[1])
        #expect(try ring.keySet[first.id] != nil)
        clock.advance(by: .seconds(20))
        _ = try ring.ring.turn()
        #expect(try ring.keySet[first.id] == nil)

        // Taken back: another signs at once, and the other algorithm's goes on.
        let other = ring.ring.signing.id
        #expect(try ring.ring.revoke(second.id, by: nil, from: try .test))
        #expect(try ring.ring.signing(.rs256).id != second.id && ring.ring.signing.id == other)
        #expect(try ring.keySet[second.id] == nil)
    }

    @Test func `with periods of a second tokens check all the time, over the wire`() throws {
        let service = try TestService { settings in
            settings.keySchedule.period = .seconds(1)
            settings.keySchedule.announce = .milliseconds(500)
            settings.keySchedule.retire = .seconds(3)
            settings.accessLifetime = .seconds(2)
        }
        let first = try service.newcomer()
        var refreshToken = try required(first.refreshToken)
        var tokens = [first.accessToken]
        var names: Set<String> = []
        let end = TimeSource.system.now + .milliseconds(3_500)

        while TimeSource.system.now < end {
            let answer = try service.users.refresh(
                refreshToken,
                requestID: Hex.encode(Random.bytes(count: 16)),
                resource: nil
            )
            refreshToken = try required(answer.refreshToken)
            tokens.append(answer.accessToken)
            #expect(try service.me(answer) == first.user)
            let keys = try service.keySet()
            names.formUnion(keys.keys.map(\.keyID))
            var alive: [String] = []
            for token in tokens {
                do throws(JWTError) {
                    _ = try check(token, keys, service.service.issuer)
                    alive.append(token)
                } catch {
                    #expect(error == .expired)
                }
            }
            tokens = alive
            usleep(50_000)
        }

        #expect(names.count >= 4)
        #expect(tokens.count > 1)
    }

    private func check(_ token: String, _ keys: JWKSet, _ issuer: String) throws(JWTError) -> JWT.Claims {
        try JWT.verify(
            token,
            keys: { id, _ in keys[id].flatMap { try? VerificationKey(jwk: $0) } },
            type: "at+jwt",
            now: TimeSource.system.wall,
            leeway: .zero,
            audience: TestService.here.filesURL,
            issuer: issuer
        )
    }
}
