import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksService

/// Who asks, and with which of their log-ins.
struct Caller: Sendable {
    let account: Account
    let session: SessionState
    /// Whether a program of this house asks; what others are let do is not to look into the account.
    let isHouse: Bool
    /// Whether the user began the session with the password itself, in a program of this house: only such a session may
    /// change the account.
    let isOwn: Bool

    func requireHouse() throws(APIError) -> Caller {
        guard isHouse else { throw .insufficientScope("this program may not manage the account") }
        return self
    }

    func requireOwn() throws(APIError) -> Caller {
        guard try requireHouse().isOwn else {
            throw .forbidden(
                "only a session that was begun with the password itself may do this, and none of an app password or of"
                    + " a device that was let in by its letters; run `daleks login`"
            )
        }
        return self
    }

    func requireAdmin() throws(APIError) -> Caller {
        guard account.role == .admin else { throw .forbidden("this is for administrators") }
        return try requireOwn()
    }
}

extension AccessTokenCheck {
    /// The person who asks; programs that act for themselves have no account.
    func caller(of request: HTTPRequest) throws(APIError) -> Caller {
        let access = try access(of: request)
        // A region sees the tokens that are for it, and could use them here in their bearers' names.
        guard isForUs(access.claims) else {
            throw .invalidToken(
                "this token is for a region: ask for one with the users service's address as its resource"
            )
        }
        guard let account = access.account, let session = access.session else {
            throw .forbidden("this is for people")
        }
        guard account.lockedSince == nil else { throw .invalidToken() }
        let isHouse = access.client == OAuthClient.house.id
        return Caller(
            account: account,
            session: session,
            isHouse: isHouse,
            isOwn: isHouse && session.isProven && session.appPassword == nil
        )
    }
}
