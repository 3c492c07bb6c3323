import DaleksAPI
public import DaleksCache
public import DaleksSystem

/// Calls back when region and machine are alike.
extension SyncEngine {
    /// What somebody waits to be at the region.
    public enum Awaited: Sendable {
        /// A node as it is now: content, attributes, and its own names.
        case node(Inode)
        /// What was done up to now in folders.
        case names(in: [Inode])
    }

    /// Calls back once the region has it: nil, or why it has not, which is known at once where the region refused and
    /// else after `limit`. What it lacks then is sent later all the same.
    public func whenAtRegion(
        _ awaited: Awaited,
        within limit: Duration,
        _ completion: @escaping @Sendable (Errno?) -> Void
    ) {
        pusher.hurry()
        switch awaited {
        case .node(let inode): waits.add(.node(inode), within: limit, completion)
        case .names(let folders): waits.add(.names(folders), within: limit, completion)
        }
    }

    /// Calls back once everything that the region has done by now is here: nil, or why that is not so.
    public func whenCaughtUp(within limit: Duration, _ completion: @escaping @Sendable (Errno?) -> Void) {
        if let shares {
            return shares.catchUp { error in
                completion(error.map { $0 == .loggedOut ? .accessDenied : .timedOut })
            }
        }
        let (remote, waits) = (remote, waits)
        let accepted = labour.fetches.submit {
            do throws(RemoteError) {
                let record = try remote.tree()
                guard let cursor = Cursor(record.cursor) else { return completion(.io) }
                waits.add(.feed(cursor), within: limit, completion)
            } catch {
                completion(error == .loggedOut ? .accessDenied : .timedOut)
            }
        }
        if !accepted { completion(.timedOut) }
    }
}
