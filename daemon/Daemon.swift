import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksHTTPClient
import DaleksMount
import DaleksSync
import DaleksSystem
import Glibc

/// One running daemon: credentials, engine, mount, control socket, and the order in which they begin and end.
///
/// ## Concurrency
/// The main thread waits for signals; the kernel is served on threads of the session, the command line on the control
/// server's. Whoever wants the daemon to end sends it SIGTERM.
final class Daemon: Sendable {
    private let settings: DaemonSettings
    private let logger: Logger
    private let signals: SignalWaiter
    private let credentials: Credentials
    private let tokens: AccessTokens
    private let account: MountedAccount
    private let shared: SharedRegions
    private let metrics = Metrics()
    /// Set once by whoever unmounts for good, so that the end knows whether it still has to.
    private let isUnmounted = Lock(false)

    init(_ settings: DaemonSettings, logger: Logger, signals: SignalWaiter) throws(DaemonProgram.Failure) {
        self.settings = settings
        self.logger = logger
        self.signals = signals
        let store = CredentialStore(path: settings.credentialsPath)
        do throws(CredentialStore.Failure) {
            credentials = try store.load()
        } catch {
            switch error {
            case .absent: throw DaemonProgram.Failure(description: "nobody is logged in here; run `daleks login` first")
            case .unreadable(let reason): throw DaemonProgram.Failure(description: reason)
            }
        }
        var options = MountedAccount.Options(source: credentials.region.filesURL, uid: getuid(), gid: getgid())
        options.connection = settings.connection
        options.owner = credentials.user.email
        options.region = credentials.region.code
        // Whoever works in another folder must find it too.
        options.metrics = metrics
        options.control = Places.controlSocket(in: Self.absolute(settings.stateFolder))
        do throws(MountedAccount.UnknownOption) {
            for list in settings.mountOptions { try options.add(list) }
        } catch {
            throw DaemonProgram.Failure(description: error.description, exitCode: 2)
        }
        let http = Self.http(settings, credentials, logger)
        let users = UsersClient(url: credentials.usersURL, http: http)
        tokens = AccessTokens(credentials, store: store, users: users, logger: logger)
        let files = FilesClient(url: credentials.region.filesURL, http: http, tokens: tokens)
        var configuration = SyncEngine.Configuration(
            folder: settings.stateFolder,
            subject: credentials.subject,
            hostName: MachineName.current,
            uid: options.uid,
            gid: options.gid
        )
        configuration.space = settings.space
        configuration.boot = settings.boot
        let people = AccountClient(url: credentials.usersURL, http: http, tokens: tokens)
        let measures = RegionMeasures(metrics)
        let remote = RegionRemote(
            files: files,
            http: http,
            measures: measures,
            people: (people, credentials.user.id)
        )
        if settings.connection == nil {
            MountedAccount.endDead(at: settings.mountPoint, stateFolder: settings.stateFolder, logger: logger)
        }
        let engine: SyncEngine
        do throws(SyncEngine.StartFailure) {
            engine = try SyncEngine(configuration, remote: remote, logger: logger)
        } catch {
            throw Self.failure(error, credentials)
        }
        do throws(MountedAccount.Failure) {
            account = try MountedAccount(engine: engine, options: options, logger: logger)
        } catch {
            throw DaemonProgram.Failure(description: error.description)
        }
        metrics.addProcess()
        metrics.addAccount(account, space: settings.space)
        shared = SharedRegions(
            settings: settings,
            credentials: credentials,
            tokens: tokens,
            account: account,
            measures: measures,
            logger: logger
        )
    }

    /// All of a daemon's share one line.
    static func http(_ settings: DaemonSettings, _ credentials: Credentials, _ logger: Logger) -> HTTPClient {
        var configuration = HTTPClientConfiguration(
            userAgent: "daleksd/\(Version.current)",
            caFile: credentials.caFile
        )
        configuration.line = settings.line
        configuration.requiresTLS = !credentials.allowsHTTP
        return HTTPClient(configuration: configuration, logger: logger)
    }

