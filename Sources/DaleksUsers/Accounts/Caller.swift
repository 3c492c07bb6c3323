import DaleksCore
import DaleksHTTP

/// Who asks, and with which of their log-ins.
struct Caller: Sendable {
    let account: Account
    let session: SessionState
    /// Whether the user began the session with the password itself, in a program of this house: only such a session may
    /// change the account.
    let isOwn: Bool

    func requireOwn() throws(APIError) -> Caller {
        guard isOwn else {
            throw .forbidden("only a session that was begun with the password itself may do this; run `daleks login`")
        }
        return self
    }

    func requireAdmin() throws(APIError) -> Caller {
        guard account.role == .admin else { throw .forbidden("this is for administrators") }
        return try requireOwn()
    }
}
