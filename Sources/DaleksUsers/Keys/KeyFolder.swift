import DaleksCore
import DaleksCrypto
import DaleksSystem
import Glibc

/// Private keys as files that only this service's user reads, one for each, named by the key.
struct KeyFolder: Sendable {
    let path: String
    /// Which process these keys belong to: whoever has the folder.
    let owner: KeyOwner

    init(_ path: String) throws(Errno) {
        self.path = path
        try Files.createPrivateDirectory(path)
        owner = try Self.owner("\(path).owner")
    }

    private static func owner(_ file: String) throws(Errno) -> KeyOwner {
        do throws(Errno) {
            let text = String(decoding: try Files.readAll(file, max: 64), as: UTF8.self)
            if let owner = KeyOwner(text.filter { $0 != "\n" }) { return owner }
        } catch {
            guard error == .noEntry else { throw error }
        }
        let owner = KeyOwner(high: Random.word(), low: Random.word())
        try Files.writeAtomically(file, Array("\(owner)\n".utf8), mode: 0o600)
        return owner
    }

    /// Survives a power cut once this returns.
    func save(_ key: SigningKey, named id: String) throws(KeyFolderError) {
        let pem: String
        do throws(CryptoError) { pem = try key.pem } catch { throw .unusable(id, reason: "\(error)") }
        do throws(Errno) {
            try Files.writeAtomically(file(id), Array(pem.utf8), mode: 0o600)
        } catch {
            throw .cannotWrite(error)
        }
    }

    func load(_ id: String) throws(KeyFolderError) -> SigningKey {
        let text: String
        do throws(Errno) {
            text = String(decoding: try Files.readAll(file(id), max: Limits.Users.keyFileBytesMax), as: UTF8.self)
        } catch {
            throw .unusable(id, reason: "\(error)")
        }
        do throws(CryptoError) {
            let key = try SigningKey(pkcs8PEM: text)
            guard key.publicKey.jwk.keyID == id else { throw CryptoError.malformed("the file holds another key") }
            return key
        } catch {
            throw .unusable(id, reason: "\(error)")
        }
    }

    /// One that is gone already is fine.
    func remove(_ id: String) { _ = unlink(file(id)) }

    /// Keys whose files are here.
    var names: [String] {
        get throws(Errno) { try Files.entries(of: path).filter { $0.hasSuffix(".pem") }.map { String($0.dropLast(4)) } }
    }

    /// A key's id is a thumbprint: letters, digits, `-` and `_`, and so a file's name.
    private func file(_ id: String) -> String { "\(path)/\(id).pem" }
}

enum KeyFolderError: Error, Equatable, Sendable, CustomStringConvertible {
    case cannotWrite(Errno)
    case unusable(String, reason: String)

    var description: String {
        switch self {
        case .cannotWrite(let error): "a private key cannot be written: \(error)"
        case .unusable(let id, let reason): "the private key \(id) cannot be used: \(reason)"
        }
    }
}
