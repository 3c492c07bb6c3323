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
    /// Whether the token is for this service. One that is for a region is shown to that region, which could use it here
    /// in its bearer's name: such a token reads who somebody is, and manages nothing.
    let isForUs: Bool

    func requireHouse() throws(APIError) -> Caller {
        guard isHouse else { throw .insufficientScope("this program may not manage the account") }
        return self
    }

    /// For what is the account's own, to look at.
    func requireManaging() throws(APIError) -> Caller {
        guard try requireHouse().isForUs else {
            throw .insufficientScope(
                "this token is for a region and cannot manage an account: ask for one with the users service's address"
                    + " as its resource, as newer versions of daleks do"
            )
        }
        return self
    }

    func requireOwn() throws(APIError) -> Caller {
        guard try requireManaging().isOwn else {
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
        guard let account = access.account, let session = access.session else {
            throw .forbidden("this is for people")
        }
        guard account.lockedSince == nil else { throw .invalidToken() }
        let isHouse = access.client == OAuthClient.house.id
        return Caller(
            account: account,
            session: session,
            isHouse: isHouse,
            isOwn: isHouse && session.isProven && session.appPassword == nil,
            isForUs: isForUs(access.claims)
        )
    }
}
