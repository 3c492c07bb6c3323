public import DaleksCache
public import DaleksCore

/// Who must hear what changed from outside: the kernel's caches, through the mount. Calls come from synchronisation's
/// threads with no lock and no transaction held, and must not wait for anything that waits for synchronisation.
public protocol TreeObserver: AnyObject, Sendable {
    func attributesChanged(_ inode: Inode)
    func contentChanged(_ inode: Inode)
    func entryChanged(_ name: Name, in parent: Inode)
    func entryRemoved(_ name: Name, in parent: Inode, node: Inode)
    /// Calls back, at once or later, when everything told before has its effect.
    func whenHeard(_ completion: @escaping @Sendable () -> Void)
}

extension TreeObserver {
    public func whenHeard(_ completion: @escaping @Sendable () -> Void) { completion() }
}
