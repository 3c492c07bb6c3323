import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksUsers

/// The secrets of second factors lie sealed, and the key to them lies elsewhere.
struct SealingTests {
    private static let keyFile = "state/keys/sealing.keys"

    private let folder = ScratchFolder()
    private let clock = ManualClock()

    private func start() throws -> TestService { try TestService(folder: folder, time: clock.source) }

    /// The code of another moment: each is good once.
    private func code(_ secret: [UInt8]) -> String {
        clock.advance(by: .seconds(60))
        return OneTimePassword.code(secret, step: OneTimePassword.step(at: clock.source.wall))
    }

    private func logIn(_ service: TestService, _ code: String) throws -> ClientResponse {
        try service.json(
            .post,
            Routes.Users.login,
            [
                "email": "ann@example.com", "password": .string(TestService.password), "code": .string(code),
                "device": "x",
            ]
        )
    }

    private var stored: [UInt8] {
        get throws {
            try Files.entries(of: folder.path("state")).filter { $0.hasPrefix("users.db") }
                .flatMap { try folder.read("state/\($0)") }
        }
    }

    private func contains(_ bytes: [UInt8], _ part: [UInt8]) -> Bool {
        bytes.indices.contains { bytes[$0] == part[0] && bytes[$0...].starts(with: part) }
    }

    @Test func `the secret is not in the database, and the key to it is a file for the owner alone`() throws {
        let service = try start()
        let (secret, _) = try Person(service).turnOnSecondFactor()
        service.stop()

        #expect(contains(try stored, Array("ann@example.com".utf8)))
        #expect(try !contains(stored, secret))
        var status = stat()
        #expect(stat(folder.path(Self.keyFile), &status) == 0 && status.st_mode & 0o777 == 0o600)
    }

    @Test func `a new key seals everything anew, and then the old one can go`() throws {
        let before = try start()
        let (secret, _) = try Person(before).turnOnSecondFactor()
        before.stop()
        let old = String(decoding: try folder.read(Self.keyFile), as: UTF8.self)
        let new = Hex.encode(Random.bytes(count: 32)) + "\n"

        try folder.write(new + old, to: Self.keyFile)
        let between = try start()
        for _ in 0..<250 where !between.log.contains(where: { $0.contains("sealed anew") }) { usleep(20_000) }
        between.stop()
        try folder.write(new, to: Self.keyFile)
        let after = try start()
        defer { after.stop() }

        #expect(try logIn(after, code(secret)).status == .ok)
    }

    @Test func `without the key nobody gets in by a code, a recovery code still does, and a copied key heals it`()
        throws
    {
        let before = try start()
        let (secret, codes) = try Person(before).turnOnSecondFactor()
        before.stop()
        let old = try folder.read(Self.keyFile)
        try folder.write(Hex.encode(Random.bytes(count: 32)) + "\n", to: Self.keyFile)

        let after = try start()
        defer { after.stop() }

        let refused = try logIn(after, code(secret))
        #expect(refused.status == .serviceUnavailable && refused.fields["Retry-After"] != nil)
        #expect(try logIn(after, codes[0]).status == .ok)
        #expect(after.log.contains { $0.contains("sealed with a key that is not here") })
        try folder.write(old, to: Self.keyFile)
        #expect(try logIn(after, code(secret)).status == .ok)
    }

    @Test func `a secret of before there were keys is good, and is sealed`() throws {
        let keys = try SealingKeys(folder.path("keys"))
        let (ann, bob) = (UserID.random(at: clock.source.wall), UserID.random(at: clock.source.wall))
        let secret = OneTimePassword.makeSecret()

        let sealed = try keys.seal(secret, for: ann)

        #expect(try keys.open(secret, of: ann) == secret && keys.isOutdated(secret))
        #expect(try keys.open(sealed, of: ann) == secret && !keys.isOutdated(sealed))
        #expect(try keys.seal(secret, for: ann) != sealed)
        #expect(throws: APIError.self) { try keys.open(sealed, of: bob) }
        #expect(throws: APIError.self) { try keys.open(sealed.dropLast() + [sealed[sealed.count - 1] ^ 1], of: ann) }
        try folder.write("not a key\n", to: "other")
        #expect(throws: SealingFailure.self) { try SealingKeys(folder.path("other")) }
    }
}
