import DaleksCore
import DaleksHTTP
import DaleksSQLite
import DaleksSystem

/// Finds people for sharing: by an exact address or handle, never by browsing; and names for ids that one has.
struct People: Sendable {
    let store: UsersStore
    let attempts: Attempts
    /// By one account.
    let lookUpsPerHourMax: Int

    func find(_ caller: Caller, email: String?, handle: String?) throws(APIError) -> Account {
        guard (email == nil) != (handle == nil) else { throw .malformed("ask by one of email and handle") }
        if let wait = try attempts.count(
            AttemptSubject(lookUpsBy: caller.account.id),
            perHourMax: lookUpsPerHourMax
        ) {
            throw Attempts.blocked(wait)
        }
        let account = try store.read { db -> Account? in
            if let email = email.flatMap({ Email($0) }) { return try AccountTable.load(email: email, db) }
            if let handle = handle.flatMap({ Handle($0) }) { return try AccountTable.load(handle: handle, db) }
            return nil
        }
        guard let account else { throw .notFound("nobody here has this address or handle") }
        return account
    }

    /// In the order of the ids; who is gone is left out.
    func named(_ ids: [UserID]) throws(APIError) -> [Account] {
        try store.read { db in
            var found: [Account] = []
            for id in ids {
                if let account = try AccountTable.load(id, db) { found.append(account) }
            }
            return found
        }
    }
}
