import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksSystem

/// Where passwords are hashed: one at a time on each core, with a short line of those that wait.
///
/// A hash costs 19 MiB and 16 to 18 ms of a core on purpose. Whoever sends passwords faster than that fills the line,
/// and is told to come back; nobody else's request waits behind them. There are more threads than cores: what a log-in
/// asks of the database before and after its hash must not leave a core idle.
///
/// ## Concurrency
/// `admitted` is guarded by itself. Work runs on the pool's threads with no lock held; hashes take turns.
final class PasswordHasher: Sendable {
    private let parameters: Argon2id.Parameters
    private let pool: WorkerPool
    private let turns: CoreTurns
    private let capacity: Int
    private let admitted = Lock(0)
    private let hashes: Counter
    /// What a password is compared with where there is no account, so that this costs the same.
    private let decoy: String

    init(
        parameters: Argon2id.Parameters,
        coreCount: Int,
        waitingCountMax: Int,
        hashes: Counter
    ) throws(CryptoError) {
        self.parameters = parameters
        self.hashes = hashes
        pool = WorkerPool(
            name: "password",
            threadCountMax: coreCount * Limits.Users.passwordThreadsPerCore,
            waitingCountMax: coreCount + waitingCountMax
        )
        turns = CoreTurns(coreCount: coreCount)
        capacity = coreCount + waitingCountMax
        decoy = try Argon2id.hash(password: Random.bytes(count: 16), parameters: parameters)
    }

    /// Those that are hashed or wait to be.
    var admittedCount: Int { admitted.withLock { $0 } }

    /// A place in the line, given back when it is let go. Throws 503 where the line is full.
    func admit() throws(APIError) -> Place {
        let isAdmitted = admitted.withLock { [capacity] count in
            guard count < capacity else { return false }
            count += 1
            return true
        }
        guard isAdmitted else { throw Self.full }
        return Place(self)
    }

    func close() { pool.close() }

    private static var full: APIError { .unavailable("too many log-ins at once; try again soon", retryAfterSeconds: 2) }

    /// One's place in the line.
    final class Place: Sendable {
        private let hasher: PasswordHasher

        fileprivate init(_ hasher: PasswordHasher) { self.hasher = hasher }

        deinit { hasher.admitted.withLock { $0 -= 1 } }

        /// Runs the work when it is this place's turn. Throws, and nothing runs, where the service is stopping.
        func run(_ work: @escaping @Sendable (Turn) -> Void) throws(APIError) {
            let isTaken = hasher.pool.submit { [self] in work(Turn(hasher)) }
            guard isTaken else { throw PasswordHasher.full }
        }
    }

    /// What may be done on a thread of the pool, and only there.
    struct Turn {
        private let hasher: PasswordHasher

        fileprivate init(_ hasher: PasswordHasher) { self.hasher = hasher }

        func hash(_ password: String) throws(APIError) -> String {
            hasher.hashes.increment()
            do throws(CryptoError) {
                return try hasher.turns.run { () throws(CryptoError) in
                    try Argon2id.hash(password: Array(password.utf8), parameters: hasher.parameters)
                }
            } catch {
                throw Self.apiError(error)
            }
        }

        /// Whether it is the password of that hash. Nil, no such account, takes as long and is false.
        func verify(_ password: String, against stored: String?) throws(APIError) -> Bool {
            hasher.hashes.increment()
            do throws(CryptoError) {
                let isSame = try hasher.turns.run { () throws(CryptoError) in
                    try Argon2id.verify(password: Array(password.utf8), against: stored ?? hasher.decoy)
                }
                return isSame && stored != nil
            } catch {
                throw Self.apiError(error)
            }
        }

        /// True where the parameters rose since.
        func isOutdated(_ stored: String) -> Bool { Argon2id.needsRehash(stored, parameters: hasher.parameters) }

        /// No memory: that must not look like a wrong password.
        private static func apiError(_ error: CryptoError) -> APIError {
            .unavailable("the password cannot be checked now", retryAfterSeconds: 5)
        }
    }
}
