import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// Log-ins and their refresh tokens.
struct Sessions: Sendable {
    let store: UsersStore
    let issuer: TokenIssuer
    let rule: RefreshRule
    let measures: UsersMeasures
    let time: TimeSource
    let logger: Logger

    /// What a client asks with a refresh token.
    struct RefreshRequest: Sendable {
        let token: String
        /// Drawn by the client, the same for each try of one request.
        let requestID: String?
        /// The files URL of the region that the access token is for; nil: that of the log-in.
        let resource: String?
        /// Fewer words than the session has; nil: all of them.
        let scope: String?
        /// Who asks: a session's tokens are good for its own program only.
        let client: String
        let origin: Origin
    }

    // MARK: Beginning

    /// A session that is about to be stored.
    struct Beginning: Sendable {
        let id: SessionID
        fileprivate let account: UserID
        fileprivate let client: String
        fileprivate let scope: Scopes
        fileprivate let device: String
        fileprivate let time: Timestamp
        fileprivate let until: Timestamp?
        fileprivate let appPassword: AppPasswordID?
        fileprivate let isProven: Bool
        fileprivate let markKey: [UInt8]
        fileprivate let token: Digest

        func state(in region: String) -> SessionState {
            SessionState(
                id: id,
                account: account,
                client: client,
                device: device,
                scope: scope,
                region: region,
                created: time,
                used: time,
                mark: markKey,
                current: token,
                until: until,
                appPassword: appPassword,
                isProven: isProven
            )
        }

        func grant(in region: RegionRecord?) -> Grant {
            Grant(subject: .user(account, session: id), client: client, scope: scope, region: region)
        }
    }

    /// `until` is for sessions that nobody refreshes, `isProven` for those that begin with the password itself.
    func make(
        for account: UserID,
        client: String = OAuthClient.house.id,
        scope: Scopes = .all,
        device: String,
        at time: Timestamp,
        until: Timestamp? = nil,
        appPassword: AppPasswordID? = nil,
        isProven: Bool = false
    ) -> (Beginning, RefreshToken) {
        let (id, markKey) = (SessionID.random(at: time), Random.bytes(count: RefreshToken.markKeyBytes))
        let token = RefreshToken.make(for: id, markKey: markKey)
        let beginning = Beginning(
            id: id,
            account: account,
            client: client,
            scope: scope,
            device: device,
            time: time,
            until: until,
            appPassword: appPassword,
            isProven: isProven,
            markKey: markKey,
            token: token.digest
        )
        return (beginning, token)
    }

    func answer(_ grant: Grant, refreshToken: RefreshToken?, user: UserRecord?) -> SessionAnswer {
        SessionAnswer(
            accessToken: issuer.accessToken(for: grant),
            expiresInSeconds: issuer.lifetimeSeconds,
            refreshToken: refreshToken?.text,
            scope: grant.scope.text,
            user: user,
            region: grant.region
        )
    }

    // MARK: Refreshing

    private enum Outcome {
        case granted(Grant, RefreshToken)
        case refused(OAuthError)
        /// Another use of the session came between looking and acting.
        case overtaken
    }

    /// Looks, decides, and acts in one statement that holds only where nothing came between: most refreshes are two
    /// short trips to the database, none of which holds up another session.
    func refresh(_ request: RefreshRequest) throws(OAuthFailure) -> SessionAnswer {
        let named = try Self.digest(ofRequestID: request.requestID)
        guard let token = RefreshToken(request.token) else { throw refuse(Self.unknown) }
        for _ in 0..<Limits.Users.refreshTriesMax {
            let outcome: Outcome
            do throws(APIError) { outcome = try refresh(token, named, request) } catch { throw .api(error) }
            switch outcome {
            case .refused(let error): throw refuse(error)
            case .granted(let grant, let successor): return answer(grant, refreshToken: successor, user: nil)
            case .overtaken: continue
            }
        }
        throw .api(.unavailable("the session is used by too many at once; try again"))
    }

