import DaleksCache
import DaleksFUSE
import DaleksSync
import DaleksSystem
import DaleksVFS

/// Extended attributes. Everything is answered from this machine.
extension KernelBridge {
    func getxattr(_ request: FUSERequest, inode: UInt64, name: FUSEName, reply: consuming XattrReply) {
        do throws(Obstacle) {
            reply.value(try files.extendedValue(Array(name), of: Inode(rawValue: inode)))
        } catch {
            overcome(error, reply) { _ in }
        }
    }

    func listxattr(_ request: FUSERequest, inode: UInt64, reply: consuming XattrReply) {
        do throws(Obstacle) {
            reply.value(try files.extendedNames(of: Inode(rawValue: inode), for: request.caller))
        } catch {
            overcome(error, reply) { _ in }
        }
    }

    /// XATTR_CREATE and XATTR_REPLACE, which the C library's module does not show.
    private static let (mustBeNew, mustBeThere): (Int32, Int32) = (1, 2)

    func setxattr(
        _ request: FUSERequest,
        inode: UInt64,
        name: FUSEName,
        value: UnsafeRawBufferPointer,
        flags: Int32,
        reply: consuming EmptyReply
    ) {
        let rule: LocalTree.ExtendedRule
        switch flags {
        case 0: rule = .createOrReplace
        case Self.mustBeNew: rule = .create
        case Self.mustBeThere: rule = .replace
        default:
            reply.error(.invalid)
            return
        }
        do throws(Obstacle) {
            try files.setExtended(Array(name), of: Inode(rawValue: inode), to: Array(value), rule)
            reply.success()
        } catch {
            overcome(error, reply) { _ in }
        }
    }

    func removexattr(_ request: FUSERequest, inode: UInt64, name: FUSEName, reply: consuming EmptyReply) {
        do throws(Obstacle) {
            try files.setExtended(Array(name), of: Inode(rawValue: inode), to: nil)
            reply.success()
        } catch {
            overcome(error, reply) { _ in }
        }
    }
}