    private static func failure(
        _ error: SyncEngine.StartFailure,
        _ credentials: Credentials
    ) -> DaemonProgram.Failure {
        switch error {
        case .inUse(let text), .unusable(let text): return DaemonProgram.Failure(description: text)
        case .region(.loggedOut):
            return DaemonProgram.Failure(
                description: "the log-in of \(credentials.user.email) has ended; run `daleks login`"
            )
        case .region(let reason):
            let what = if case .unreachable(let detail) = reason { detail } else { "\(reason)" }
            return DaemonProgram.Failure(
                description:
                    "the first mount needs region \(credentials.region.code), and \(what); try again when it answers"
            )
        }
    }

    // MARK: Life

    func run() throws(DaemonProgram.Failure) {
        let collector = try collector()
        // Whether it was there or cannot be made, mounting tells.
        if settings.isUsualMountPoint { _ = mkdir(settings.mountPoint, 0o700) }
        do throws(MountedAccount.Failure) {
            try account.mount(at: settings.mountPoint)
        } catch {
            account.engine.stop()
            throw DaemonProgram.Failure(description: error.description)
        }
        let control: ControlServer
        do throws(Errno) {
            control = try ControlServer(
                path: Places.controlSocket(in: settings.stateFolder),
                logger: logger,
                answer: { [self] request in answer(request) }
            )
        } catch {
            _ = account.unmount(force: true)
            throw DaemonProgram.Failure(description: "the control socket in \(settings.stateFolder) failed: \(error)")
        }
        control.start()
        collector?.start()
        shared.start()
        let serving = Thread(name: "serve") { [self] in
            do throws(MountedAccount.Failure) { try account.run() } catch {
                logger.error("the kernel's connection failed", ["reason": error])
            }
            // However the mount ended, the main thread must hear of it.
            signals.send(SIGTERM)
        }
        ServiceNotifier.ready()
        logger.notice("ready", ["mount": settings.mountPoint, "region": credentials.region.code])
        waitForEnd()
        end(serving)
        collector?.stop()
        control.stop()
    }

    /// What answers a collector, where one was asked for.
    private func collector() throws(DaemonProgram.Failure) -> MetricsServer? {
        guard let port = settings.metricsPort else { return nil }
        do throws(Errno) { return try MetricsServer(port: port, metrics: metrics) } catch {
            account.engine.stop()
            let what = error == .addressInUse ? "is taken; choose another with --metrics-port" : "failed: \(error)"
            throw DaemonProgram.Failure(description: "port \(port) on 127.0.0.1 \(what)")
        }
    }

