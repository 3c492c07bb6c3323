public import DaleksCore
public import DaleksJSON

/// Something that regions must stop believing, as the users service's feed tells it.
public struct Revocation: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public enum Kind: Hashable, Sendable {
        /// Every token with this `sid`.
        case session(SessionID, of: UserID)
        /// Tokens with this `sub` that were issued then or earlier.
        case user(UserID, before: Timestamp)
        /// Every token of the user; what they own is erased after that time.
        case deletion(UserID, purgeAfter: Timestamp)
        /// Nothing of the user's is for the public while the account is locked.
        case lock(UserID)
        case unlock(UserID)
        /// Every token that was issued then or earlier: the service came back from a backup.
        case everything(before: Timestamp)
        /// One of a later version of the wire; there is nothing to be done about it.
        case unknown(String)
    }

    /// Its place in the feed.
    public var number: Int64
    public var time: Timestamp
    public var kind: Kind

    public init(number: Int64, time: Timestamp, kind: Kind) {
        self.number = number
        self.time = time
        self.kind = kind
    }

    public func encode(to json: inout JSONWriter) {
        json.object { json in
            json.member("number", number)
            json.member("time", time.nanoseconds)
            switch kind {
            case .session(let session, let user):
                json.member("kind", "session_revoked")
                json.member("session", session)
                json.member("user", user)
            case .user(let user, let before):
                json.member("kind", "user_revoked")
                json.member("user", user)
                json.member("before", before.nanoseconds)
            case .deletion(let user, let purgeAfter):
                json.member("kind", "user_deleted")
                json.member("user", user)
                json.member("purge_after", purgeAfter.nanoseconds)
            case .lock(let user):
                json.member("kind", "user_locked")
                json.member("user", user)
            case .unlock(let user):
                json.member("kind", "user_unlocked")
                json.member("user", user)
            case .everything(let before):
                json.member("kind", "all_revoked")
                json.member("before", before.nanoseconds)
            case .unknown(let word): json.member("kind", word)
            }
        }
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        number = try reader.integer("number")
        time = Timestamp(nanoseconds: try reader.integer("time"))
        let word = try reader.string("kind")
        kind =
            switch word {
            case "session_revoked": .session(try reader.identifier("session"), of: try reader.identifier("user"))
            case "user_revoked":
                .user(
                    try reader.identifier("user"),
                    before: Timestamp(nanoseconds: try reader.integer("before"))
                )
            case "user_deleted":
                .deletion(
                    try reader.identifier("user"),
                    purgeAfter: Timestamp(nanoseconds: try reader.integer("purge_after"))
                )
            case "user_locked": .lock(try reader.identifier("user"))
            case "user_unlocked": .unlock(try reader.identifier("user"))
            case "all_revoked": .everything(before: Timestamp(nanoseconds: try reader.integer("before")))
            default: .unknown(word)
            }
    }
}

/// Some of the feed, in its order.
public struct RevocationPage: Hashable, Sendable, JSONEncodable, JSONDecodable {
    public var events: [Revocation]
    /// What to ask for next.
    public var cursor: String
    /// True where the feed begins anew although a cursor was given: the service came back from a backup.
    public var isRestart: Bool

    public init(events: [Revocation], cursor: String, isRestart: Bool) {
        self.events = events
        self.cursor = cursor
        self.isRestart = isRestart
    }

    public func encode(to json: inout JSONWriter) {
        json.object { json in
            json.member("events", events)
            json.member("cursor", cursor)
            json.member("is_restart", isRestart)
        }
    }

    public init(json: JSONValue) throws(JSONError) {
        let reader = JSONReader(json)
        events = try reader.list("events")
        cursor = try reader.string("cursor", bytesMax: 64)
        isRestart = try reader.bool("is_restart")
    }
}
