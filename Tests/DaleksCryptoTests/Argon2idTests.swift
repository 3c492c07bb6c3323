import DaleksCrypto
import DaleksSystem
import Testing

struct Argon2idTests {
    private let quick = TestKeys.made(Argon2id.Parameters(memory: 64, passes: 1, lanes: 1))

    /// Made by the reference implementation for its own tests.
    @Test(arguments: [
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    ])
    func `a hash of the reference implementation is verified`(stored: String) throws {
        #expect(try Argon2id.verify(password: Array("password".utf8), against: stored))
        #expect(try !Argon2id.verify(password: Array("Password".utf8), against: stored))
    }

    @Test
    func `a hash says its parameters, is salted, and knows its password only`() throws {
        let password = Array("correct horse".utf8)

        let stored = try Argon2id.hash(password: password)

        #expect(stored.hasPrefix("$argon2id$v=19$m=19456,t=2,p=1$"))
        #expect(stored.utf8.count == 97)
        #expect(try Argon2id.verify(password: password, against: stored))
        #expect(try !Argon2id.verify(password: password + [0], against: stored))
        #expect(try !Argon2id.verify(password: [], against: stored))
        #expect(
            try Argon2id.hash(password: password, parameters: quick)
                != Argon2id.hash(password: password, parameters: quick)
        )
    }

    @Test
    func `a hash wants to be made again when its parameters are not today's`() throws {
        let stored = try Argon2id.hash(password: [1], parameters: quick)

        #expect(!Argon2id.needsRehash(stored, parameters: quick))
        #expect(Argon2id.needsRehash(stored))
        #expect(Argon2id.needsRehash("nonsense"))
        #expect(
            Argon2id.needsRehash(
                "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
                parameters: quick
            )
        )
    }

    @Test(arguments: [
        "", "$", "password", "$argon2id$", "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ", "$argon2id$v=19$m=64,t=1,p=1$$",
        "$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$HASH", "$argon2id$v=16$m=64,t=1,p=1$c29tZXNhbHQ$HASH",
        "$argon2id$m=64,t=1,p=1$c29tZXNhbHQ$HASH", "$argon2id$v=19$t=1,m=64,p=1$c29tZXNhbHQ$HASH",
        "$argon2id$v=19$m=64,t=1$c29tZXNhbHQ$HASH", "$argon2id$v=19$m=64,t=1,p=1,x=2$c29tZXNhbHQ$HASH",
        "$argon2id$v=19$m=064,t=1,p=1$c29tZXNhbHQ$HASH", "$argon2id$v=19$m=+64,t=1,p=1$c29tZXNhbHQ$HASH",
        "$argon2id$v=19$m=-64,t=1,p=1$c29tZXNhbHQ$HASH", "$argon2id$v=19$m=64,t=0,p=1$c29tZXNhbHQ$HASH",
        "$argon2id$v=19$m=64,t=17,p=1$c29tZXNhbHQ$HASH", "$argon2id$v=19$m=64,t=1,p=0$c29tZXNhbHQ$HASH",
        "$argon2id$v=19$m=64,t=1,p=9$c29tZXNhbHQ$HASH", "$argon2id$v=19$m=7,t=1,p=1$c29tZXNhbHQ$HASH",
        "$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$HASH", "$argon2id$v=19$m=262145,t=1,p=1$c29tZXNhbHQ$HASH",
        "$argon2id$v=19$m=99999999999,t=1,p=1$c29tZXNhbHQ$HASH", "$argon2id$v=19$m=64,t=1,p=1$c2FsdA$HASH",
        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ=$HASH", "$argon2id$v=19$m=64,t=1,p=1$c29t ZXNhbHQ$HASH",
        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$HASH$", "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$c2hvcnQ",
        "x$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$HASH", "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$HASH\n",
        "$argon2id$v=19$m=64,t=1,p=1$" + String(repeating: "A", count: 4_000) + "$HASH",
    ])
    func `a stored text that is no hash within the limits verifies nothing and costs nothing`(template: String) throws {
        let hash = "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
        let stored = template.split(separator: "HASH", omittingEmptySubsequences: false).joined(separator: hash)

        #expect(try !Argon2id.verify(password: Array("password".utf8), against: stored))
        #expect(Argon2id.needsRehash(stored))
    }

    @Test
    func `a password has a longest length`() throws {
        let longest = [UInt8](repeating: 1, count: 1_024)

        let stored = try Argon2id.hash(password: longest, parameters: quick)

        #expect(try Argon2id.verify(password: longest, against: stored))
        #expect(throws: CryptoError.self) { try Argon2id.hash(password: longest + [1], parameters: quick) }
        #expect(try !Argon2id.verify(password: longest + [1], against: stored))
    }
}
