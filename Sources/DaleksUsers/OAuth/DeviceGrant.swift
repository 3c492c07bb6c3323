import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksJSON
import DaleksSQLite
import DaleksSystem

/// Lets devices in that cannot show a page, by way of one that can (RFC 8628).
struct DeviceGrant: Sendable {
    let store: UsersStore
    let sessions: Sessions
    let clients: Clients
    let issuer: TokenIssuer
    let rule: OAuthRule
    let attemptRule: AttemptRule
    let time: TimeSource

    // MARK: The device asks

    struct Invitation: JSONEncodable, Sendable {
        let deviceCode: String
        let userCode: UserCode
        let page: String
        let lifetime: Duration
        let pause: Duration

        func encode(to json: inout JSONWriter) {
            json.object { json in
                json.member("device_code", deviceCode)
                json.member("user_code", userCode.text)
                json.member("verification_uri", page)
                json.member("verification_uri_complete", page + "?user_code=\(userCode.text)")
                json.member("expires_in", lifetime.nanoseconds / 1_000_000_000)
                json.member("interval", max(1, pause.nanoseconds / 1_000_000_000))
            }
        }
    }

    func invite(_ form: OAuthForm, _ client: OAuthClient, from origin: Origin) throws(OAuthFailure) -> Invitation {
        guard client.grants.contains(.deviceCode) else {
            throw .refused(OAuthError(.unauthorizedClient, "the client may not use device codes"))
        }
        let scope: Scopes
        do throws(OAuthError) { scope = try AuthorizationRequest.scope(form["scope"], of: client) } catch {
            throw .refused(error)
        }
        let device = form["device_name"] ?? client.name
        guard Registration.isShown(device, bytesMax: Limits.Users.deviceBytesMax) else {
            throw .refused(OAuthError(.invalidRequest, "device_name is too long or holds control characters"))
        }
        let (text, now) = (DeviceRequest.newText(), time.wall)
        do throws(APIError) {
            let request = try store.write(.normal) { db in
                try add(DeviceRequest.digest(text), client, device, scope, form["resource"], origin, now, db)
            }
            return Invitation(
                deviceCode: text,
                userCode: request.userCode,
                page: issuer.issuer + PagePaths.device,
                lifetime: rule.deviceLifetime,
                pause: rule.devicePause
            )
        } catch {
            throw .api(error)
        }
    }

    private func add(
        _ code: Digest,
        _ client: OAuthClient,
        _ device: String,
        _ scope: Scopes,
        _ resource: String?,
        _ origin: Origin,
        _ now: Timestamp,
        _ db: borrowing Connection
    ) throws -> DeviceRequest {
        // One customer of a network, who may have more addresses of IPv6 than there are codes.
        let address = SHA256.digest(of: Array("device\0\(origin.site)".utf8))
        let waiting = try DeviceRequestTable.waitingCount(of: address, at: now, db)
        guard waiting < Limits.Users.waitingDevicesMax else {
            throw APIError.rateLimited("too many devices of this address wait to be let in", retryAfterSeconds: 60)
        }
        while true {
            let request = DeviceRequest(
                code: code,
                userCode: .random(),
                client: client.id,
                device: device,
                scope: scope,
                resource: resource,
                origin: address,
                expires: now + rule.deviceLifetime,
                pause: rule.devicePause,
                state: .pending
            )
            // Two of the same letters among thousands of millions are drawn again.
            if try DeviceRequestTable.insert(request, db) { return request }
        }
    }

    private enum Outcome {
        case granted(LetIn)
        case refused(OAuthError)
    }

    func redeem(
        _ text: String,
        resource: String?,
        _ client: OAuthClient,
        from origin: Origin
    ) throws(OAuthFailure) -> TokenAnswer {
        let now = time.wall
        let outcome: Outcome
        do throws(APIError) {
            // A poll is not worth a barrier; a session is.
            let code = DeviceRequest.digest(text)
            let isDecided = try store.read { db in try DeviceRequestTable.load(code, db)?.state == .approved }
            outcome = try store.write(isDecided ? .full : .normal) { db in
                try redeem(code, resource, client, origin, now, db)
            }
        } catch {
            throw .api(error)
        }
        switch outcome {
        case .refused(let error): throw .refused(error)
        case .granted(let letIn): return try letIn.answer(issuer, at: now)
        }
    }

