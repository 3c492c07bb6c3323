import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksSystem

/// Seals the secrets of second factors, which this service must be able to read again and a thief of its database must
/// not: the key is a file beside the private keys, and in no backup of the database.
///
/// The file has one key a line, in hex. The first seals; the others open what they sealed, until the upkeep has sealed
/// it anew. Processes that share a database need the same file. One that lacks a key lets nobody in by a second factor
/// that was sealed with it, and says so; it looks into the file again each time, so that a copied file heals it.
///
/// ## Concurrency
/// `keys` is guarded by itself; files are read with no lock held.
final class SealingKeys: Sendable {
    private struct Key {
        let id: [UInt8]
        let bytes: [UInt8]

        init(_ bytes: [UInt8]) {
            self.bytes = bytes
            id = Array(SHA256.digest(of: Array("daleks sealing key".utf8) + bytes).bytes.prefix(idBytes))
        }
    }

    /// Tells a sealed secret from one of before there were keys, which is as long as a SHA-1 digest.
    private static let version: UInt8 = 1
    private static let idBytes = 8

    private let path: String
    private let keys: Lock<[Key]>

    /// Makes the first key where there is no file.
    init(_ path: String) throws(SealingFailure) {
        self.path = path
        do throws(Errno) {
            keys = Lock(try Self.readOrMake(path))
        } catch {
            throw SealingFailure("\(path) cannot be read or made: \(error)")
        }
        guard keys.withLock({ !$0.isEmpty }) else {
            throw SealingFailure("\(path) holds no key: a line has \(2 * AEAD.keyBytes) hex digits")
        }
    }

    func seal(_ secret: [UInt8], for account: UserID) throws(APIError) -> [UInt8] {
        guard let key = keys.withLock({ $0.first }) else { throw .internalError("there is no key to seal with") }
        return [Self.version] + key.id + AEAD.seal(secret, key: key.bytes, context: Self.context(account))
    }

    func open(_ stored: [UInt8], of account: UserID) throws(APIError) -> [UInt8] {
        guard Self.isSealed(stored) else { return stored }
        guard let key = key(Self.id(of: stored)) else {
            throw .unavailable("this process lacks the key to second factors; \(path) needs it", retryAfterSeconds: 60)
        }
        let sealed = Array(stored[(1 + Self.idBytes)...])
        guard let secret = try? AEAD.open(sealed, key: key.bytes, context: Self.context(account)) else {
            throw .internalError("what is stored of the second factor is damaged; an administrator can turn it off")
        }
        return secret
    }

    /// Whether another key than the first sealed it, or none.
    func isOutdated(_ stored: [UInt8]) -> Bool {
        !Self.isSealed(stored) || Self.id(of: stored) != keys.withLock { $0.first?.id ?? [] }
    }

    /// Whether it can be opened here.
    func isKnown(_ stored: [UInt8]) -> Bool { !Self.isSealed(stored) || key(Self.id(of: stored)) != nil }

    private func key(_ id: [UInt8]) -> Key? {
        if let key = keys.withLock({ $0.first { $0.id == id } }) { return key }
        guard let read = try? Self.read(path), read.contains(where: { $0.id == id }) else { return nil }
        keys.withLock { $0 = read }
        return read.first { $0.id == id }
    }

    private static func readOrMake(_ path: String) throws(Errno) -> [Key] {
        do throws(Errno) { return try read(path) } catch { guard error == .noEntry else { throw error } }
        let key = Key(Random.bytes(count: AEAD.keyBytes))
        try Files.writeAtomically(path, Array("\(Hex.encode(key.bytes))\n".utf8), mode: 0o600, durable: true)
        return [key]
    }

    private static func read(_ path: String) throws(Errno) -> [Key] {
        let text = String(decoding: try Files.readAll(path, max: Limits.Users.keyFileBytesMax), as: UTF8.self)
        return text.split(separator: "\n").compactMap { line in
            guard let bytes = Hex.decode(String(line.filter { !$0.isWhitespace })), bytes.count == AEAD.keyBytes else {
                return nil
            }
            return Key(bytes)
        }
    }

    private static func isSealed(_ stored: [UInt8]) -> Bool {
        stored.count > 1 + idBytes + OneTimePassword.secretBytes && stored[0] == version
    }

    private static func id(of stored: [UInt8]) -> [UInt8] { Array(stored[1..<(1 + idBytes)]) }

    /// A secret that is moved to another account opens nothing.
    private static func context(_ account: UserID) -> [UInt8] { Array("second factor".utf8) + account.bytes }
}

struct SealingFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
