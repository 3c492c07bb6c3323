import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksHTTP
import DaleksJSON
import DaleksSystem

/// Finds people by how they are called, and how people are called.
struct People {
    let session: AccountSession

    /// By e-mail address, handle or id; exactly so, since the wrong person must not be given anything.
    func find(_ who: String) throws(CommandFailure) -> UserID {
        if let id = UserID(who) { return id }
        let key = who.contains("@") ? "email" : "handle"
        do throws(ClientFailure) {
            let answer = try session.account.ask(.get, "\(Routes.Users.find)?\(key)=\(PercentEncoding.encode(who))")
            do throws(JSONError) { return try JSONReader(answer).identifier("id") } catch {
                throw ClientFailure.malformed("\(error)")
            }
        } catch {
            if APIError.Code.notFound.explains(error) {
                throw .failed(
                    "nobody is called \(who) at \(session.credentials.usersURL); give the whole e-mail address"
                )
            }
            throw CommandFailure(error, at: who)
        }
    }

    /// A handle or a name for each; an id where the users service does not say.
    func names(of ids: some Sequence<UserID>) -> [UserID: String] {
        var names: [UserID: String] = [session.credentials.user.id: "you"]
        let unknown = Set(ids).subtracting(names.keys).sorted()
        for start in stride(from: 0, to: unknown.count, by: Limits.Wire.nameQueryCountMax) {
            let some = unknown[start..<min(unknown.count, start + Limits.Wire.nameQueryCountMax)]
            let body = JSONObject([("ids", .array(some.map { .string("\($0)") }))])
            // Without names the answer is still worth having.
            guard let answer = try? session.account.ask(.post, Routes.Users.names, body),
                let users = try? JSONReader(answer).array("users")
            else { break }
            for user in users {
                guard let id: UserID = try? user.identifier("id") else { continue }
                let handle = (try? user.optionalString("handle")) ?? nil
                names[id] = handle ?? (try? user.string("name")) ?? "\(id)"
            }
        }
        return names
    }
}

extension Call {
    /// `--expires`: a while from now, or a day.
    func expiry() throws(CommandFailure) -> Timestamp? {
        guard let text = settings.optionalText("expires") else { return nil }
        let now = TimeSource.system.wall
        guard let time = Expiry.time(text, from: now) else {
            throw .usage("--expires: \(text) is neither a while such as 7d or 12h, nor a day such as 2027-01-31")
        }
        guard time > now else { throw .usage("--expires: \(text) is past") }
        return time
    }

    static let expiryOption = Option(
        "expires",
        .text(placeholder: "WHEN"),
        help: "When it ends: a while such as 7d or 12h, or a day such as 2027-01-31 (its end, UTC)."
    )
}

/// What people write for when something is to end.
enum Expiry {
    static func time(_ text: String, from now: Timestamp) -> Timestamp? {
        if let duration = duration(text) { return now + duration }
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts.map(\.count) == [4, 2, 2], let year = Int(parts[0]), let month = Int(parts[1]),
            let day = Int(parts[2]),
            let seconds = CivilTime.seconds(year: year, month: month, day: day, hour: 23, minute: 59, second: 59)
        else { return nil }
        return Timestamp(seconds: seconds)
    }

    /// `30d`, `12h`, `2w`: a whole number and a unit.
    static func duration(_ text: String) -> Duration? {
        let units: [Character: Int64] = ["m": 60, "h": 3_600, "d": 86_400, "w": 604_800]
        guard let last = text.last, let unit = units[last], let count = Int64(text.dropLast()),
            (1...99_999).contains(count)
        else { return nil }
        return .seconds(count * unit)
    }
}