    private func refresh(
        _ token: RefreshToken,
        _ named: Digest?,
        _ request: RefreshRequest
    ) throws(APIError) -> Outcome {
        let resource = request.resource.map { RegionSetting.withoutLastSlash($0) }
        let found = try store.readOnce { db in try StandingTable.load(token.session, filesURL: resource, db) }
        guard let (session, region) = found, token.isGenuine(markKey: session.mark) else {
            return .refused(Self.unknown)
        }
        // Not ended by this: whoever shows it as another program proves nothing about who else has it.
        guard session.client == request.client else { return .refused(Self.foreign) }
        let now = time.wall
        let decision = rule.decide(session, shown: token.digest, request: named, at: now)
        switch decision {
        case .ended: return .refused(Self.ended)
        case .expired, .reused: return try end(session, decision, token, named, request, now)
        case .rotate, .repeated:
            // What is wrong with the rest of the request must not cost the token.
            let grant: Grant
            switch Self.grant(session, region, request, isForUs: resource == issuer.issuer) {
            case .failure(let error): return .refused(error)
            case .success(let found): grant = found
            }
            guard decision == .rotate else { return try again(session, token, grant) }
            return try rotate(session, token, named, grant, now)
        }
    }

    private func end(
        _ seen: SessionState,
        _ decision: RefreshRule.Decision,
        _ token: RefreshToken,
        _ named: Digest?,
        _ request: RefreshRequest,
        _ now: Timestamp
    ) throws(APIError) -> Outcome {
        let outcome = try store.write { db -> Outcome in
            // What was seen may be the past: only what it is now may end it.
            guard let session = try SessionTable.load(seen.id, db),
                rule.decide(session, shown: token.digest, request: named, at: now) == decision
            else { return .overtaken }
            _ = try SessionTable.end(session.id, decision == .reused ? .reused : .expired, at: now, db)
            guard decision == .reused else { return .refused(Self.ended) }
            try AuditTable.add(
                .refresh,
                .reused,
                account: session.account,
                session: session.id,
                from: request.origin,
                at: now,
                db
            )
            return .refused(Self.ended)
        }
        if decision == .reused, case .refused = outcome {
            measures.refreshesReused.increment()
            logger.warning(
                "a refresh token came twice; its session was ended",
                ["session": seen.id, "account": seen.account, "client": request.origin.client]
            )
        }
        return outcome
    }

    /// `region` is that of the request's resource, or without one the session's own.
    private static func grant(
        _ session: SessionState,
        _ region: RegionRecord?,
        _ request: RefreshRequest,
        isForUs: Bool
    ) -> Result<Grant, OAuthError> {
        let scope = request.scope.map { Scopes(words: $0) } ?? session.scope
        guard scope.isSubset(of: session.scope), !scope.words.isEmpty else {
            return .failure(OAuthError(.invalidScope, "the session does not have this scope"))
        }
        // For this service itself no region is named, and none is ever shown the token.
        guard !isForUs, scope.concernsFiles || request.resource != nil else {
            return .success(Self.grant(session, scope, nil))
        }
        guard let region else {
            return .failure(OAuthError(.invalidTarget, "the resource is not the files URL of a region that is open"))
        }
        return .success(Self.grant(session, scope, region))
    }

    private static func grant(_ session: SessionState, _ scope: Scopes, _ region: RegionRecord?) -> Grant {
        Grant(
            subject: .user(session.account, session: session.id),
            client: session.client,
            scope: scope,
            region: region
        )
    }

