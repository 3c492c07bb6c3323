import DaleksCore
import DaleksHTTP
import DaleksService

/// What a token allows at a files service, whatever its bearer may do in the tree.
struct Scope: OptionSet, Hashable, Sendable {
    let rawValue: UInt8

    static let read = Scope(rawValue: 1)
    static let write = Scope(rawValue: 2)
    /// Letting others in: grants, visibility, links, signed URLs.
    static let share = Scope(rawValue: 4)

    /// Words that are not ours are somebody else's.
    init(words: String) {
        self = []
        for word in words.split(separator: " ") {
            switch word {
            case "files:read": insert(.read)
            case "files:write": insert(.write)
            case "files:share": insert(.share)
            default: continue
            }
        }
    }

    init(rawValue: UInt8) { self.rawValue = rawValue }
}

/// Who asks, proved by a token.
struct Caller: Hashable, Sendable {
    let user: UserID
    let session: SessionID
    let scope: Scope
    let issued: Timestamp
    let expires: Timestamp

    /// For what only part of a request needs.
    func require(_ scope: Scope) throws(APIError) {
        guard self.scope.isSuperset(of: scope) else { throw .insufficientScope() }
    }
}
