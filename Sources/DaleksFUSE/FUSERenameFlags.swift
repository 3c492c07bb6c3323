/// The flags of renameat2(2).
public struct FUSERenameFlags: OptionSet, Sendable, Hashable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Fails with EEXIST where the target exists.
    public static let noReplace = FUSERenameFlags(rawValue: 1)
    /// Both exist and change places.
    public static let exchange = FUSERenameFlags(rawValue: 2)
    /// Leaves a whiteout behind, for overlay file systems.
    public static let whiteout = FUSERenameFlags(rawValue: 4)
}
