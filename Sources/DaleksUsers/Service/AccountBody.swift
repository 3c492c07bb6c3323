import DaleksCore
import DaleksJSON

/// How accounts and what belongs to them are written, in one place.
enum AccountBody {
    /// For the person, and for administrators.
    static func write(_ account: Account, to json: inout JSONWriter) {
        json.member("id", account.id)
        json.member("email", account.email.text)
        json.member("name", account.name)
        json.member("handle", ifPresent: account.handle?.text)
        json.member("role", account.role.rawValue)
        json.member("region", ifPresent: account.home)
        json.member("has_totp", account.secondFactor != nil)
        json.member("created", account.created.nanoseconds)
    }

    static func write(_ entry: UserAdministration.Entry, to json: inout JSONWriter) {
        write(entry.account, to: &json)
        json.member("is_locked", entry.account.lockedSince != nil)
        json.member("quota_bytes", ifPresent: entry.account.quotaBytes)
        json.member("session_count", entry.sessionCount)
    }

    static func write(_ password: AppPassword, to json: inout JSONWriter) {
        json.member("id", password.id)
        json.member("name", password.name)
        json.member("scope", password.scope.text)
        json.member("created", password.created.nanoseconds)
        json.member("used", ifPresent: password.used?.nanoseconds)
    }

    /// What others may see of somebody whose id they have. A files service also hears what it must enforce.
    static func writeName(of account: Account, isService: Bool, to json: inout JSONWriter) {
        json.member("id", account.id)
        json.member("name", account.name)
        json.member("handle", ifPresent: account.handle?.text)
        guard isService else { return }
        json.member("quota_bytes", ifPresent: account.quotaBytes)
        json.member("is_locked", account.lockedSince != nil)
    }
}