    private func redeem(
        _ code: Digest,
        _ resource: String?,
        _ client: OAuthClient,
        _ origin: Origin,
        _ now: Timestamp,
        _ db: borrowing Connection
    ) throws -> Outcome {
        guard var request = try DeviceRequestTable.load(code, db) else {
            return .refused(OAuthError(.invalidGrant, "the device code is not one of this service"))
        }
        guard request.client == client.id else { return .refused(Sessions.foreign) }
        let answer = request.asked(at: now)
        switch answer {
        case .pending, .slowDown:
            try DeviceRequestTable.save(request, db)
            return .refused(Self.refusal(of: answer))
        case .expired, .denied, .used:
            return .refused(Self.refusal(of: answer))
        case .granted(let account, let authenticated):
            guard let resource = LetIn.resource(agreed: request.resource, asked: resource) else {
                return .refused(LetIn.otherResource)
            }
            let asked = LetIn.Asked(
                client: client,
                account: account,
                scope: request.scope,
                device: request.device,
                resource: resource,
                nonce: nil,
                authenticated: authenticated
            )
            switch try LetIn.make(asked, sessions, at: now, db) {
            case .failure(let error): return .refused(error)
            case .success(let letIn):
                try DeviceRequestTable.save(request, db)
                try AuditTable.add(
                    .device,
                    .done,
                    account: account,
                    session: letIn.session,
                    from: origin,
                    at: now,
                    db
                )
                return .granted(letIn)
            }
        }
    }

    private static func refusal(of answer: DeviceRequest.Answer) -> OAuthError {
        switch answer {
        case .pending, .granted: OAuthError(.authorizationPending, "nobody has let the device in yet")
        case .slowDown: OAuthError(.slowDown, "ask again 5 seconds later than before")
        case .expired: OAuthError(.expiredToken, "nobody let the device in in time; ask for another code")
        case .denied: OAuthError(.accessDenied, "the device was not let in")
        case .used: OAuthError(.invalidGrant, "the device code was used before")
        }
    }

    // MARK: Somebody types the letters

    /// A device that waits under these letters, and its program. Nil: none does. Guesses are counted, by account and by
    /// address, before they are looked up.
    func waiting(
        _ code: UserCode,
        asked account: UserID,
        from origin: Origin
    ) throws(APIError) -> (request: DeviceRequest, client: OAuthClient)? {
        let now = time.wall
        let subjects = [
            AttemptSubject("device code by account", "\(account)"),
            AttemptSubject("device code by address", origin.site),
        ]
        let found = try store.writeHolding(.normal) { db -> DeviceRequest? in
            let held = try AttemptTable.hold(subjects, at: now, db)
            for (subject, state) in zip(subjects, held) { try count(subject, state, now, db) }
            guard let request = try DeviceRequestTable.load(code, db), request.state == .pending,
                now < request.expires
            else { return nil }
            for subject in subjects { try AttemptTable.forgive(subject, db) }
            return request
        }
        guard let found, let client = try clients.find(found.client) else { return nil }
        return (found, client)
    }

    private func count(
        _ subject: AttemptSubject,
        _ held: AttemptState,
        _ now: Timestamp,
        _ db: borrowing Connection
    ) throws {
        switch attemptRule.admit(after: held, at: now) {
        case .admitted(let state): try AttemptTable.save(state, of: subject, db)
        case .refused(let retryAfter):
            let seconds = Int((retryAfter.nanoseconds + 999_999_999) / 1_000_000_000)
            throw APIError.rateLimited(
                "too many codes were tried; wait before the next",
                retryAfterSeconds: max(1, seconds)
            )
        }
    }

    /// False where it waits no more.
    func decide(
        _ code: UserCode,
        isApproved: Bool,
        by account: UserID,
        authenticated: Timestamp,
        from origin: Origin
    ) throws(APIError) -> Bool {
        let now = time.wall
        return try store.write { db in
            guard var request = try DeviceRequestTable.load(code, db), request.state == .pending,
                now < request.expires
            else { return false }
            request.state = isApproved ? .approved : .denied
            request.account = account
            request.authenticated = authenticated
            try DeviceRequestTable.save(request, db)
            if !isApproved { try AuditTable.add(.device, .refused, account: account, from: origin, at: now, db) }
            return true
        }
    }
}
