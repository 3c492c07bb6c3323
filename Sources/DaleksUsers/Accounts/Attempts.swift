import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// Counts the passwords that are tried, for one account and from one address, before any of them is looked at.
///
/// An attempt counts as failed from the moment in which it is admitted, so that a hundred at a time get no more looks
/// than five one after the other.
struct Attempts: Sendable {
    let store: UsersStore
    let accountRule: AttemptRule
    let siteRule: AttemptRule
    let measures: UsersMeasures
    let time: TimeSource

    /// Throws 429 where one must wait.
    func reserve(_ email: Email, from origin: Origin) throws(APIError) {
        let (account, site) = (AttemptSubject(email), AttemptSubject(site: origin.site))
        let wait = try store.write(.normal) { db -> Duration? in
            // In here, since the turn to write was waited for.
            let now = time.wall
            let decisions = [
                accountRule.admit(after: try AttemptTable.load(account, db), at: now),
                siteRule.admit(after: try AttemptTable.load(site, db), at: now),
            ]
            var states: [AttemptState] = []
            var waits: [Duration] = []
            for decision in decisions {
                switch decision {
                case .admitted(let state): states.append(state)
                case .refused(let retryAfter): waits.append(retryAfter)
                }
            }
            if let longest = waits.max() { return longest }
            for (state, subject) in zip(states, [account, site]) { try AttemptTable.save(state, of: subject, db) }
            return nil
        }
        guard let wait else { return }
        measures.loginsBlocked.increment()
        throw Self.blocked(wait)
    }

    /// Nothing was tried after all: that is nobody's failure.
    func forgive(_ email: Email, from origin: Origin) throws(APIError) {
        try store.write(.normal) { db in
            try AttemptTable.forgive(AttemptSubject(email), db)
            try AttemptTable.forgive(AttemptSubject(site: origin.site), db)
        }
    }

    /// It was the right one. Whoever has an account of their own must not clean an address's slate with it.
    func succeed(_ email: Email, from origin: Origin, _ db: borrowing Connection) throws {
        try AttemptTable.clear(AttemptSubject(email), db)
        try AttemptTable.forgive(AttemptSubject(site: origin.site), db)
    }

    /// Counts something that is not secret but must not be done without end: so many in an hour.
    func count(_ subject: AttemptSubject, perHourMax: Int) throws(APIError) -> Duration? {
        try store.write(.normal) { db in
            let now = time.wall
            let window = Duration.seconds(3_600)
            var state = AttemptState(failures: 0, last: now, blockedUntil: now + window)
            if let known = try AttemptTable.load(subject, db), now < known.blockedUntil,
                known.blockedUntil - now <= window
            {
                state = known
            }
            guard state.failures < perHourMax else { return state.blockedUntil - now }
            state.failures += 1
            state.last = now
            try AttemptTable.save(state, of: subject, db)
            return nil
        }
    }

    static func blocked(_ wait: Duration) -> APIError {
        let seconds = Int((wait.nanoseconds + 999_999_999) / 1_000_000_000)
        return .rateLimited("too many attempts; wait before the next", retryAfterSeconds: max(1, seconds))
    }
}
