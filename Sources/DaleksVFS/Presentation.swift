import DaleksCore

/// How owners look to this machine's users.
public enum Presentation: Sendable {
    /// Everything belongs to the user who mounted it, whatever the region says.
    case everything(uid: UInt32, gid: UInt32)
    /// Everything belongs to whom the region says, by number. The root, as long as nobody gave it away, belongs to the
    /// user who mounted it: somebody has to be able to begin.
    case stored(mounter: UInt32, group: UInt32)

    func present(_ attributes: Attributes, isRoot: Bool) -> Attributes {
        var attributes = attributes
        switch self {
        case .everything(let uid, let gid): (attributes.uid, attributes.gid) = (uid, gid)
        case .stored(let uid, let gid):
            if isRoot, attributes.uid == 0, attributes.gid == 0 { (attributes.uid, attributes.gid) = (uid, gid) }
        }
        return attributes
    }

    /// Whose a thing is that this caller makes.
    func owner(for caller: Caller) -> Caller {
        switch self {
        case .everything(let uid, let gid): Caller(uid: uid, gid: gid)
        case .stored: caller
        }
    }

    /// Whether somebody may become the owner of something. Where everything belongs to one user nobody else can, and
    /// nothing is pretended.
    func allows(uid: UInt32?, gid: UInt32?) -> Bool {
        switch self {
        case .everything(let one, let group): uid ?? one == one && gid ?? group == group
        case .stored: true
        }
    }

    var storesOwners: Bool { if case .stored = self { true } else { false } }
}

/// On whose behalf the kernel asks.
public struct Caller: Hashable, Sendable {
    public var uid: UInt32
    public var gid: UInt32

    public init(uid: UInt32, gid: UInt32) {
        self.uid = uid
        self.gid = gid
    }
}
