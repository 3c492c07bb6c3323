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
        // By which the region knows it, whatever it is called here.
        case "node": return try engine.tree.node(inode).id.description
        case "owner": return description.owner
        case "region": return description.region
        // Where the command line finds the daemon that serves this path.
        case "control": return description.control
        case "pinned":
            do throws(Errno) { return try engine.isPinned(inode) ? "1" : "0" } catch { throw .errno(error) }
        default: return nil
        }
    }

    /// Only whether a node is pinned can be said; whatever else is observed. Sharing is changed by `daleks share` until
    /// the mount speaks for it.
    func setFact(_ name: String, of inode: Inode, to value: [UInt8]?) throws(Obstacle) {
        guard name == Self.factPrefix + "pinned" else { throw .errno(.notPermitted) }
        guard value == nil || value == [UInt8(ascii: "0")] || value == [UInt8(ascii: "1")] else {
            throw .errno(.invalid)
        }
        do throws(Errno) { try engine.pin(value == [UInt8(ascii: "1")], inode) } catch { throw .errno(error) }
    }
}
