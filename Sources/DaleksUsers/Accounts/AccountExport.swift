import DaleksCore
import DaleksHTTP
import DaleksJSON
import DaleksSQLite
import DaleksSystem

/// Everything that this service keeps about somebody, for them to have.
struct AccountExport: Sendable {
    let store: UsersStore
    let refreshRule: RefreshRule
    let time: TimeSource

    func run(_ account: Account, from origin: Origin) throws(APIError) -> [UInt8] {
        let now = time.wall
        try store.write { db in
            try AuditTable.add(.export, .done, account: account.id, from: origin, at: now, db)
        }
        return try store.read { db in
            guard let account = try AccountTable.load(account.id, db) else { throw PasswordProof.refused }
            let sessions = try SessionSummary.live(of: account.id, refreshRule, at: now, db)
            let passwords = try AppPasswordTable.all(of: account.id, db)
            let codes = try SecondFactorTable.recoveryCodeCount(of: account.id, db)
            let audit = try AuditQuery(account: account.id, limit: Limits.Users.exportedAuditMax).run(db)
            var json = JSONWriter()
            json.object { json in
                json.key("account")
                json.object { json in
                    AccountBody.write(account, to: &json)
                    json.member("quota_bytes", ifPresent: account.quotaBytes)
                    json.member("recovery_codes_left", codes)
                }
                json.key("sessions")
                json.beginArray()
                for session in sessions { session.encode(to: &json, current: nil) }
                json.endArray()
                json.key("app_passwords")
                json.beginArray()
                for password in passwords { json.object { AccountBody.write(password, to: &$0) } }
                json.endArray()
                json.key("audit")
                json.beginArray()
                for entry in audit { entry.encode(to: &json) }
                json.endArray()
            }
            return json.bytes
        }
    }
}
