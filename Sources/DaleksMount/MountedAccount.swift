import DaleksCore
import DaleksFUSE
public import DaleksSync
public import DaleksSystem
import DaleksVFS
import Glibc

/// One account of one region in the file system of this machine: the engine, the kernel session and what joins them.
public final class MountedAccount: Sendable {
    public struct Options: Sendable {
        public var allowsOther = false
        public var allowsNonEmpty = false
        public var isReadOnly = false
        /// Owners are whom the region says, and not the mounting user.
        public var storesOwners = false
        public var allowsSetID = false
        public var allowsDevices = false
        public var forbidsExecution = false
        public var durability = Durability.local
        public var synchronousWrites = SynchronousWrites.region
        /// How long a call that waits for the region does so before it fails.
        public var regionDeadline = Duration.seconds(30)
        /// Locks hold on all machines; else the kernel keeps them to this one.
        public var keepsLocks = true
        public var source: String
        /// Whose account it is, and of which region: facts about every file.
        public var owner = ""
        public var region = ""
        /// The connection of a mount that was made for us already.
        public var connection: Int32?
        /// The daemon's control socket, a fact too.
        public var control: String?
        /// Counts what the kernel asks, where anybody wants to know.
        public var metrics: Metrics?
        public var uid: UInt32
        public var gid: UInt32

        public init(source: String, uid: UInt32, gid: UInt32) {
            self.source = source
            self.uid = uid
            self.gid = gid
        }

        /// Words of `-o`, comma-separated, as mount(8) has them. Throws the first that cannot be obeyed.
        public mutating func add(_ list: String) throws(UnknownOption) {
            for word in list.split(separator: ",") where !word.isEmpty {
                switch word {
                case "allow_other": allowsOther = true
                case "nonempty": allowsNonEmpty = true
                case "ro": isReadOnly = true
                case "rw": isReadOnly = false
                case "noexec": forbidsExecution = true
                case "exec": forbidsExecution = false
                case "owners=stored": storesOwners = true
                case "owners=mine": storesOwners = false
                case "suid", "dev":
                    // Whoever can share a file with us could otherwise share a way to become root.
                    guard getuid() == 0 else { throw UnknownOption(word: String(word), reason: "needs root") }
                    if word == "suid" { allowsSetID = true } else { allowsDevices = true }
                case "nosuid": allowsSetID = false
                case "nodev": allowsDevices = false
                case _ where word.hasPrefix("durability="):
                    let name = word.dropFirst("durability=".utf8.count)
                    guard let tier = Durability.allCases.first(where: { $0.word == name }) else {
                        let words = Durability.allCases.map(\.word).joined(separator: ", ")
                        throw UnknownOption(word: String(word), reason: "names no durability; known are \(words)")
                    }
                    durability = tier
                case _ where word.hasPrefix("region-deadline="):
                    guard let seconds = Int64(word.dropFirst("region-deadline=".utf8.count)),
                        (1...3_600).contains(seconds)
                    else { throw UnknownOption(word: String(word), reason: "wants a number of seconds, up to 3600") }
                    regionDeadline = .seconds(seconds)
                case "osync=region": synchronousWrites = .region
                case "osync=fsync": synchronousWrites = .asFsync
                case "locks=region": keepsLocks = true
                case "locks=local": keepsLocks = false
                // What every line of fstab may carry and what we do anyway.
                case "noatime", "relatime", "defaults", "default_permissions", "_netdev", "noauto",
                    "nofail", "user", "users":
                    continue
                default: throw UnknownOption(word: String(word), reason: nil)
                }
            }
        }
    }

    public struct UnknownOption: Error, Sendable, CustomStringConvertible {
        public let word: String
        /// Why it cannot be had; nil where nobody knows the word.
        public let reason: String?

        public var description: String {
            if let reason { return "the mount option `\(word)` \(reason)" }
            return "`\(word)` is not a mount option; known are allow_other, owners=stored, nonempty, ro, rw, noexec, "
                + "suid, dev, locks=region, locks=local, durability=TIER, osync=region, osync=fsync, "
                + "region-deadline=SECONDS and fstab's common words"
        }
    }

    public struct Failure: Error, Sendable, CustomStringConvertible {
        public let description: String
    }

    /// The folder in the root in which others' items are shown.
    public static var sharesName: String { String(decoding: Guests.name, as: UTF8.self) }

    public let engine: SyncEngine
    private let session: FUSESession
    private let isMountedAlready: Bool
    private let waits: WaitMeasures?
    private let notices: KernelNotices
    private let options: Options
    private let guests = Guests()
    private let guestNotices = Lock<[GuestNotices]>([])
    /// Whether nothing is to be sent, by engines that begin later as well.
    private let pausing = Lock(false)
    private let logger: Logger

