public import DaleksCache
import DaleksCore
public import DaleksSync
import DaleksSystem

/// `user.daleks.…`: what is known about a node, answered by name and never listed, so that copying tools do not carry
/// it.
extension FileSystem {
    public static let factPrefix = "user.daleks."

    /// The value of a fact, or nil where there is no such fact about this node.
    public func fact(_ name: String, of inode: Inode) throws(Obstacle) -> String? {
        guard name.hasPrefix(Self.factPrefix) else { return nil }
        switch name.dropFirst(Self.factPrefix.utf8.count) {
        case "status": return try engine.tree.status(of: inode).rawValue
        case "version": return try String(engine.tree.node(inode).content)
        // By which the region knows it, whatever it is called here. It knows nothing of the folders of owners.
        case "node": return try isOwnersFolder(inode) ? nil : engine.tree.node(inode).id.description
        case "owner": return isShared ? try engine.owner(of: inode) : description.owner
        case "region": return description.region
        case "rights": return try rights(on: inode)?.description
        case "why": return try engine.why(inode)
        case "visibility": return try isOwnersFolder(inode) ? nil : tree.stored(inode).standing.visibility.word
        case "digest": return try engine.contentDigest(of: inode)?.description
        case "sha256": return try engine.contentSHA256(of: inode)?.description
        // Where the command line finds the daemon that serves this path.
        case "control": return description.control
        case "pinned":
            do throws(Errno) { return try engine.isPinned(inode) ? "1" : "0" } catch { throw .errno(error) }
        default: return nil
        }
    }

    private func rights(on inode: Inode) throws(Obstacle) -> Rights? {
        let standing = try tree.stored(inode).standing
        guard let granted = standing.granted else { return isShared ? nil : .all }
        return granted
    }

    /// Setting `visibility` and `grant.WHO` changes who else may do what; nil where it is about something else. Throws
    /// where it is not to be understood.
    public func sharingWish(_ name: [UInt8], _ value: [UInt8]?) throws(Obstacle) -> SharingWish? {
        let prefix = Self.factPrefix.utf8
        guard name.starts(with: prefix) else { return nil }
        let fact = String(decoding: name.dropFirst(prefix.count), as: UTF8.self)
        let text = value.map { String(decoding: $0, as: UTF8.self) }
        if fact == "visibility" {
            switch text {
            case "public": return .publish(true)
            case "private", nil: return .publish(false)
            default: throw .errno(.invalid)
            }
        }
        guard fact.hasPrefix(Self.grantPrefix) else { return nil }
        let who = String(fact.dropFirst(Self.grantPrefix.count))
        guard !who.isEmpty else { throw .errno(.invalid) }
        guard let text, !text.isEmpty else { return .revoke(from: who) }
        guard let rights = Rights(text) else { throw .errno(.invalid) }
        return .grant(rights, to: who)
    }

    /// Whose rights an extended attribute is about; nil where it is about something else.
    public static func grantee(_ name: [UInt8]) -> String? {
        let prefix = factPrefix + grantPrefix
        let text = String(decoding: name, as: UTF8.self)
        return text.hasPrefix(prefix) && text != prefix ? String(text.dropFirst(prefix.count)) : nil
    }

    private static let grantPrefix = "grant."

    /// Only whether a node is pinned can be said here, and who may do what (`sharingWish`); whatever else is observed.
    func setFact(_ name: String, of inode: Inode, to value: [UInt8]?) throws(Obstacle) {
        guard name == Self.factPrefix + "pinned" else { throw .errno(.notPermitted) }
        guard value == nil || value == [UInt8(ascii: "0")] || value == [UInt8(ascii: "1")] else {
            throw .errno(.invalid)
        }
        do throws(Errno) { try engine.pin(value == [UInt8(ascii: "1")], inode) } catch { throw .errno(error) }
    }
}

extension LocalStanding.Visibility {
    fileprivate var word: String {
        switch self {
        case .private: "private"
        case .shared: "shared"
        case .public: "public"
        }
    }
}
