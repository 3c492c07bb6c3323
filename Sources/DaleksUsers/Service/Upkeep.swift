import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// What is done beside the requests: keys come and go, and rows that are of no use any more go.
///
/// ## Concurrency
/// `isStopping` is guarded by itself. One thread does the work.
final class Upkeep: Sendable {
    private let store: UsersStore
    private let keys: KeyRing
    private let lifeline: Lifeline
    private let sealing: SealingKeys
    private let refreshRule: RefreshRule
    private let oauthRule: OAuthRule
    private let attemptMemory: Duration
    private let time: TimeSource
    private let logger: Logger
    private let isStopping = Condition(false)
    private let finished = Gate()
    /// The wall clock may be set; what is due by it is looked at no later than this.
    private let lookInterval = Duration.seconds(30)
    private let retryInterval = Duration.seconds(1)

    init(
        store: UsersStore,
        keys: KeyRing,
        lifeline: Lifeline,
        sealing: SealingKeys,
        refreshRule: RefreshRule,
        oauthRule: OAuthRule,
        attemptMemory: Duration,
        time: TimeSource,
        logger: Logger
    ) {
        self.store = store
        self.keys = keys
        self.refreshRule = refreshRule
        self.oauthRule = oauthRule
        self.attemptMemory = attemptMemory
        self.lifeline = lifeline
        self.sealing = sealing
        self.time = time
        self.logger = logger
    }

    /// The thread holds this until `stop`, which every service calls.
    func start() {
        _ = Thread(name: "upkeep") { [self] in
            run()
            finished.open()
        }
    }

    func stop() {
        isStopping.withLock { $0 = true }
        isStopping.broadcast()
        finished.wait()
    }

    private func run() {
        var pruneDue = time.now
        while true {
            var pause = lookInterval
            do throws(APIError) {
                pause = min(pause, try keys.turn() - time.wall, keys.lookInterval)
                try lifeline.note()
                if time.now >= pruneDue {
                    try sealAnew()
                    try prune()
                    pruneDue = time.now + Limits.Users.pruneInterval
                }
            } catch {
                logger.warning("the upkeep was stopped by a failure", ["error": error.detail])
                pause = retryInterval
            }
            guard isStopping.wait(timeout: max(pause, .milliseconds(10)), until: { $0 ? true : nil }) == nil else {
                return
            }
        }
    }

    /// Seals with the first key what others sealed, so that those can be taken out of the file.
    private func sealAnew() throws(APIError) {
        var (last, unknownCount, sealedCount) = (UserID?.none, 0, 0)
        while !isStopping.withLock({ $0 }) {
            let (start, limit) = (last, Limits.Users.prunedRowCountMax)
            let page = try store.readOnce { db in try SecondFactorTable.page(after: start, limit: limit, db) }
            for (account, sealed) in page where sealing.isOutdated(sealed) {
                guard sealing.isKnown(sealed) else {
                    unknownCount += 1
                    continue
                }
                let new = try sealing.seal(try sealing.open(sealed, of: account), for: account)
                try store.writeOnce { db in try SecondFactorTable.reseal(account, from: sealed, to: new, db) }
                sealedCount += 1
            }
            last = page.last?.account
            guard page.count == limit else { break }
        }
        if sealedCount > 0 { logger.notice("second factors were sealed anew", ["accounts": sealedCount]) }
        guard unknownCount > 0 else { return }
        logger.error(
            "second factors are sealed with a key that is not here; copy it from another process's sealing.keys",
            ["accounts": unknownCount]
        )
    }

    private func prune() throws(APIError) {
        let now = time.wall
        let limit = Limits.Users.prunedRowCountMax
        try repeating { () throws(APIError) in
            try store.write(.normal) { db in
                try SessionTable.prune(
                    createdBefore: now - refreshRule.lifetime - Limits.Users.endedSessionKept,
                    endedBefore: now - Limits.Users.endedSessionKept,
                    limit: limit,
                    db
                )
            }
        }
        try repeating { () throws(APIError) in
            try store.write(.normal) { db in
                try AuthorizationCodeTable.prune(before: now - oauthRule.usedCodeKept, limit: limit, db)
            }
        }
        try repeating { () throws(APIError) in
            try store.write(.normal) { db in
                try DeviceRequestTable.prune(before: now - oauthRule.deviceLifetime, limit: limit, db)
            }
        }
        try repeating { () throws(APIError) in
            try store.write(.normal) { db in
                try AttemptTable.prune(before: now - attemptMemory, limit: limit, db)
            }
        }
        try repeating { () throws(APIError) in
            try store.write(.normal) { db in try MailTable.prune(before: now, limit: limit, db) }
        }
        try repeating { () throws(APIError) in
            try store.write(.normal) { db in
                try RevocationTable.prune(before: now - Limits.Users.revocationKept, limit: limit, db)
            }
        }
        try repeating { () throws(APIError) in
            try store.write(.normal) { db in
                try AuditTable.prune(keeping: Limits.Users.auditCountMax, limit: limit, db)
            }
        }
    }

    /// Small transactions, so that nobody waits long behind them.
    private func repeating(_ step: () throws(APIError) -> Int) throws(APIError) {
        while !isStopping.withLock({ $0 }), try step() >= Limits.Users.prunedRowCountMax {}
    }
}
