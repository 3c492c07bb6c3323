public import DaleksCore

/// What the account may do with a node, and to whom else the node itself is shown, as the region said last.
public struct LocalStanding: Hashable, Sendable {
    /// By what was said about this very node. The raw values are on disk: never renumber.
    public enum Visibility: UInt8, Sendable {
        case `private` = 0
        case shared = 1
        case `public` = 2
    }

    /// What was granted on a node of somebody else's; nil where the node is the account's own.
    public var granted: Rights?
    /// The account made the node, in somebody else's tree.
    public var isCreator: Bool
    public var visibility: Visibility

    public init(granted: Rights? = nil, isCreator: Bool = false, visibility: Visibility = .private) {
        self.granted = granted
        self.isCreator = isCreator
        self.visibility = visibility
    }

    public var access: Access { Access(isOwner: granted == nil, granted: granted ?? [], isCreator: isCreator) }

    /// That of something which the account makes in this folder.
    public var ofNewChild: LocalStanding { LocalStanding(granted: granted, isCreator: granted != nil) }

    // MARK: On disk

    /// Five bits of rights, a bit that says that they are told, one for the creator, and two of visibility.
    private static let (toldBit, creatorBit): (Int64, Int64) = (1 << 5, 1 << 6)
    private static let visibilityShift: Int64 = 7

    var column: Int64 {
        var column = Int64(visibility.rawValue) << Self.visibilityShift
        if let granted { column |= Int64(granted.rawValue) | Self.toldBit }
        if isCreator { column |= Self.creatorBit }
        return column
    }

    init(column: Int64) {
        let rights = Rights(rawValue: UInt8(truncatingIfNeeded: column)).intersection(.all)
        self.init(
            granted: column & Self.toldBit == 0 ? nil : rights,
            isCreator: column & Self.creatorBit != 0,
            visibility: Visibility(rawValue: UInt8(truncatingIfNeeded: column >> Self.visibilityShift) & 3) ?? .private
        )
    }
}
