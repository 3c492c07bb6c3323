import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksJSON
import DaleksSQLite
import DaleksSystem

/// The service's keys: the one that signs, those that are published, and their way from one to the other.
///
/// Several processes may share one database. Each signs with keys of its own, whose private halves never leave its
/// folder, and publishes everybody's; so a key that another process announced is known here well before it signs there.
///
/// ## Concurrency
/// `state` is what everybody reads, guarded by itself and replaced as a whole. `changing` lets one thread at a time
/// change it; that one makes keys and writes them without holding `state`. A key is on the disk before anybody sees it,
/// and it is published before it signs.
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
        var generation = 0
        /// When a key that is not known here was last looked for in the database.
        var soughtUnknown: Instant?
    }

    private let state = Lock(State())
    private let changing = Condition(false)
    /// Whether an unknown key is looked for right now. Taken after `state`, never before.
    private let seeking = Condition(false)
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

    /// What signs everything but what some program wants otherwise.
    var signing: Signing {
        guard let signing = present(.es256) else { preconditionFailure("the key ring always has a key that signs") }
        return signing
    }

    /// For programs that want their ID tokens signed with that algorithm.
    func signing(_ algorithm: SignatureAlgorithm) throws(APIError) -> Signing {
        if let signing = present(algorithm) { return signing }
        // Such keys are made once a program wants them; another process may have heard of it a moment before.
        _ = try turn()
        guard let signing = present(algorithm) else {
            throw .internalError("no program is registered that wants \(algorithm.rawValue)")
        }
        return signing
    }

    private func present(_ algorithm: SignatureAlgorithm) -> Signing? {
        state.withLock { state in
            guard
                let active = state.records.first(where: {
                    isMine($0) && $0.stage == .active && $0.publicKey.algorithm == algorithm
                }), let key = state.privateKeys[active.id]
            else { return nil }
            return Signing(id: active.id, key: key)
        }
    }

    var published: Published { state.withLock { $0.published } }

    /// Another number whenever the keys changed.
    var generation: Int { state.withLock { $0.generation } }

    func key(_ id: String, _ algorithm: SignatureAlgorithm) -> VerificationKey? {
        if let key = known(id, algorithm) { return key }
        // Another process may have made it since; strangers who invent names cost one look a second.
        let now = time.now
        let isDue = state.withLock { state in
            if let sought = state.soughtUnknown, now - sought < Self.seekInterval { return false }
            state.soughtUnknown = now
            seeking.withLock { $0 = true }
            return true
        }
        guard isDue else {
            // Whoever looks right now finds it for all who ask meanwhile.
            _ = seeking.wait(timeout: Self.seekInterval) { $0 ? nil : true }
            return known(id, algorithm)
        }
        defer {
            seeking.withLock { $0 = false }
            seeking.broadcast()
        }
        guard let records = try? store.read({ db in try KeyTable.all(db) }) else { return nil }
        if records != self.records { _ = try? alone { () throws(APIError) in try reload() } }
        return known(id, algorithm)
    }

    private static let seekInterval = Duration.seconds(1)

    private func known(_ id: String, _ algorithm: SignatureAlgorithm) -> VerificationKey? {
        state.withLock { state in
            guard let key = state.publicKeys[id], key.algorithm == algorithm else { return nil }
            return key
        }
    }

    var records: [KeyRecord] { state.withLock { $0.records } }

    private func isMine(_ record: KeyRecord) -> Bool { record.owner == nil || record.owner == folder.owner }

    /// Does what is due; when it is to be called again.
    func turn() throws(APIError) -> Timestamp {
        try alone { () throws(APIError) in try turnAlone() }
    }

    private func turnAlone() throws(APIError) -> Timestamp {
        let order = try reload()
        let algorithms = try wantedAlgorithms()
        // Each action changes the stage of one key or makes one, so this ends; the bound is for a mistake in that.
        for _ in 0..<(4 * Limits.Users.keyCountMax) {
            let now = time.wall
            if let gone = records.first(where: { !isMine($0) && schedule.isAbandoned($0, at: now) }) {
                try remove(gone.id)
                continue
            }
            // Keys of one algorithm know nothing of the others: each has the same schedule to itself.
            var (until, isDone) = (Timestamp(nanoseconds: .max), true)
            for algorithm in algorithms {
                let own = records.filter { isMine($0) && $0.publicKey.algorithm == algorithm }
                switch schedule.next(own, order: order, at: now) {
                case .wait(let next):
                    until = min(until, next)
                    continue
                case .announce: try announce(algorithm, at: now)
                case .activate(let id): try activate(id, at: now)
                case .remove(let id): try remove(id)
                }
                isDone = false
            }
            if isDone { return until }
        }
        throw .internalError("the schedule of the keys does not come to an end")
    }

    /// RSA keys take long to make and are slow to sign with: there are none before some program wants them.
    private func wantedAlgorithms() throws(APIError) -> [SignatureAlgorithm] {
        let isWanted =
            records.contains { isMine($0) && $0.publicKey.algorithm == .rs256 }
            ? true : try store.readOnce { db in try OAuthClientTable.isAlgorithmWanted(.rs256, db) }
        return isWanted ? [.es256, .rs256] : [.es256]
    }

    /// Another process's new key is published here in good time before it signs there; orders are followed as soon.
    var lookInterval: Duration { max(.milliseconds(100), min(.seconds(30), schedule.announce / 4)) }

    // MARK: What administrators order

    /// Every process takes another key: announced now, signing once everybody can know it.
    func rotate(by admin: UserID?, from origin: Origin) throws(APIError) {
        let now = time.wall
        try store.write { db in
            try KeyTable.order(at: now, db)
            try AuditTable.add(.key, .done, account: admin, from: origin, at: now, db)
        }
        logger.notice("another key was ordered")
        _ = try turn()
    }

    /// Takes a key back at once: it is published no more, and what it signed is good no more, here at once and at the
    /// regions when they ask for the keys next. False where there is no such key.
    func revoke(_ id: String, by admin: UserID?, from origin: Origin) throws(APIError) -> Bool {
        let now = time.wall
        let isRevoked = try store.write { db in
            guard try KeyTable.delete(id, db) else { return false }
            try AuditTable.add(.key, .refused, account: admin, from: origin, at: now, db)
            return true
        }
        guard isRevoked else { return false }
        logger.warning("a key was taken back", ["key": id])
        _ = try turn()
        return true
    }

    // MARK: The way of a key

    /// A new key. Its id is a digest in base64, and one that begins with a dash would be an option on a command line.
    static func draw(_ algorithm: SignatureAlgorithm) throws(CryptoError) -> SigningKey {
        while true {
            let key = try SigningKey.generate(algorithm)
            if !key.publicKey.jwk.keyID.hasPrefix("-") { return key }
        }
    }

    private func announce(_ algorithm: SignatureAlgorithm, at now: Timestamp) throws(APIError) {
        guard records.count < Limits.Users.keyCountMax else { throw .internalError("there are too many keys") }
        let key: SigningKey
        do throws(CryptoError) { key = try Self.draw(algorithm) } catch { throw failure(error) }
        let publicKey = key.publicKey.jwk
        // The file first: a record without its key would be a key that cannot sign; a file without its record is
        // found and removed at the next start.
        do throws(KeyFolderError) { try folder.save(key, named: publicKey.keyID) } catch { throw failure(error) }
        let record = KeyRecord(id: publicKey.keyID, publicKey: publicKey, owner: folder.owner, announced: now)
        try store.write { db in try KeyTable.insert(record, db) }
        adopt(records + [record], adding: key)
        logger.notice("key announced", ["key": record.id])
    }

    private func activate(_ id: String, at now: Timestamp) throws(APIError) {
        var records = records
        let algorithm = records.first { $0.id == id }?.publicKey.algorithm
        for index in records.indices where isMine(records[index]) && records[index].publicKey.algorithm == algorithm {
            if records[index].stage == .active { records[index].retired = now }
            if records[index].id == id { records[index].activated = now }
        }
        let changed = Set(records).subtracting(self.records)
        try store.write { db in
            for record in changed { try KeyTable.save(record, db) }
        }
        adopt(records)
        logger.notice("key activated", ["key": id])
    }

    private func remove(_ id: String) throws(APIError) {
        _ = try store.write { db in try KeyTable.delete(id, db) }
        folder.remove(id)
        adopt(records.filter { $0.id != id })
        logger.notice("key removed", ["key": id])
    }

    private func adopt(_ records: [KeyRecord], adding key: SigningKey? = nil) {
        let published = Self.publish(records)
        let ids = Set(records.map(\.id))
        state.withLock { state in
            state.generation += 1
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
        let keys = [SignatureAlgorithm.es256, .rs256].flatMap { algorithm in
            order.flatMap { stage in
                records.filter { $0.stage == stage && $0.publicKey.algorithm == algorithm }.map(\.publicKey)
            }
        }
        var json = JSONWriter()
        json.object { $0.member("keys", keys) }
        return Published(body: json.bytes, tag: "\(SHA256.digest(of: json.bytes))")
    }

    // MARK: What others did

    /// Takes over what is in the database now; the last order.
    ///
    /// A key that signs here and is not there was taken back. Until another one is made, within the same turn, it stays
    /// the one that signs: what it signs is good nowhere, and the service goes on.
    private func reload() throws(APIError) -> Timestamp? {
        let (found, ordered) = try store.read { db in (try KeyTable.all(db), try KeyTable.lastOrder(db)) }
        let present = records
        guard found != present else { return ordered }
        let ids = Set(found.map(\.id))
        let lost = present.filter { isMine($0) && $0.stage == .active && !ids.contains($0.id) }
        // The one of everything first: there is never none.
        let order = lost.filter { $0.publicKey.algorithm == .es256 } + lost.filter { $0.publicKey.algorithm != .es256 }
        var records = found
        for key in order { records = try replace(key, records) }
        adopt(records)
        for gone in present where isMine(gone) && !ids.contains(gone.id) { folder.remove(gone.id) }
        return ordered
    }

    /// The key that signs was taken back: the next one takes its place in one step, announced or not.
    /// The records as they are then.
    private func replace(_ lost: KeyRecord, _ found: [KeyRecord]) throws(APIError) -> [KeyRecord] {
        let (now, algorithm) = (time.wall, lost.publicKey.algorithm)
        let announced = found.filter {
            isMine($0) && $0.stage == .announced && $0.publicKey.algorithm == algorithm
        }
        logger.warning("another key signs in place of one that was taken back", ["key": lost.id])
        if let next = announced.min(by: { $0.announced < $1.announced }) {
            var next = next
            next.activated = now
            let changed = next
            try store.write { db in try KeyTable.save(changed, db) }
            return found.map { $0.id == changed.id ? changed : $0 }
        }
        let key: SigningKey
        do throws(CryptoError) { key = try Self.draw(algorithm) } catch { throw failure(error) }
        let publicKey = key.publicKey.jwk
        do throws(KeyFolderError) { try folder.save(key, named: publicKey.keyID) } catch { throw failure(error) }
        let record = KeyRecord(
            id: publicKey.keyID,
            publicKey: publicKey,
            owner: folder.owner,
            announced: now,
            activated: now
        )
        try store.write { db in try KeyTable.insert(record, db) }
        state.withLock { $0.privateKeys[record.id] = key }
        return found + [record]
    }

    // MARK: The last run's

    private func restore() throws(APIError) {
        var (records, privateKeys) = (try store.read { db in try KeyTable.all(db) }, [String: SigningKey]())
        for record in records where isMine(record) && record.stage != .retiring {
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

    /// One thread at a time.
    private func alone<Result>(_ work: () throws(APIError) -> Result) throws(APIError) -> Result {
        changing.waitThrowing(until: { !$0 }) { $0 = true }
        defer {
            changing.withLock { $0 = false }
            changing.broadcast()
        }
        return try work()
    }
}
