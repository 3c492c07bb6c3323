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
        let origin: Origin
    }

    // MARK: Beginning

    /// A session that is about to be stored.
    struct Beginning: Sendable {
        let id: SessionID
        fileprivate let account: UserID
        fileprivate let scope: Scopes
        fileprivate let device: String
        fileprivate let time: Timestamp
        fileprivate let markKey: [UInt8]
        fileprivate let token: Digest

        func state(in region: String) -> SessionState {
            SessionState(
                id: id,
                account: account,
                client: TokenIssuer.clientID,
                device: device,
                scope: scope,
                region: region,
                created: time,
                used: time,
                mark: markKey,
                current: token
            )
        }

        func grant(in region: RegionRecord) -> Grant { Grant(user: account, session: id, scope: scope, region: region) }
    }

    func make(
        for account: UserID,
        scope: Scopes = .all,
        device: String,
        at time: Timestamp
    ) -> (Beginning, RefreshToken) {
        let (id, markKey) = (SessionID.random(at: time), Random.bytes(count: RefreshToken.markKeyBytes))
        let token = RefreshToken.make(for: id, markKey: markKey)
        let beginning = Beginning(
            id: id,
            account: account,
            scope: scope,
            device: device,
            time: time,
            markKey: markKey,
            token: token.digest
        )
        return (beginning, token)
    }

    func answer(_ grant: Grant, refreshToken: RefreshToken, user: UserRecord?) -> SessionAnswer {
        SessionAnswer(
            accessToken: issuer.accessToken(for: grant),
            expiresInSeconds: issuer.lifetimeSeconds,
            refreshToken: refreshToken.text,
            scope: grant.scope.text,
            user: user,
            region: grant.region
        )
    }

    // MARK: Refreshing

    private enum Outcome {
        case granted(Grant, RefreshToken)
        case refused(OAuthError)
    }

    func refresh(_ request: RefreshRequest) throws(OAuthFailure) -> SessionAnswer {
        let named = try Self.digest(ofRequestID: request.requestID)
        guard let token = RefreshToken(request.token) else { throw refuse(Self.unknown) }
        let now = time.wall
        let outcome: Outcome
        do throws(APIError) {
            outcome = try store.write { db in try refresh(token, named, request, now, db) }
        } catch {
            throw .api(error)
        }
        switch outcome {
        case .refused(let error): throw refuse(error)
        case .granted(let grant, let successor): return answer(grant, refreshToken: successor, user: nil)
        }
    }

    private func refresh(
        _ token: RefreshToken,
        _ named: Digest?,
        _ request: RefreshRequest,
        _ now: Timestamp,
        _ db: borrowing Connection
    ) throws -> Outcome {
        guard let session = try SessionTable.load(token.session, db), token.isGenuine(markKey: session.mark) else {
            return .refused(Self.unknown)
        }
        let decision = rule.decide(session, shown: token.digest, request: named, at: now)
        switch decision {
        case .ended: return .refused(Self.ended)
        case .expired:
            _ = try SessionTable.end(session.id, .expired, at: now, db)
            return .refused(Self.ended)
        case .reused:
            _ = try SessionTable.end(session.id, .reused, at: now, db)
            try AuditTable.add(
                .refresh,
                .reused,
                account: session.account,
                session: session.id,
                from: request.origin,
                at: now,
                db
            )
            measures.refreshesReused.increment()
            logger.warning(
                "a refresh token came twice; its session was ended",
                ["session": session.id, "account": session.account, "client": request.origin.client]
            )
            return .refused(Self.ended)
        case .rotate, .repeated:
            // What is wrong with the rest of the request must not cost the token.
            let grant: Grant
            switch try Self.grant(session, request, db) {
            case .failure(let error): return .refused(error)
            case .success(let found): grant = found
            }
            guard decision == .rotate else { return try again(session, token, grant) }
            return try rotate(session, token, named, grant, now, db)
        }
    }

    private static func grant(
        _ session: SessionState,
        _ request: RefreshRequest,
        _ db: borrowing Connection
    ) throws -> Result<Grant, OAuthError> {
        let scope = request.scope.map { Scopes(words: $0) } ?? session.scope
        guard scope.isSubset(of: session.scope), !scope.words.isEmpty else {
            return .failure(OAuthError(.invalidScope, "the session does not have this scope"))
        }
        let region =
            if let resource = request.resource {
                try RegionTable.open(filesURL: RegionSetting.withoutLastSlash(resource), db)
            } else {
                try RegionTable.open(code: session.region, db)
            }
        guard let region else {
            return .failure(OAuthError(.invalidTarget, "the resource is not the files URL of a region that is open"))
        }
        return .success(Grant(user: session.account, session: session.id, scope: scope, region: region))
    }

    private func rotate(
        _ session: SessionState,
        _ token: RefreshToken,
        _ named: Digest?,
        _ grant: Grant,
        _ now: Timestamp,
        _ db: borrowing Connection
    ) throws -> Outcome {
        let successor = RefreshToken.make(for: session.id, markKey: session.mark)
        let predecessor = SessionState.Predecessor(
            digest: token.digest,
            rotated: now,
            request: named,
            sealedSuccessor: token.seal(successor)
        )
        try SessionTable.rotate(session.id, to: successor.digest, after: predecessor, db)
        measures.refreshesDone.increment()
        return .granted(grant, successor)
    }

    private func again(_ session: SessionState, _ token: RefreshToken, _ grant: Grant) throws -> Outcome {
        guard let sealed = session.predecessor?.sealedSuccessor, let successor = token.open(sealed) else {
            throw APIError.internalError("what is stored of the session is damaged; log in again")
        }
        measures.refreshesRepeated.increment()
        return .granted(grant, successor)
    }

    private func refuse(_ error: OAuthError) -> OAuthFailure {
        measures.refreshesRefused.increment()
        return .refused(error)
    }

    private static let unknown = OAuthError(.invalidGrant, "the refresh token is not one of this service")
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

    /// Ends the session that the token belongs to. Whatever else the text is, there is nothing to do, and that is fine
    /// too (RFC 7009, 2.2).
    func revoke(_ text: String, from origin: Origin) throws(APIError) {
        guard let token = RefreshToken(text) else { return }
        let now = time.wall
        try store.write { db in
            guard let session = try SessionTable.load(token.session, db), token.isGenuine(markKey: session.mark),
                try SessionTable.end(session.id, .revoked, at: now, db)
            else { return }
            try AuditTable.add(
                .revoke,
                .done,
                account: session.account,
                session: session.id,
                from: origin,
                at: now,
                db
            )
            measures.sessionsRevoked.increment()
        }
    }
}
