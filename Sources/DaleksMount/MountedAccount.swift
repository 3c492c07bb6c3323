import DaleksFUSE
public import DaleksSync
public import DaleksSystem
import DaleksVFS

/// One account of one region in the file system of this machine: the engine, the kernel session and what joins them.
public final class MountedAccount: Sendable {
    public struct Options: Sendable {
        public var allowsOther = false
        public var allowsNonEmpty = false
        public var isReadOnly = false
        public var source: String
        public var uid: UInt32
        public var gid: UInt32

        public init(source: String, uid: UInt32, gid: UInt32) {
            self.source = source
            self.uid = uid
            self.gid = gid
        }

        /// Words of `-o`, comma-separated, as mount(8) has them. Throws the first that it does not know.
        public mutating func add(_ list: String) throws(UnknownOption) {
            for word in list.split(separator: ",") where !word.isEmpty {
                switch word {
                case "allow_other": allowsOther = true
                case "nonempty": allowsNonEmpty = true
                case "ro": isReadOnly = true
                // What every line of fstab may carry and what we do anyway.
                case "rw", "nosuid", "nodev", "noatime", "relatime", "defaults", "default_permissions", "_netdev",
                    "noauto",
                    "nofail", "user":
                    continue
                default: throw UnknownOption(word: String(word))
                }
            }
        }
    }

    public struct UnknownOption: Error, Sendable, CustomStringConvertible {
        public let word: String

        public var description: String {
            "`\(word)` is not a mount option; known are allow_other, nonempty, ro, rw and fstab's common words"
        }
    }

    public struct Failure: Error, Sendable, CustomStringConvertible {
        public let description: String
    }

    public let engine: SyncEngine
    private let session: FUSESession
    private let notices: KernelNotices
    private let logger: Logger

    public init(engine: SyncEngine, options: Options, logger: Logger) throws(Failure) {
        self.engine = engine
        self.logger = logger
        let files = FileSystem(
            engine: engine,
            presentation: FileSystem.Presentation(uid: options.uid, gid: options.gid)
        )
        var mountOptions = FUSEMountOptions()
        mountOptions.source = options.source
        mountOptions.allowOther = options.allowsOther
        mountOptions.allowsNonEmpty = options.allowsNonEmpty
        mountOptions.isReadOnly = options.isReadOnly
        mountOptions.invalidation = .explicit
        do throws(FUSEError) {
            session = try FUSESession(fileSystem: KernelBridge(files: files, engine: engine), options: mountOptions)
        } catch {
            throw Failure(description: "\(error)")
        }
        notices = KernelNotices(session: session, logger: logger)
    }

    /// Heals what a dead daemon left there, mounts, and begins to follow the region.
    public func mount(at path: String) throws(Failure) {
        do throws(FUSEError) {
            if try StaleMount.heal(path) { logger.notice("healed the mount of a daemon that died", ["path": path]) }
            try session.mount(at: path)
        } catch {
            throw Failure(description: "\(error)")
        }
        engine.start(observer: notices)
    }

    /// Serves the kernel until the mount ends, from here or from outside.
    public func run() throws(Failure) {
        do throws(FUSEError) {
            _ = try session.run()
        } catch {
            throw Failure(description: "\(error)")
        }
    }

    /// False where programs still use the mount and `force` is not given; then nothing has changed.
    public func unmount(force: Bool) -> Bool {
        do throws(FUSEError) {
            try session.unmount(force ? .lazily : .whenIdle)
            // A lazy unmount ends when the last user is gone; we end now, and they hear ENOTCONN.
            if force { session.exit() }
            return true
        } catch {
            logger.warning("the mount could not be taken away", ["reason": "\(error)"])
            return false
        }
    }

    /// After `run` returned: stops synchronisation and closes the replica.
    public func stop() {
        engine.stop()
        notices.stop()
    }
}
