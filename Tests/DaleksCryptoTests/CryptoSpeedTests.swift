import DaleksCore
import DaleksCrypto
import DaleksJSON
import DaleksSystem
import Glibc
import Testing

/// `DALEKS_MEASURE=1 swift test -c release --filter CryptoSpeedTests` prints figures of one thread.
@Suite(.serialized, .enabled(if: getenv("DALEKS_MEASURE") != nil))
struct CryptoSpeedTests {
    private func seconds(_ count: Int, _ body: () -> Void) -> Double {
        var best = Duration.seconds(1_000)
        for _ in 0..<5 { best = min(best, ContinuousClock().measure { for _ in 0..<count { body() } }) }
        return Double(best.components.seconds) + Double(best.components.attoseconds) / 1e18
    }

    private func rate(_ name: String, _ count: Int, _ body: () -> Void) {
        print("\(name): \(Int(Double(count) / seconds(count, body))) a second")
    }

    @Test
    func `hashing and sealing`() {
        let span = Random.bytes(count: 1 << 20)
        let small = Random.bytes(count: 100)
        let key = Random.bytes(count: 32)

        print(
            "sha256 1 MiB: \(Int(100 * Double(span.count) / seconds(100) { _ = SHA256.digest(of: span) } / 1e6)) MB/s"
        )
        let sealing = seconds(100) { _ = AEAD.seal(span, key: key) }
        print("aead seal 1 MiB: \(Int(100 * Double(span.count) / sealing / 1e6)) MB/s")
        rate("sha256 100 bytes", 100_000) { _ = SHA256.digest(of: small) }
        rate("hmac-sha256 100 bytes", 100_000) { _ = HMAC.sha256(key: key, small) }
    }

    @Test
    func `signing and verifying`() {
        let message = Random.bytes(count: 600)
        for key in [TestKeys.elliptic, TestKeys.rsa] {
            let signature = key.sign(message)
            let name = key.algorithm.rawValue
            rate("\(name) sign", key.algorithm == .es256 ? 10_000 : 500) { _ = key.sign(message) }
            rate("\(name) verify", 5_000) { precondition(key.publicKey.verify(signature, of: message)) }
        }
        let token = JWTFixture.token()
        rate("jwt sign", 10_000) { _ = JWTFixture.token() }
        rate("jwt verify", 5_000) { _ = try? JWTFixture.verify(token) }
    }

    @Test
    func `hashing passwords`() throws {
        let time = seconds(5) { _ = try? Argon2id.hash(password: [1, 2, 3]) } / 5
        print("argon2id standard: \(Int(time * 1e3)) ms")
    }
}
