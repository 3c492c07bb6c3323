import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// Carries mail out of the outbox. What is in there was promised in the same transaction as what it is about; it goes
/// out once, or twice where this process dies between handing over and noting it.
///
/// ## Concurrency
/// One thread carries; `isStopping` is guarded by itself. Several processes may carry from one outbox: each claims a
/// mail before it takes it out.
final class Postman: Sendable {
    private let store: UsersStore
    private let delivery: MailDelivery
    private let reset: PasswordReset
    private let sent: Counter
    private let failed: Counter
    private let time: TimeSource
    private let logger: Logger
    private let isStopping = Condition(false)
    private let finished = Gate()
    /// How often the outbox is looked into.
    private let interval: Duration

    init(
        store: UsersStore,
        delivery: MailDelivery,
        reset: PasswordReset,
        interval: Duration,
        metrics: Metrics,
        time: TimeSource,
        logger: Logger
    ) {
        self.store = store
        self.delivery = delivery
        self.reset = reset
        self.interval = interval
        self.time = time
        self.logger = logger
        sent = metrics.counter("daleks_users_mails_total", help: "Mails by outcome.", labels: ["outcome": "sent"])
        failed = metrics.counter("daleks_users_mails_total", help: "Mails by outcome.", labels: ["outcome": "failed"])
    }

    func start() {
        _ = Thread(name: "postman") { [self] in
            while true {
                while !isStopped(after: .zero), answerWish() {}
                while !isStopped(after: .zero), carry() {}
                if isStopped(after: interval) { break }
            }
            finished.open()
        }
    }

    func stop() {
        isStopping.withLock { $0 = true }
        isStopping.broadcast()
        finished.wait()
    }

    private func isStopped(after pause: Duration) -> Bool {
        isStopping.wait(timeout: pause, until: { $0 ? true : nil }) ?? false
    }

    /// False when nobody asked for a new password, or when it could not be looked at now.
    private func answerWish() -> Bool {
        do throws(APIError) { return try reset.answerNext() } catch {
            logger.warning("a wish for a new password waits", ["error": error.detail])
            return false
        }
    }

    /// False when there is nothing to do now.
    private func carry() -> Bool {
        let now = time.wall
        guard let posted = try? claim(at: now) else { return false }
        do throws(MailDelivery.Failure) {
            try delivery.deliver(posted.letter, number: posted.number, at: now)
            sent.increment()
            try? store.write(.normal) { db in try MailTable.remove(posted.number, db) }
        } catch {
            failed.increment()
            settle(posted, "\(error)")
        }
        return true
    }

    /// Looked for before it is written for: mostly there is none.
    private func claim(at now: Timestamp) throws(APIError) -> MailTable.Posted? {
        guard try store.read({ db in try MailTable.isDue(at: now, db) }) else { return nil }
        return try store.write { db in try MailTable.claim(at: now, again: now + Limits.Users.mailClaim, db) }
    }

    private func settle(_ posted: MailTable.Posted, _ reason: String) {
        let isLast = posted.attempts >= Limits.Users.mailAttemptCountMax
        logger.error(
            isLast ? "a mail was given up" : "a mail could not be handed over",
            ["mail": posted.number, "attempt": posted.attempts, "reason": reason]
        )
        let pause = min(
            Limits.Users.mailRetryMax,
            Limits.Users.mailRetryFirst * (1 << min(20, max(0, posted.attempts - 1)))
        )
        try? store.write(.normal) { db in
            if isLast {
                try MailTable.remove(posted.number, db)
            } else {
                try MailTable.postpone(posted.number, until: time.wall + pause, db)
            }
        }
    }
}
