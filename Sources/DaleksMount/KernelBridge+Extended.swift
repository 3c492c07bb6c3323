import DaleksCache
import DaleksCore
import DaleksFUSE
import DaleksSync
import DaleksSystem
import DaleksVFS

/// Extended attributes. What is kept is answered from this machine; who may do what, the region decides.
extension KernelBridge {
    func getxattr(_ request: FUSERequest, inode: UInt64, name: FUSEName, reply: consuming XattrReply) {
        if let who = FileSystem.grantee(Array(name)) { return tellGrant(to: who, on: local(inode), reply) }
        tell(Array(name), of: local(inode), reply)
    }

    /// Only the region knows what others may do.
    private func tellGrant(to who: String, on inode: Inode, _ reply: consuming XattrReply) {
        let parked = reply.park()
        engine.granted(to: who, on: inode) { outcome in
            guard let reply = parked.take() else { return }
            switch outcome {
            case .success(let rights?): reply.value(Array(rights.description.utf8))
            case .success(nil): reply.error(.noData)
            // Nobody is called that, so that nothing is said of them.
            case .failure(let errno): reply.error(errno == .invalid ? .noData : errno)
            }
        }
    }

    private func tell(_ name: [UInt8], of inode: Inode, _ reply: consuming XattrReply) {
        do throws(Obstacle) {
            reply.value(try files.extendedValue(name, of: inode))
        } catch {
            overcome(error, reply) { [self] reply in tell(name, of: inode, reply) }
        }
    }

    func listxattr(_ request: FUSERequest, inode: UInt64, reply: consuming XattrReply) {
        do throws(Obstacle) {
            reply.value(try files.extendedNames(of: local(inode), for: request.caller))
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
            if let wish = try files.sharingWish(Array(name), Array(value)) { return arrange(wish, inode, reply) }
            try files.setExtended(Array(name), of: local(inode), to: Array(value), rule)
            whenAtRegion(.closeRegion, .node(local(inode)), reply) { reply in reply.success() }
        } catch {
            overcome(error, reply) { _ in }
        }
    }

    func removexattr(_ request: FUSERequest, inode: UInt64, name: FUSEName, reply: consuming EmptyReply) {
        do throws(Obstacle) {
            if let wish = try files.sharingWish(Array(name), nil) { return arrange(wish, inode, reply) }
            try files.setExtended(Array(name), of: local(inode), to: nil)
            whenAtRegion(.closeRegion, .node(local(inode)), reply) { reply in reply.success() }
        } catch {
            overcome(error, reply) { _ in }
        }
    }

    private func arrange(_ wish: SharingWish, _ inode: UInt64, _ reply: consuming EmptyReply) {
        let parked = reply.park()
        engine.arrange(wish, on: local(inode), within: regionDeadline) { errno in
            guard let reply = parked.take() else { return }
            if let errno { reply.error(errno) } else { reply.success() }
        }
    }
}