    private func rotate(
        _ session: SessionState,
        _ token: RefreshToken,
        _ named: Digest?,
        _ grant: Grant,
        _ now: Timestamp
    ) throws(APIError) -> Outcome {
        let successor = RefreshToken.make(for: session.id, markKey: session.mark)
        let predecessor = SessionState.Predecessor(
            digest: token.digest,
            rotated: now,
            request: named,
            sealedSuccessor: token.seal(successor)
        )
        let isDone = try store.writeOnce { db in
            try SessionTable.rotate(session.id, to: successor.digest, after: predecessor, db)
        }
        guard isDone else { return .overtaken }
        measures.refreshesDone.increment()
        return .granted(grant, successor)
    }

    private func again(_ session: SessionState, _ token: RefreshToken, _ grant: Grant) throws(APIError) -> Outcome {
        guard let sealed = session.predecessor?.sealedSuccessor, let successor = token.open(sealed) else {
            throw .internalError("what is stored of the session is damaged; log in again")
        }
        // A reader may see the rotation before it is durable. A power cut that took it back would make its token one
        // that was never given out, and its owner a thief.
        try store.flush()
        measures.refreshesRepeated.increment()
        return .granted(grant, successor)
    }

    private func refuse(_ error: OAuthError) -> OAuthFailure {
        measures.refreshesRefused.increment()
        return .refused(error)
    }

    private static let unknown = OAuthError(.invalidGrant, "the refresh token is not one of this service")
    static let foreign = OAuthError(.invalidGrant, "the token was issued to another client")
    private static let ended = OAuthError(.invalidGrant, "the session has ended; log in again")

    private static func digest(ofRequestID text: String?) throws(OAuthFailure) -> Digest? {
        guard let text else { return nil }
        guard Limits.Users.requestIDBytes.contains(text.utf8.count) else {
            let range = Limits.Users.requestIDBytes
            throw .refused(
                OAuthError(
                    .invalidRequest,
                    "request_id has \(range.lowerBound) to \(range.upperBound) random characters"
                )
            )
        }
        return SHA256.digest(of: Array(text.utf8))
    }

    // MARK: Ending

    /// The session that a refresh token belongs to, if this service made it.
    func session(of text: String) throws(APIError) -> SessionState? {
        guard let token = RefreshToken(text) else { return nil }
        return try store.readOnce { db in
            guard let session = try SessionTable.load(token.session, db), token.isGenuine(markKey: session.mark) else {
                return nil
            }
            return session
        }
    }

    /// Those that go on, the one used last first.
    func list(of account: UserID) throws(APIError) -> [SessionState] {
        let now = time.wall
        return try store.read { db in
            try SessionTable.live(of: account, db).filter { !rule.isOver($0, at: now) }
        }
    }

    /// Ends one session. False where this account has no such session that goes on.
    func revoke(_ id: SessionID, of account: UserID, from origin: Origin) throws(APIError) -> Bool {
        let now = time.wall
        // Whose a session is never changes, and what ends it is one statement that holds it. So the many that log out
        // at once wait for the feed's next number, and none of them has to begin again.
        let isEnded = try store.writeHolding(.full) { db in
            guard try SessionTable.load(id, db)?.account == account, try SessionTable.end(id, .revoked, at: now, db)
            else { return false }
            try AuditTable.add(.revoke, .done, account: account, session: id, from: origin, at: now, db)
            return true
        }
        if isEnded { measures.sessionsRevoked.increment() }
        return isEnded
    }

    /// Ends every session of the account but that one; how many there were.
    func revokeAll(
        of account: UserID,
        except kept: SessionID?,
        from origin: Origin
    ) throws(APIError) -> Int {
        let now = time.wall
        let count = try store.write { db in
            var count = 0
            try MailTable.forget(.email, of: account, db)
            for session in try SessionTable.live(of: account, db) where session.id != kept {
                guard try SessionTable.end(session.id, .revoked, at: now, db) else { continue }
                try AuditTable.add(.revoke, .done, account: account, session: session.id, from: origin, at: now, db)
                count += 1
            }
            return count
        }
        for _ in 0..<count { measures.sessionsRevoked.increment() }
        return count
    }
}
