/// What kernel and adapter can agree on at INIT, as the kernel's protocol numbers it.
public struct FUSECapabilities: OptionSet, Sendable, Hashable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    public static let asyncRead = FUSECapabilities(rawValue: 1 << 0)
    public static let posixLocks = FUSECapabilities(rawValue: 1 << 1)
    public static let atomicTruncate = FUSECapabilities(rawValue: 1 << 3)
    public static let export = FUSECapabilities(rawValue: 1 << 4)
    /// The kernel leaves the umask to us.
    public static let dontMask = FUSECapabilities(rawValue: 1 << 6)
    public static let flockLocks = FUSECapabilities(rawValue: 1 << 10)
    public static let autoInvalidate = FUSECapabilities(rawValue: 1 << 12)
    public static let readdirPlus = FUSECapabilities(rawValue: 1 << 13)
    public static let readdirPlusAuto = FUSECapabilities(rawValue: 1 << 14)
    public static let asyncDirect = FUSECapabilities(rawValue: 1 << 15)
    /// Never asked for: the kernel would own size and times, and completed writes would die with the daemon.
    public static let writebackCache = FUSECapabilities(rawValue: 1 << 16)
    public static let parallelDirectoryOperations = FUSECapabilities(rawValue: 1 << 18)
    public static let maxPages = FUSECapabilities(rawValue: 1 << 22)
    public static let cacheSymlinks = FUSECapabilities(rawValue: 1 << 23)
    public static let explicitInvalidate = FUSECapabilities(rawValue: 1 << 25)
    /// Clearing setuid and setgid on write, truncate and chown is ours; in return the kernel asks for
    /// `security.capability` once after it has learnt attributes anew, and not before each write.
    public static let handleKillPrivileges = FUSECapabilities(rawValue: 1 << 28)
    public static let extendedInit = FUSECapabilities(rawValue: 1 << 30)
    /// An entry can be told to expire without being dropped.
    public static let expireOnly = FUSECapabilities(rawValue: 1 << 35)
}
