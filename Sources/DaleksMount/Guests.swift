import DaleksCache
import DaleksCore
import DaleksFUSE
import DaleksSync
import DaleksSystem
import DaleksVFS

/// What stands in the root of the account's own tree without being of it: `Shared`, the volume of what others share.
///
/// The name is reserved. What the tree itself has under it is shown as `Shared (own)`, and what is called that as
/// `Shared (own) (own)`, so that each name of the tree has one in the mount.
///
/// ## Concurrency
/// `state` is held for arithmetic.
final class Guests: Sendable {
    static let name = Array("Shared".utf8)
    private static let suffix = Array(" (own)".utf8)

    private struct State {
        /// By their numbers, which begin at 1.
        var volumes: [Int: KernelBridge] = [:]
        var isShown = false
        /// What others share in the account's own region; its root is the folder that is shown.
        var first: KernelBridge? { volumes[1] }
    }

    private let state = Lock(State())

    /// In the order of their numbers.
    var volumes: [KernelBridge] {
        state.withLock { state in state.volumes.sorted { $0.key < $1.key }.map(\.value) }
    }

    /// Nil where the kernel names one that is not there.
    func volume(_ index: Int) -> KernelBridge? { state.withLock { $0.volumes[index] } }

    func add(_ volume: KernelBridge) {
        state.withLock { $0.volumes[VolumeNumber.index(of: volume.volume.base)] = volume }
    }

    /// Whether it is the folder that the roots of all regions are, and there is more than one.
    func isJoined(_ folder: UInt64) -> Bool {
        folder == VolumeNumber.shared.global(.root) && state.withLock { $0.volumes.count > 1 }
    }

    /// The region in whose root a name of that folder stands, and what it is there.
    func elsewhere(_ name: FUSEName) -> (volume: KernelBridge, name: FUSEName)? {
        for volume in volumes {
            let suffix = volume.volume.suffix
            guard !suffix.isEmpty, name.count > suffix.count, name.suffix(suffix.count).elementsEqual(suffix) else {
                continue
            }
            return (volume, UnsafeBufferPointer(rebasing: name.dropLast(suffix.count)))
        }
        return nil
    }

    /// While nobody shares anything there is nothing to see.
    var isShown: Bool { state.withLock { $0.isShown } }

    /// Looks whether there is something to see. True where that changed.
    func update() -> Bool {
        let isFilled = volumes.contains { volume in
            (try? volume.files.entries(of: .root, after: 0, limit: 1))?.isEmpty == false
        }
        return state.withLock { state in
            defer { state.isShown = isFilled }
            return state.isShown != isFilled
        }
    }

    /// False where it did not fit.
    func add(to entries: inout DirectoryEntries, isPlus: Bool, nextOffset: Int64) -> Bool {
        let volume = state.withLock { $0.isShown ? $0.first : nil }
        guard let volume, let root = try? volume.files.node(.root) else { return true }
        // The reference is there before the kernel can have it.
        if isPlus { volume.files.retain(.root) }
        let entry = volume.entry(root, since: volume.engine.epoch)
        let fits = entries.add(name: Self.name, entry: entry, nextOffset: nextOffset)
        if isPlus, !fits { volume.files.forget(.root, count: 1) }
        return fits
    }

    func lookup(_ reply: consuming EntryReply) {
        let volume = state.withLock { $0.isShown ? $0.first : nil }
        guard let volume, let root = try? volume.files.node(.root) else {
            reply.entry(.absent(validFor: .zero))
            return
        }
        volume.send(root, reply, since: volume.engine.epoch)
    }

    // MARK: Names

    enum Meaning {
        case guest
        /// A name of the tree.
        case own(FUSEName)
    }

    /// What a name in the root of the mount means.
    static func meaning(of name: FUSEName) -> Meaning {
        guard name.count >= Self.name.count, name[0] == Self.name[0], let count = suffixCount(name) else {
            return .own(name)
        }
        guard count > 0 else { return .guest }
        return .own(UnsafeBufferPointer(rebasing: name[..<(name.count - suffix.count)]))
    }

    /// What a name of the tree's root is in the mount.
    static func shown(_ name: [UInt8]) -> [UInt8] {
        guard name.count >= Self.name.count, name[0] == Self.name[0], suffixCount(name) != nil else { return name }
        return name + suffix
    }

    /// How often `(own)` stands behind `Shared`; nil where it is another name.
    private static func suffixCount(_ name: some RandomAccessCollection<UInt8>) -> Int? {
        guard name.starts(with: Self.name) else { return nil }
        var rest = name.dropFirst(Self.name.count)
        var count = 0
        while !rest.isEmpty {
            guard rest.starts(with: suffix) else { return nil }
            rest = rest.dropFirst(suffix.count)
            count += 1
        }
        return count
    }
}

/// Notices of a guest volume: when the first owner's folder comes, or the last one goes, the root has another entry.
final class GuestNotices: TreeObserver {
    private let notices: KernelNotices
    private let own: KernelNotices
    private let guests: Guests

    init(_ notices: KernelNotices, own: KernelNotices, guests: Guests) {
        self.notices = notices
        self.own = own
        self.guests = guests
    }

    func attributesChanged(_ inode: Inode) { notices.attributesChanged(inode) }
    func contentChanged(_ inode: Inode) { notices.contentChanged(inode) }

    func entryChanged(_ name: Name, in parent: Inode) {
        notices.entryChanged(name, in: parent)
        if parent == .root { update() }
    }

    func entryRemoved(_ name: Name, in parent: Inode, node: Inode) {
        notices.entryRemoved(name, in: parent, node: node)
        if parent == .root { update() }
    }

    func whenHeard(_ completion: @escaping @Sendable () -> Void) { notices.whenHeard(completion) }

    func update() { if guests.update() { own.guestChanged() } }

    func stop() { notices.stop() }
}
