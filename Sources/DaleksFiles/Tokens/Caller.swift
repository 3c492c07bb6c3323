import DaleksCore

/// What a token allows at a files service, whatever its bearer may do in the tree.
struct Scope: OptionSet, Hashable, Sendable {
    let rawValue: UInt8

    static let read = Scope(rawValue: 1)
    static let write = Scope(rawValue: 2)

    /// Words that are not ours are somebody else's.
    init(words: String) {
        self = []
        for word in words.split(separator: " ") {
            switch word {
            case "files:read": insert(.read)
            case "files:write": insert(.write)
            default: continue
            }
        }
    }

    init(rawValue: UInt8) { self.rawValue = rawValue }
}

/// Who asks, proved by a token.
struct Caller: Hashable, Sendable {
    let user: UserID
    let session: SessionID?
    let scope: Scope
    let issued: Timestamp
    let expires: Timestamp
}
