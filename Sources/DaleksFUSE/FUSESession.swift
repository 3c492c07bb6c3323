import CFuse
public import DaleksCore
public import DaleksSystem
import Glibc
import Synchronization

/// One mount, from making it to its end.
///
/// ```
/// let session = try FUSESession(fileSystem: tree, options: options, logger: logger)
/// try session.mount(at: path)
/// let end = try session.run()     // returns after unmount() or exit() from another thread, or umount(8)
/// ```
///
/// ## Concurrency
/// `state` guards the life cycle; `loop` guards which threads serve and is what `run` waits on. Requests touch neither:
/// they reach the session through libfuse, which borrows it (`run` holds it while there are callbacks, and each
/// unanswered reply holds it after). The descriptor's number is given back with the last reference, so an answer or a
/// notification that comes late meets an ended connection and never a stranger's descriptor.
///
/// A file system that keeps parked replies keeps the session with them: answer or drop them when `run` has returned.
public final class FUSESession: Sendable {
    public enum End: Sendable {
        /// The mount is gone and so is everything that was open on it.
        case unmounted
        /// `exit` was called. Whoever still waits for an answer gets ECONNABORTED, whoever asks anew ENOTCONN.
        case stopped
    }

    public enum UnmountMode: Sendable {
        /// Fails while somebody uses the mount.
        case whenIdle
        /// Out of sight at once; ends when the last user is gone.
        case lazily
    }

    /// libfuse's session and where it is mounted.
    /// Unchecked: libfuse locks its session itself, and the other fields never change.
    struct Mount: @unchecked Sendable {
        let raw: OpaquePointer
        let descriptor: Int32
        let path: String
        /// The device number that tells this mount from a later one at the same path.
        let device: String?
    }

    private enum State {
        case fresh
        case mounted(Mount)
        case running(Mount)
        case ended(Mount)
    }

    let fileSystem: any FUSEFileSystem
    let options: FUSEMountOptions
    let logger: Logger
    let isTracing: Bool
    let interrupts = InterruptTable()
    let ready = Gate()
    let loop = Condition(WorkerLoop())
    let measures: OperationMeasures?
    /// Threads that wait for a request. Counted without a lock, so it steers and decides nothing.
    let waitingCount = Atomic<Int>(0)
    /// When the last spare thread ended, in nanoseconds of the monotonic clock.
    let spareEnded = Atomic<Int64>(0)

    private let state = Lock(State.fresh)
    private let agreement = Lock<FUSEConnection?>(nil)
    private let failure = Lock<FUSEError?>(nil)
    private let offeredFlags = Atomic<UInt64>(0)
    private let isInitAnswered = Atomic<Bool>(false)
    private let isDisconnected = Atomic<Bool>(false)

    /// `traces`: every request and its kind goes to the logger at level debug. Off, tracing costs one comparison, as
    /// measuring does.
    public init(
        fileSystem: any FUSEFileSystem,
        options: FUSEMountOptions = FUSEMountOptions(),
        logger: Logger = .silent,
        traces: Bool = false,
        measures: OperationMeasures? = nil
    ) throws(FUSEError) {
        try options.validate()
        self.fileSystem = fileSystem
        self.options = options
        self.logger = logger
        self.measures = measures
        isTracing = traces && logger.level <= .debug
        LibraryLog.send(to: logger)
    }

    deinit {
        guard let mount else { return }
        if !isDisconnected.load(ordering: .acquiring) {
            do throws(FUSEError) {
                try Mounter.unmount(mount.path, device: mount.device, lazily: true)
            } catch {
                logger.warning("mount left behind", ["path": mount.path, "reason": error])
            }
        }
        // Closes the descriptor, which ends the connection for whoever is left.
        fuse_session_destroy(mount.raw)
    }

    /// Where it is mounted, once it is.
    public var path: String? { mount?.path }

    /// What kernel and adapter agreed on; nil until the first request was answered.
    public var connection: FUSEConnection? { agreement.withLock { $0 } }

