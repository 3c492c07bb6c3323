import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksJSON
import DaleksSQLite
import DaleksSystem

/// The service's keys: the one that signs, those that are published, and their way from one to the other.
///
/// ## Concurrency
/// `state` is what everybody reads, guarded by itself and replaced as a whole. `turn` is called by one thread at a
/// time; it makes keys and writes them with no lock held. A key is on the disk before anybody sees it, and it is
/// published before it signs.
final class KeyRing: Sendable {
    struct Signing: Sendable {
        let id: String
        let key: SigningKey
    }

    /// The key set as it is served.
    struct Published: Sendable {
        let body: [UInt8]
        let tag: String
    }

    private struct State {
        var records: [KeyRecord] = []
        var privateKeys: [String: SigningKey] = [:]
        var publicKeys: [String: VerificationKey] = [:]
        var published = Published(body: [], tag: "")
    }

    private let state = Lock(State())
    private let store: UsersStore
    private let folder: KeyFolder
    private let schedule: KeySchedule
    private let time: TimeSource
    private let logger: Logger

    /// Reads the keys of the last run and makes what is missing: when it returns, there is one that signs.
    init(
        store: UsersStore,
        folder: KeyFolder,
        schedule: KeySchedule,
        time: TimeSource,
        logger: Logger
    ) throws(APIError) {
        self.store = store
        self.folder = folder
        self.schedule = schedule
        self.time = time
        self.logger = logger
        try restore()
        _ = try turn()
    }

    var signing: Signing {
        state.withLock { state in
            guard let active = state.records.first(where: { $0.stage == .active }),
                let key = state.privateKeys[active.id]
            else { preconditionFailure("the key ring always has a key that signs") }
            return Signing(id: active.id, key: key)
        }
    }

    var published: Published { state.withLock { $0.published } }

    func key(_ id: String, _ algorithm: SignatureAlgorithm) -> VerificationKey? {
        state.withLock { state in
            guard let key = state.publicKeys[id], key.algorithm == algorithm else { return nil }
            return key
        }
    }

    var records: [KeyRecord] { state.withLock { $0.records } }

    /// Does what is due; when it is to be called again.
    func turn() throws(APIError) -> Timestamp {
        // Each action changes the stage of one key or makes one, so this ends; the bound is for a mistake in that.
        for _ in 0..<(4 * Limits.Users.keyCountMax) {
            let now = time.wall
            switch schedule.next(records, at: now) {
            case .wait(let until): return until
            case .announce: try announce(at: now)
            case .activate(let id): try activate(id, at: now)
            case .remove(let id): try remove(id)
            }
        }
        throw .internalError("the schedule of the keys does not come to an end")
    }

    // MARK: The way of a key

    private func announce(at now: Timestamp) throws(APIError) {
        guard records.count < Limits.Users.keyCountMax else { throw .internalError("there are too many keys") }
        let key: SigningKey
        do throws(CryptoError) { key = try SigningKey.generate(.es256) } catch { throw failure(error) }
        let publicKey = key.publicKey.jwk
        // The file first: a record without its key would be a key that cannot sign; a file without its record is
        // found and removed at the next start.
        do throws(KeyFolderError) { try folder.save(key, named: publicKey.keyID) } catch { throw failure(error) }
        let record = KeyRecord(id: publicKey.keyID, publicKey: publicKey, announced: now)
        try store.write { db in try KeyTable.insert(record, db) }
        adopt(records + [record], adding: key)
        logger.notice("key announced", ["key": record.id])
    }

    private func activate(_ id: String, at now: Timestamp) throws(APIError) {
        var records = records
        for index in records.indices {
            if records[index].stage == .active { records[index].retired = now }
            if records[index].id == id { records[index].activated = now }
        }
        try store.write { db in
            for record in records { try KeyTable.save(record, db) }
        }
        adopt(records)
        logger.notice("key activated", ["key": id])
    }

    private func remove(_ id: String) throws(APIError) {
        try store.write { db in try KeyTable.delete(id, db) }
        folder.remove(id)
        adopt(records.filter { $0.id != id })
        logger.notice("key removed", ["key": id])
    }

    private func adopt(_ records: [KeyRecord], adding key: SigningKey? = nil) {
        let published = Self.publish(records)
        let ids = Set(records.map(\.id))
        state.withLock { state in
            state.records = records
            if let key {
                state.privateKeys[key.publicKey.jwk.keyID] = key
            }
            state.privateKeys = state.privateKeys.filter { ids.contains($0.key) }
            state.publicKeys = state.publicKeys.filter { ids.contains($0.key) }
            for record in records where state.publicKeys[record.id] == nil {
                // A record that cannot be read as a key was refused when it was loaded.
                state.publicKeys[record.id] = try? VerificationKey(jwk: record.publicKey)
            }
            state.published = published
        }
    }

    /// The one that signs first: that is what readers who take only one take.
    private static func publish(_ records: [KeyRecord]) -> Published {
        let order: [KeyRecord.Stage] = [.active, .announced, .retiring]
        let keys = order.flatMap { stage in records.filter { $0.stage == stage }.map(\.publicKey) }
        var json = JSONWriter()
        json.object { $0.member("keys", keys) }
        return Published(body: json.bytes, tag: "\(SHA256.digest(of: json.bytes))")
    }

    // MARK: The last run's

    private func restore() throws(APIError) {
        var (records, privateKeys) = (try store.read { db in try KeyTable.all(db) }, [String: SigningKey]())
        for record in records where record.stage != .retiring {
            do throws(KeyFolderError) {
                privateKeys[record.id] = try folder.load(record.id)
            } catch {
                logger.error("a private key is missing; another takes its place", ["key": record.id, "error": error])
                try lose(record, &records)
            }
        }
        removeStrays(records)
        let loaded = privateKeys
        state.withLock { $0.privateKeys = loaded }
        adopt(records)
    }

    /// What it signed can still be checked; it just signs no more.
    private func lose(_ record: KeyRecord, _ records: inout [KeyRecord]) throws(APIError) {
        let index = records.firstIndex(of: record)
        guard let index else { return }
        records[index].activated = record.activated ?? record.announced
        records[index].retired = time.wall
        let lost = records[index]
        try store.write { db in try KeyTable.save(lost, db) }
    }

    private func removeStrays(_ records: [KeyRecord]) {
        guard let names = try? folder.names else { return }
        for name in names where !records.contains(where: { $0.id == name }) {
            logger.notice("a private key without a record was removed", ["key": name])
            folder.remove(name)
        }
    }

    private func failure(_ error: any Error) -> APIError {
        logger.error("a key cannot be made", ["error": "\(error)"])
        return .unavailable("a key cannot be made", retryAfterSeconds: 30)
    }
}
