import DaleksAPI
import DaleksCore
import DaleksSystem

/// Whom the users service told us not to believe any more.
///
/// ## Concurrency
/// `state` is guarded by itself and held for a look-up: every request asks.
final class Revocations: Sendable {
    private struct State {
        var sessions: [SessionID: Timestamp] = [:]
        /// Tokens that were issued then or earlier.
        var users: [UserID: Timestamp] = [:]
        var deleted: [UserID: Timestamp] = [:]
        var locked: Set<UserID> = []
        var everythingBefore: Timestamp?
    }

    private let state = Lock(State())

    func isRevoked(_ caller: Caller) -> Bool {
        state.withLock { state in
            if state.deleted[caller.user] != nil { return true }
            if state.sessions[caller.session] != nil { return true }
            if let before = state.users[caller.user], caller.issued <= before { return true }
            if let before = state.everythingBefore, caller.issued <= before { return true }
            return false
        }
    }

    /// Whether nothing of somebody's may be shown to the public: the account is locked, or gone. What it made for
    /// others to read without one must not outlive it.
    func isBarred(_ user: UserID) -> Bool {
        state.withLock { $0.locked.contains(user) || $0.deleted[user] != nil }
    }

    /// Applying something twice changes nothing.
    func apply(_ events: [Revocation]) {
        state.withLock { state in
            for event in events {
                switch event.kind {
                case .session(let session, _): state.sessions[session] = event.time
                case .user(let user, let before): state.users[user] = max(before, state.users[user] ?? before)
                case .deletion(let user, let purgeAfter): state.deleted[user] = purgeAfter
                case .lock(let user): state.locked.insert(user)
                case .unlock(let user): state.locked.remove(user)
                case .everything(let before):
                    state.everythingBefore = max(before, state.everythingBefore ?? before)
                case .unknown: continue
                }
            }
        }
    }

    /// Gives up what no token that still holds can be concerned by.
    func forget(before time: Timestamp) {
        state.withLock { state in
            state.sessions = state.sessions.filter { $0.value >= time }
            state.users = state.users.filter { $0.value >= time }
        }
    }

    var count: Int { state.withLock { $0.sessions.count + $0.users.count + $0.deleted.count } }
}
