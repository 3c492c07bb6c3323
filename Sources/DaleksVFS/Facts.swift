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
        default: return nil
        }
    }
}