    public init(engine: SyncEngine, options: Options, logger: Logger) throws(Failure) {
        self.engine = engine
        self.options = options
        self.logger = logger
        let files = FileSystem(
            engine: engine,
            presentation: options.storesOwners
                ? .stored(mounter: options.uid, group: options.gid)
                : .everything(uid: options.uid, gid: options.gid),
            description: FileSystem.Description(
                owner: options.owner,
                region: options.region,
                control: options.control
            ),
            logger: logger
        )
        var mountOptions = FUSEMountOptions()
        mountOptions.source = options.source
        mountOptions.allowOther = options.allowsOther
        mountOptions.allowsNonEmpty = options.allowsNonEmpty
        mountOptions.isReadOnly = options.isReadOnly
        mountOptions.ignoresSetID = !options.allowsSetID
        mountOptions.ignoresDevices = !options.allowsDevices
        mountOptions.forbidsExecution = options.forbidsExecution
        mountOptions.invalidation = .explicit
        // Who lists a folder nearly always asks for attributes next. The kernel's own guess brings them with the first
        // page of a folder, and has every other name looked up.
        mountOptions.readdirPlus = .always
        mountOptions.posixLocks = options.keepsLocks
        mountOptions.flockLocks = options.keepsLocks
        waits = options.metrics.map { WaitMeasures($0) }
        let bridge = KernelBridge(
            files: files,
            engine: engine,
            durability: options.durability,
            synchronousWrites: options.synchronousWrites,
            regionDeadline: options.regionDeadline,
            keepsLocks: options.keepsLocks,
            guests: guests,
            measures: waits
        )
        mountOptions.connection = options.connection
        isMountedAlready = options.connection != nil
        do throws(FUSEError) {
            session = try FUSESession(
                fileSystem: Volumes(own: bridge, guests: guests),
                options: mountOptions,
                measures: options.metrics.map { OperationMeasures($0) }
            )
        } catch {
            throw Failure(description: "\(error)")
        }
        notices = KernelNotices(session: session, moved: bridge.moved, logger: logger)
    }

    /// Call this before the folder is locked: a daemon that was killed may be kept from dying by its own mount, and has
    /// the lock until that is ended.
    public static func endDead(at path: String, stateFolder: String, logger: Logger) {
        let lock = stateFolder + "/lock"
        guard let process = LockFile.holder(of: lock), StaleMount.abort(path, ofDead: process) else { return }
        logger.notice("ended the mount that kept a killed daemon from dying", ["path": path, "process": process])
        let deadline = TimeSource.system.now + .seconds(5)
        while LockFile.holder(of: lock) == process, TimeSource.system.now < deadline { usleep(20_000) }
    }

    /// Heals what a dead daemon left there, mounts, and begins to follow the region.
    public func mount(at path: String) throws(Failure) {
        do throws(FUSEError) {
            if !isMountedAlready, try StaleMount.heal(path) {
                logger.notice("healed the mount of a daemon that died", ["path": path])
            }
            try session.mount(at: path)
        } catch {
            throw Failure(description: "\(error)")
        }
        engine.start(observer: notices)
    }

    /// Shows what others share in `region`, as `Shared` in the root. While the mount lasts. The account's own region
    /// has the number 1 and comes first; another keeps its number for ever, since inodes are numbered by it.
    public func show(_ shares: SyncEngine, of region: String, number: UInt8) {
        let number = VolumeNumber(number, region: number == 1 ? nil : region)
        let files = FileSystem(
            engine: shares,
            // Owners there are people of other machines: the kernel is told that all of it is the mounting user's.
            presentation: .everything(uid: options.uid, gid: options.gid),
            description: FileSystem.Description(owner: options.owner, region: region, control: options.control),
            logger: logger
        )
        let bridge = KernelBridge(
            files: files,
            engine: shares,
            durability: options.durability,
            synchronousWrites: options.synchronousWrites,
            regionDeadline: options.regionDeadline,
            keepsLocks: options.keepsLocks,
            volume: number,
            measures: waits
        )
        guests.add(bridge)
        let observer = GuestNotices(
            KernelNotices(session: session, volume: number, moved: bridge.moved, logger: logger),
            own: notices,
            guests: guests
        )
        guestNotices.withLock { $0.append(observer) }
        observer.update()
        pausing.withLock { if $0 { shares.pause(true, waitingUpTo: .zero) } }
        shares.start(observer: observer)
    }

    /// The account's own tree first, then what others share.
    public var engines: [SyncEngine] { [engine] + guests.volumes.map(\.engine) }

    /// No change of any engine is sent once this has returned, or all of them go on. What is on its way is waited for.
    public func pause(_ isPaused: Bool, waitingUpTo limit: Duration = SyncEngine.pauseLimit) {
        pausing.withLock { state in
            state = isPaused
            for engine in engines { engine.pause(isPaused, waitingUpTo: .zero) }
        }
        let deadline = TimeSource.system.now + limit
        for engine in engines { engine.waitUntilQuiet(upTo: max(.zero, deadline - TimeSource.system.now)) }
    }

    public var isPaused: Bool { pausing.withLock { $0 } }

    /// Waits until everything done here is at its region; false when the time passed first.
    public func drain(timeout: Duration) -> Bool {
        let deadline = TimeSource.system.now + timeout
        var isDrained = true
        for engine in engines where !engine.drain(timeout: max(.zero, deadline - TimeSource.system.now)) {
            isDrained = false
        }
        return isDrained
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
        for engine in engines.reversed() { engine.stop() }
        for observer in guestNotices.withLock({ $0 }) { observer.stop() }
        notices.stop()
    }
}
