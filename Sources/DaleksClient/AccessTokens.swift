import DaleksAPI
import DaleksCore
public import DaleksSystem

/// Access tokens for one profile, fresh whenever one is asked for.
///
/// ## Concurrency
/// `state` is guarded by its condition. One thread refreshes for all that wait; a refresh does its input and output
/// without the lock. A new refresh token is durable before it is used.
public final class AccessTokens: Sendable {
    private struct State {
        var credentials: Credentials
        /// When to get the next one, on the clock that does not jump; nil while that is not known.
        var refreshAt: Instant?
        var isRefreshing = false
        var ended: String?
        /// For the users service itself, and for other regions. Kept nowhere else: they are asked for when they are
        /// needed.
        var others: [Resource: (token: String, refreshAt: Instant)] = [:]
    }

    /// What a token is for, beside the region of the log-in.
    private enum Resource: Hashable {
        case users
        case region(String)
    }

    private let store: CredentialStore
    private let users: UsersClient
    private let time: TimeSource
    private let logger: Logger
    private let state: Condition<State>

    public init(
        _ credentials: Credentials,
        store: CredentialStore,
        users: UsersClient,
        time: TimeSource = .system,
        logger: Logger
    ) {
        self.store = store
        self.users = users
        self.time = time
        self.logger = logger
        state = Condition(State(credentials: credentials))
        let left = credentials.accessExpires - time.wall
        if left > Self.margin { state.withLock { $0.refreshAt = time.now + left - Self.margin } }
    }

    /// How long before its end a token is replaced: longer than any request takes.
    private static let margin: Duration = .seconds(60)

    /// A token that is good for a while.
    public func token() throws(ClientFailure) -> String { try token(insteadOf: nil) }

    /// Another token than one that a service refused.
    public func token(insteadOf refused: String?) throws(ClientFailure) -> String {
        enum Step {
            case use(String)
            case refresh(Credentials)
            case ended(String)
        }
        let step: Step = state.waitThrowing(until: { !$0.isRefreshing }) { state in
            if let reason = state.ended { return .ended(reason) }
            let token = state.credentials.accessToken
            if let refreshAt = state.refreshAt, time.now < refreshAt, token != refused { return .use(token) }
            state.isRefreshing = true
            return .refresh(state.credentials)
        }
        switch step {
        case .use(let token): return token
        case .ended(let reason): throw .loggedOut(reason)
        case .refresh(let credentials): return try refresh(credentials, refused: refused)
        }
    }

    /// A token for a region: for that of the log-in where `resource` is nil, else for the one that tokens call so.
    func token(for resource: String?, insteadOf refused: String?) throws(ClientFailure) -> String {
        guard let resource else { return try token(insteadOf: refused) }
        return try other(.region(resource), insteadOf: refused)
    }

    /// A token for the users service itself, with which accounts are managed. No region ever sees it.
    public func ownToken(insteadOf refused: String? = nil) throws(ClientFailure) -> String {
        try other(.users, insteadOf: refused)
    }

    private func other(_ resource: Resource, insteadOf refused: String?) throws(ClientFailure) -> String {
        enum Step {
            case use(String)
            case refresh(Credentials)
            case ended(String)
        }
        let step: Step = state.waitThrowing(until: { !$0.isRefreshing }) { state in
            if let reason = state.ended { return .ended(reason) }
            if let other = state.others[resource], time.now < other.refreshAt, other.token != refused {
                return .use(other.token)
            }
            state.isRefreshing = true
            return .refresh(state.credentials)
        }
        switch step {
        case .use(let token): return token
        case .ended(let reason): throw .loggedOut(reason)
        case .refresh(let credentials): return try refresh(resource, credentials)
        }
    }

    private func refresh(_ resource: Resource, _ known: Credentials) throws(ClientFailure) -> String {
        do throws(ClientFailure) {
            let name =
                switch resource {
                case .users: try users.issuer()
                case .region(let url): url
                }
            let (credentials, answer) = try store.withLock { () throws(ClientFailure) in
                var credentials = try newest(known)
                let answer = try exchange(&credentials, resource: name)
                try save(credentials)
                return (credentials, answer)
            }
            let lifetime = Duration.seconds(answer.expiresInSeconds)
            state.withLock { state in
                state.credentials = credentials
                state.others[resource] = (answer.accessToken, time.now + max(lifetime - Self.margin, lifetime / 2))
                state.isRefreshing = false
            }
            state.broadcast()
            return answer.accessToken
        } catch {
            giveUp(error)
            throw error
        }
    }

    private func giveUp(_ error: ClientFailure) {
        state.withLock { state in
            if case .loggedOut(let reason) = error { state.ended = reason }
            state.isRefreshing = false
        }
        state.broadcast()
    }

    /// Why no token can be had any more; nil while all is well.
    public var ending: String? { state.withLock { $0.ended } }

    private func refresh(_ known: Credentials, refused: String?) throws(ClientFailure) -> String {
        do throws(ClientFailure) {
            let (credentials, lifetime) = try store.withLock { () throws(ClientFailure) in
                try refreshLocked(known, refused)
            }
            state.withLock { state in
                state.credentials = credentials
                state.refreshAt = time.now + max(lifetime - Self.margin, lifetime / 2)
                state.isRefreshing = false
            }
            state.broadcast()
            return credentials.accessToken
        } catch {
            giveUp(error)
            throw error
        }
    }

    private func refreshLocked(
        _ known: Credentials,
        _ refused: String?
    ) throws(ClientFailure) -> (Credentials, lifetime: Duration) {
        var credentials = try newest(known)
        let left = credentials.accessExpires - time.wall
        if credentials.accessToken != known.accessToken, credentials.accessToken != refused, left > Self.margin {
            // Another program of ours was here first.
            return (credentials, left)
        }
        let answer = try exchange(&credentials, resource: credentials.region.filesURL)
        let lifetime = Duration.seconds(answer.expiresInSeconds)
        credentials.accessToken = answer.accessToken
        credentials.accessExpires = time.wall + lifetime
        try save(credentials)
        logger.debug("access token refreshed")
        return (credentials, lifetime)
    }

    /// Uses the refresh token up for an access token and its successor, which the caller saves before it uses them. A
    /// request that breaks off is sent again under its own name, whatever it asks for by then, and gets the same
    /// successor.
    private func exchange(
        _ credentials: inout Credentials,
        resource: String
    ) throws(ClientFailure) -> SessionAnswer {
        let requestID = credentials.refreshRequestID ?? Hex.encode(Random.bytes(count: 16))
        credentials.refreshRequestID = requestID
        try save(credentials)
        let answer = try users.refresh(credentials.refreshToken, requestID: requestID, resource: resource)
        credentials.refreshToken = answer.refreshToken ?? credentials.refreshToken
        credentials.refreshRequestID = nil
        return answer
    }

    private func newest(_ known: Credentials) throws(ClientFailure) -> Credentials {
        do throws(CredentialStore.Failure) {
            return try store.load()
        } catch {
            switch error {
            case .absent: throw .loggedOut("this profile was logged out")
            case .unreadable: return known
            }
        }
    }

    private func save(_ credentials: Credentials) throws(ClientFailure) {
        do throws(Errno) {
            try store.save(credentials)
        } catch {
            throw .unreachable("the credentials cannot be kept in \(store.path): \(error)")
        }
    }
}
