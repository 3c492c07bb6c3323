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
        let subjects = [AttemptSubject(email), AttemptSubject(site: origin.site)]
        do throws(APIError) {
            try store.writeHolding(.normal) { db in
                let held = try AttemptTable.hold(subjects, at: time.wall, db)
                // Only now, since the others' turns were waited for.
                let now = time.wall
                var states: [AttemptState] = []
                var waits: [Duration] = []
                for (rule, state) in zip([accountRule, siteRule], held) {
                    switch rule.admit(after: state, at: now) {
                    case .admitted(let state): states.append(state)
                    case .refused(let retryAfter): waits.append(retryAfter)
                    }
                }
                // Thrown in here, so that who is refused leaves no row behind.
                if let longest = waits.max() { throw Self.blocked(longest) }
                for (state, subject) in zip(states, subjects) { try AttemptTable.save(state, of: subject, db) }
            }
        } catch {
            if error.code == .rateLimited { measures.loginsBlocked.increment() }
            throw error
        }
    }

    /// Nothing was tried after all: that is nobody's failure.
    func forgive(_ email: Email, from origin: Origin) throws(APIError) {
        try store.writeOnce(.normal) { db in try AttemptTable.forgive(AttemptSubject(email), db) }
        try forgive(siteOf: origin)
    }

    /// It was the right one, and whoever it was is in. Of the address this one attempt is forgiven; of the account all
    /// of them, or this one too.
    ///
    /// After the transaction that lets somebody in, and not in it: whoever tries the same account or comes from the
    /// same address changes these rows, and on PostgreSQL each of those transactions would stand in the others' way.
    func succeed(_ email: Email, clearsSlate: Bool, from origin: Origin) throws(APIError) {
        let (account, site) = (AttemptSubject(email), AttemptSubject(site: origin.site))
        try store.writeHolding(.normal) { db in
            // In the order in which `hold` takes them, so that no two wait for each other.
            for subject in [account, site].sorted(by: { $0.bytes.lexicographicallyPrecedes($1.bytes) }) {
                if clearsSlate, subject.bytes == account.bytes {
                    try AttemptTable.clear(subject, db)
                } else {
                    try AttemptTable.forgive(subject, db)
                }
            }
        }
    }

    /// The same as part of a transaction of which few are under way at a time. `forgive(siteOf:)` belongs after it.
    func succeed(_ email: Email, _ db: borrowing Connection) throws {
        try AttemptTable.clear(AttemptSubject(email), db)
    }

    /// This one attempt was none of a stranger. All others from there stay counted: whoever has an account of their own
    /// must not clean an address's slate with it.
    func forgive(siteOf origin: Origin) throws(APIError) {
        try store.writeOnce(.normal) { db in try AttemptTable.forgive(AttemptSubject(site: origin.site), db) }
    }

    /// Counts something that is not secret but must not be done without end: so many in an hour.
    func count(_ subject: AttemptSubject, perHourMax: Int) throws(APIError) -> Duration? {
        try store.writeHolding(.normal) { db in
            let known = try AttemptTable.hold([subject], at: time.wall, db)
            let now = time.wall
            let window = Duration.seconds(3_600)
            var state = AttemptState(failures: 0, last: now, blockedUntil: now + window)
            if let known = known.first, now < known.blockedUntil, known.blockedUntil - now <= window { state = known }
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
