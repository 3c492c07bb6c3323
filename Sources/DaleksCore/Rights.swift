/// What may be done with a node, as its owner grants it.
public struct Rights: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// See it, list it, read its bytes.
    public static let read = Rights(rawValue: 1)
    /// Add to a folder.
    public static let write = Rights(rawValue: 2)
    /// Replace or change what is there, and add.
    public static let update = Rights(rawValue: 4)
    public static let delete = Rights(rawValue: 8)
    /// Grant rights to others: what makes a co-owner.
    public static let share = Rights(rawValue: 16)

    public static let all: Rights = [.read, .write, .update, .delete, .share]

    /// Every right's word, in the order in which they are listed.
    public static let words = names.map(\.1)

    /// The words of those that are in it.
    public var words: [String] { Self.names.filter { contains($0.0) }.map(\.1) }

    private static let names: [(Rights, String)] = [
        (.read, "read"), (.write, "write"), (.update, "update"), (.delete, "delete"), (.share, "share"),
    ]

    /// `read,update`; nil where a word is not a right.
    public init?(_ text: String) {
        self = []
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let right = Self.names.first(where: { $0.1 == word })?.0 else { return nil }
            insert(right)
        }
    }
}

extension Rights: CustomStringConvertible {
    public var description: String {
        words.joined(separator: ",")
    }
}

/// Something that somebody wants to do to a node, at the grain at which rights decide.
public enum Act: CaseIterable, Sendable {
    /// Look up, list, read attributes or bytes.
    case see
    /// Create, mkdir, symlink: the node is the folder that gets the entry.
    case add
    /// Write, truncate, chmod, utimens, xattr; rename within this folder.
    case change
    /// Unlink, rmdir, or move away: the node is the folder that loses the entry.
    case remove
    /// Grant, revoke, publish, make another name for the node.
    case share
}

/// The one place that decides who may do what. The daemon and every surface of the service ask it.
public enum AccessDecision: Equatable, Sendable {
    case allowed
    /// The caller may not know that the node exists: 404, ENOENT.
    case hidden
    /// The caller sees the node and may not do this: 403, EACCES.
    case refused

    /// - Parameters:
    ///   - act: what is to be done.
    ///   - isOwner: the caller owns the tree that the node is in.
    ///   - granted: the union of what the caller was granted on the node or its ancestors, without expired grants.
    ///   - isPublic: the node or an ancestor is public, which adds `read`.
    ///   - isCreator: the caller made the node in somebody else's tree. For `remove`, the node that is to go from the
    ///     folder. It adds change and removal for as long as the caller may add there.
    /// - Returns: whether it may be done, and if not, how much the caller may know.
    public static func decide(
        _ act: Act,
        isOwner: Bool,
        granted: Rights,
        isPublic: Bool,
        isCreator: Bool = false
    ) -> AccessDecision {
        if isOwner { return .allowed }
        let rights = isPublic ? granted.union(.read) : granted
        guard !rights.isEmpty else { return .hidden }
        let mayAdd = !rights.isDisjoint(with: [.write, .update])
        let isAllowed =
            switch act {
            case .see: rights.contains(.read)
            case .add: mayAdd
            case .change: rights.contains(.update) || isCreator && mayAdd
            case .remove: rights.contains(.delete) || isCreator && mayAdd
            case .share: rights.contains(.share)
            }
        return isAllowed ? .allowed : .refused
    }
}