    private static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/"), let folder = getcwd(nil, 0) else { return path }
        defer { free(folder) }
        return String(cString: folder) + "/" + path
    }

    private func waitForEnd() {
        let interval = ServiceNotifier.watchdogInterval.map { $0 / 2 }
        while true {
            switch signals.wait(timeout: interval) {
            case SIGTERM, SIGINT: return
            case nil: ServiceNotifier.watchdog()
            default: logger.info("settings are read at start; restart to change them")
            }
        }
    }

    private func end(_ serving: Thread) {
        ServiceNotifier.stopping()
        shared.stop()
        if !isUnmounted.withLock({ $0 }) {
            ServiceNotifier.status("sending what the region does not know yet")
            if !account.drain(timeout: settings.drainTimeout) {
                logger.warning(
                    "not everything is at the region; the rest is kept and goes on at the next mount",
                    ["pending": account.engines.reduce(0) { $0 + $1.pendingCount }]
                )
            }
            // In use: taken out of sight, so that nobody begins anew; those who are there hear that it ended.
            if !account.unmount(force: false) { _ = account.unmount(force: true) }
        }
        serving.join()
        account.stop()
        logger.notice("ended", ["mount": settings.mountPoint])
    }

    // MARK: The command line's requests

    private func answer(_ request: ControlRequest) -> ControlAnswer {
        switch request.verb {
        case .status: return status()
        case .sync:
            let isDrained = account.drain(timeout: .seconds(request.timeoutSeconds ?? 3_600))
            return status(failure: isDrained ? nil : "the region does not know everything yet")
        case .unmount: return unmount(request)
        case .pause, .resume:
            pause(request.verb == .pause)
            return status()
        case .limit:
            if let rate = request.uploadLimit { settings.line.up?.bytesPerSecond = rate == 0 ? nil : rate }
            if let rate = request.downloadLimit { settings.line.down?.bytesPerSecond = rate == 0 ? nil : rate }
            return status()
        case .metrics:
            var answer = status()
            answer.metrics = metrics.prometheusText()
            return answer
        case .cache, .clearCache: return cache(isCleared: request.verb == .clearCache)
        case .conflicts:
            var answer = status()
            do throws(Errno) { answer.disputes = try Disputes.all(of: account.engines) } catch {
                answer.failure = "the replica cannot be read: \(error)"
            }
            return answer
        }
    }

    /// What is under way is waited for. Where it is slow because it was told to be, it stands still instead, and goes
    /// on from there once it may: nobody waits for minutes to hear that nothing goes out.
    private func pause(_ isPaused: Bool) {
        let isLimited = settings.line.up?.bytesPerSecond != nil
        if isPaused, isLimited { settings.line.up?.freeze(true) }
        account.pause(isPaused, waitingUpTo: isLimited ? .seconds(1) : SyncEngine.pauseLimit)
        if !isPaused { settings.line.up?.freeze(false) }
    }

    private func cache(isCleared: Bool) -> ControlAnswer {
        var answer = status()
        do throws(Errno) {
            var freed: Int64 = 0
            if isCleared { for engine in account.engines { freed += try engine.clearCache() } }
            var sum = CacheFigures()
            for engine in account.engines { sum = sum + (try engine.cacheFigures()) }
            answer.cache = ControlCache(
                files: sum.files,
                bytes: sum.bytes,
                bytesMax: settings.space.bytesMax,
                unsentBytes: sum.unsentBytes,
                pinnedBytes: sum.pinnedBytes,
                freedBytes: isCleared ? freed : nil
            )
        } catch { answer.failure = "the cache cannot be looked at: \(error)" }
        return answer
    }

    private func inUse() -> String {
        let users = ProcessTable.users(of: settings.mountPoint)
        let named = users.prefix(3).map { "\($0.name) (process \($0.id))" }.joined(separator: ", ")
        let more = users.count > 3 ? " and \(users.count - 3) more" : ""
        return "\(settings.mountPoint) is in use\(users.isEmpty ? "" : " by \(named)\(more)"); "
            + "close what works in it, or take it away under it with --force"
    }

    private func unmount(_ request: ControlRequest) -> ControlAnswer {
        let timeout = Duration.seconds(request.timeoutSeconds ?? settings.drainTimeout.components.seconds)
        let isDrained = timeout == .zero || account.drain(timeout: timeout)
        guard account.unmount(force: false) || request.isForced && account.unmount(force: true) else {
            return status(failure: inUse())
        }
        isUnmounted.withLock { $0 = true }
        let answer = status(
            failure: isDrained ? nil : "unmounted, and the region does not know everything yet: the next mount goes on"
        )
        signals.send(SIGTERM)
        return answer
    }

    private func status(failure: String? = nil) -> ControlAnswer {
        let engines = account.engines.map(\.status)
        let engine = engines[0]
        return ControlAnswer(
            failure: failure,
            mountPoint: settings.mountPoint,
            email: credentials.user.email,
            region: credentials.region.code,
            filesURL: credentials.region.filesURL,
            isConnected: engine.isConnected,
            isLoggedOut: engine.isLoggedOut || tokens.ending != nil,
            isPaused: account.isPaused,
            pendingCount: engines.reduce(0) { $0 + $1.pendingCount },
            lastFailure: engines.lazy.compactMap(\.lastFailure).first,
            processID: Int64(getpid()),
            pendingBytes: engines.reduce(0) { $0 + $1.pendingBytes },
            cacheBytes: engines.reduce(0) { $0 + $1.cacheBytes },
            cacheBytesMax: settings.space.bytesMax,
            conflictCount: engines.reduce(0) { $0 + $1.conflictCount },
            refusedCount: engines.reduce(0) { $0 + $1.refusedCount },
            credentials: Self.absolute(settings.credentialsPath),
            uploadLimit: settings.line.up?.bytesPerSecond,
            downloadLimit: settings.line.down?.bytesPerSecond
        )
    }
}
