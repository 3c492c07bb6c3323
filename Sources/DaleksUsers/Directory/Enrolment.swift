import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// How a region comes into the directory without anybody copying secrets: an administrator hands its operator a token,
/// and the files service brings it.
struct Enrolment: Sendable {
    let store: UsersStore
    let issuer: TokenIssuer
    let time: TimeSource

    struct Ticket: Sendable {
        let secret: String
        let expires: Timestamp
    }

    /// A token for that code. One of before is void.
    func invite(
        code: String,
        name: String?,
        by actor: Caller,
        from origin: Origin
    ) throws(APIError) -> Ticket {
        guard RegionSetting.isCode(code) else { throw Self.badCode }
        if let name { _ = try Registration.name(name) }
        let secret = Secret.make(.enrolment)
        let now = time.wall
        let expires = now + Limits.Users.enrolmentLifetime
        try store.write { db in
            try RegionTable.addEnrolment(secret.digest, code: code, name: name, expires: expires, db)
            try AuditTable.add(
                .enrol,
                .done,
                account: nil,
                actor: actor.account.id,
                detail: "invited \(code)",
                from: origin,
                at: now,
                db
            )
        }
        return Ticket(secret: secret.text, expires: expires)
    }

    func enrol(_ request: EnrolmentRequest, from origin: Origin) throws(APIError) -> EnrolmentAnswer {
        guard let url = RegionSetting.url(request.filesURL) else { throw Self.badURL }
        if let name = request.name { _ = try Registration.name(name) }
        guard let token = Secret(.enrolment, request.token) else { throw Self.badToken }
        let secret = Secret.make(.service)
        let now = time.wall
        let region = try store.write { db -> RegionRecord in
            guard let ticket = try RegionTable.takeEnrolment(token.digest, at: now, db) else { throw Self.badToken }
            let known = try RegionTable.load(code: ticket.code, db)
            let region = RegionRecord(
                code: ticket.code,
                name: request.name ?? ticket.name ?? known?.name ?? ticket.code,
                filesURL: url,
                status: known.map { $0.status == RegionTable.closed ? RegionTable.open : $0.status } ?? RegionTable.open
            )
            // The token stays good: nothing of this transaction holds.
            guard try RegionTable.save(region, db) else {
                throw APIError(.alreadyExists, "another region has this files URL")
            }
            try RegionTable.setSecret(secret.digest, of: region.code, db)
            try AuditTable.add(
                .enrol,
                .done,
                account: nil,
                detail: "enrolled \(region.code)",
                from: origin,
                at: now,
                db
            )
            return region
        }
        return EnrolmentAnswer(region: region, serviceID: region.code, secret: secret.text, issuer: issuer.issuer)
    }

    static var badCode: APIError { .invalid("a region's code has 1 to 32 lower-case letters, digits and dashes") }
    static var badURL: APIError { .invalid("the files URL is not an http or https URL") }
    private static var badToken: APIError {
        .forbidden("the token is not one for enrolment, was used before, or is older than an hour")
    }
}