    /// Waits until the kernel's first request was answered, from when on nobody is kept waiting. False: time passed.
    public func waitUntilReady(timeout: Duration? = nil) -> Bool { ready.wait(timeout: timeout) }

    /// Makes the mount. Who uses it waits until `run`.
    ///
    /// Root mounts by itself, others through fusermount3, unless the options bring a mount. A session mounts once.
    public func mount(at path: String) throws(FUSEError) {
        precondition(mount == nil, "a session mounts once")
        // A mount that waits for us would make who looks at it wait too.
        let path = try options.connection == nil ? MountPoint.checked(path, options) : MountPoint.absolute(path)
        let raw = try makeRawSession()
        let descriptor: FileDescriptor
        do throws(FUSEError) {
            descriptor = try Mounter.mount(path, options)
        } catch {
            fuse_session_destroy(raw)
            throw error
        }
        let number = descriptor.release()
        var interface = Wire.interface(splices: options.splicesReplies)
        // libfuse owns the descriptor from here on.
        let result = fuse_session_custom_io(raw, &interface, number)
        let device = MountTable.current().last { $0.path == path }?.device
        guard result == 0 else {
            _ = close(number)
            try? Mounter.unmount(path, device: device, lazily: true)
            fuse_session_destroy(raw)
            throw .system("giving libfuse its descriptor", Errno(rawValue: -result))
        }
        let mount = Mount(raw: raw, descriptor: number, path: path, device: device)
        state.withLock { $0 = .mounted(mount) }
        logger.info("mounted", ["path": path])
    }

    /// Serves requests on up to `threads` threads until the mount ends or `exit` is called. Blocks.
    @discardableResult
    public func run(threads: Int = Limits.FUSE.threadsDefault) throws(FUSEError) -> End {
        let isMounted = state.withLock { state -> Bool in
            guard case .mounted(let mount) = state else { return false }
            state = .running(mount)
            return true
        }
        guard isMounted, let mount else { preconditionFailure("a session runs once, after it was mounted") }
        serve(mount.raw, threads: min(max(1, threads), Limits.FUSE.threadsMax))
        state.withLock { $0 = .ended(mount) }
        if !isDisconnected.load(ordering: .acquiring) { disconnect(mount) }
        if let failure = failure.withLock({ $0 }) { throw failure }
        let end = isDisconnected.load(ordering: .acquiring) ? End.unmounted : .stopped
        logger.info("session ended", ["path": mount.path, "how": "\(end)"])
        return end
    }

    /// Takes the mount out of the tree, from any thread but those that serve; `run` returns once nobody uses it.
    ///
    /// Nothing happens where it is gone already.
    public func unmount(_ mode: UnmountMode = .whenIdle) throws(FUSEError) {
        guard let mount, !isDisconnected.load(ordering: .acquiring) else { return }
        try Mounter.unmount(mount.path, device: mount.device, lazily: mode == .lazily)
        logger.info("unmounted", ["path": mount.path])
    }

    /// Makes `run` return soon, from any thread, without waiting for users of the mount; requests under way are
    /// finished first. Does not unmount.
    public func exit() {
        loop.withLock { $0.isStopping = true }
        if let mount { fuse_session_exit(mount.raw) }
        loop.broadcast()
    }

    /// Ends the connection, though late answers still have its number: nobody serves any more, and whoever waited in
    /// the kernel would wait for ever, not even to be killed.
    private func disconnect(_ mount: Mount) {
        do throws(Errno) {
            let nothing = try FileDescriptor.open("/dev/null", O_RDONLY)
            try checking { dup2(nothing.raw, mount.descriptor) }
            try checking { fcntl(mount.descriptor, F_SETFD, FD_CLOEXEC) }
        } catch {
            logger.warning("connection still open", ["path": mount.path, "reason": error])
        }
    }

    var mount: Mount? {
        state.withLock { state in
            switch state {
            case .fresh: nil
            case .mounted(let mount), .running(let mount), .ended(let mount): mount
            }
        }
    }

