import DaleksCache
import DaleksCore

/// Which of the kernel's inode numbers belong to a volume of a mount: the plain ones to the account's own tree, and to
/// each of the others those with its number in front. A replica never counts so far.
struct VolumeNumber: Hashable, Sendable {
    private static let shift: UInt64 = 48

    let base: UInt64
    /// What is put behind the names in its root: they stand beside those of other regions.
    let suffix: [UInt8]

    static let own = VolumeNumber(0)
    /// Of what others share in the account's own region; its root is the folder for all regions.
    static let shared = VolumeNumber(1)

    init(_ number: UInt8, region: String? = nil) {
        base = UInt64(number) << Self.shift
        suffix = region.map { Array(" (\($0))".utf8) } ?? []
    }

    /// Where its root stands: the roots of all regions are one folder.
    func place(of folder: Inode) -> UInt64 {
        folder == .root && base > Self.shared.base ? Self.shared.global(.root) : global(folder)
    }

    func global(_ inode: Inode) -> UInt64 { inode.rawValue | base }

    static func local(_ inode: UInt64) -> Inode { Inode(rawValue: inode & (1 << shift - 1)) }

    /// 0 for the account's own tree.
    @inline(__always)
    static func index(of inode: UInt64) -> Int { Int(truncatingIfNeeded: inode >> shift) }

    /// Of the volume that an inode belongs to.
    static func base(of inode: UInt64) -> UInt64 { (inode >> shift) << shift }

    /// How a name of the tree looks in the mount.
    func shown(_ name: Name, in parent: Inode) -> [UInt8] {
        guard parent == .root else { return name.bytes }
        return base == 0 ? Guests.shown(name.bytes) : name.bytes + suffix
    }
}