    private func makeRawSession() throws(FUSEError) -> OpaquePointer {
        var arguments = fuse_args(argc: 0, argv: nil, allocated: 0)
        defer { fuse_opt_free_args(&arguments) }
        var words = ["daleks"]
        // libfuse compares what it heard here with what we want at INIT.
        if let count = options.readBytesMax { words += ["-omax_read=\(count)"] }
        for word in words where fuse_opt_add_arg(&arguments, word) != 0 {
            throw .libraryRefused("no memory for its arguments")
        }
        var operations = Callbacks.operations()
        // The session outlives every request, so C borrows it.
        let context = Unmanaged.passUnretained(self).toOpaque()
        let raw = fuse_session_new(&arguments, &operations, MemoryLayout<fuse_lowlevel_ops>.size, context)
        guard let raw else { throw .libraryRefused("a new session") }
        return raw
    }

    // MARK: INIT, on the one thread that received it; all others wait in the kernel until it is answered.

    /// Takes down what the kernel offers, all 64 bits of it; libfuse knows only some.
    func offered(in body: UnsafeRawBufferPointer) {
        guard body.count >= 16 else { return }
        var flags = UInt64(body.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
        if flags & daleks_fuse_init_ext != 0, body.count >= 20 {
            flags |= UInt64(body.loadUnaligned(fromByteOffset: 16, as: UInt32.self)) << 32
        }
        offeredFlags.store(flags, ordering: .relaxed)
    }

    /// libfuse asks what we want.
    func negotiate(_ info: inout fuse_conn_info) {
        guard info.proto_major == 7, info.proto_minor >= Limits.FUSE.protocolMinorMin else {
            failure.withLock { $0 = .kernelTooOld(info.proto_major, info.proto_minor) }
            // libfuse has no "no": a wish that cannot be fulfilled makes it refuse the connection.
            info.want |= 1 << 31
            return
        }
        options.apply(to: &info)
    }

    /// True for the answer to INIT, which is the first of all and is amended here.
    @inline(__always)
    func willAnswer(_ parts: UnsafeMutableBufferPointer<iovec>) -> Bool {
        if isInitAnswered.load(ordering: .relaxed) { return false }
        return amendInit(parts)
    }

    private func amendInit(_ parts: UnsafeMutableBufferPointer<iovec>) -> Bool {
        isInitAnswered.store(true, ordering: .relaxed)
        guard parts.count == 2, let header = parts[0].iov_base, let body = parts[1].iov_base,
            header.load(fromByteOffset: 4, as: Int32.self) == 0, parts[1].iov_len >= MemoryLayout<fuse_init_out>.size
        else { return false }
        let answer = body.assumingMemoryBound(to: fuse_init_out.self)
        let offered = offeredFlags.load(ordering: .relaxed)
        // Both are in the lower half of the flags. libfuse 3.14 has a wish for the first, and forgets to send it.
        var grants: FUSECapabilities = [.parallelDirectoryOperations]
        if options.handlesKillPrivileges { grants.insert(.handleKillPrivileges) }
        answer.pointee.flags |= UInt32(truncatingIfNeeded: grants.rawValue & offered)
        let granted = UInt64(answer.pointee.flags) | UInt64(answer.pointee.flags2) << 32
        let agreed = FUSEConnection(
            protocolMajor: answer.pointee.major,
            protocolMinor: answer.pointee.minor,
            offered: FUSECapabilities(rawValue: offered),
            granted: FUSECapabilities(rawValue: granted),
            writeBytesMax: answer.pointee.max_write,
            readaheadBytesMax: answer.pointee.max_readahead,
            splicesReplies: options.splicesReplies
        )
        agreement.withLock { $0 = agreed }
        logger.debug(
            "kernel and adapter agreed",
            [
                "protocol": "\(agreed.protocolMajor).\(agreed.protocolMinor)",
                "granted": String(granted, radix: 16),
            ]
        )
        fileSystem.initialize(agreed)
        return true
    }

    func disconnected() { isDisconnected.store(true, ordering: .releasing) }
}
