import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksHTTPClient
import DaleksMount
import DaleksSync
import DaleksSystem

/// Shows what others share with the account, in its own region and in every other that it may enter, once somebody
/// does: before that nothing is kept for it, and it costs a question now and then.
///
/// ## Concurrency
/// One thread of its own runs `run` and begins engines; `state` is how others speak to it.
final class SharedRegions: Sendable {
    private struct State {
        var isStopping = false
        var isDue = true
        /// What is shown, by the region's code.
        var engines: [String: SyncEngine] = [:]
        /// What asks something now: the end does not wait for answers.
        var asking: HTTPClient?
    }

    /// How often other regions are asked whether anybody shares something there: no feed tells. In its own region the
    /// account's feed does.
    private static let period: Duration = .seconds(60)

    /// After a question that was not answered.
    private static let failurePause: Duration = .seconds(5)

    /// What others share takes so much of the cache's size beside what is the account's own.
    private static let cacheShare: Int64 = 4

    private let settings: DaemonSettings
    private let credentials: Credentials
    private let tokens: AccessTokens
    private let account: MountedAccount
    private let measures: RegionMeasures
    private let logger: Logger
    private let state = Condition(State())
    private let thread = Lock<Thread?>(nil)

    init(
        settings: DaemonSettings,
        credentials: Credentials,
        tokens: AccessTokens,
        account: MountedAccount,
        measures: RegionMeasures,
        logger: Logger
    ) {
        self.settings = settings
        self.credentials = credentials
        self.tokens = tokens
        self.account = account
        self.measures = measures
        self.logger = logger
    }

    /// Once the account is mounted.
    func start() {
        account.engine.whenSharesChange { [self] in look() }
        let running = Thread(name: "shared") { [self] in run() }
        thread.withLock { $0 = running }
    }

    /// No engine begins any more; those that did are the account's to stop.
    func stop() {
        let asking = state.withLock { state in
            state.isStopping = true
            return state.asking
        }
        state.broadcast()
        asking?.shutdown()
        thread.withLock { $0 }?.join()
    }

    private func look() {
        let home = state.withLock { state in
            state.isDue = state.engines[credentials.region.code] == nil
            return state.engines[credentials.region.code]
        }
        if let home { home.lookAtShares() } else { state.broadcast() }
    }

    private func run() {
        var pause = Self.period
        while true {
            let isStopping = state.wait(timeout: pause) { state -> Bool? in
                if state.isStopping { return true }
                guard state.isDue else { return nil }
                state.isDue = false
                return false
            }
            if isStopping == true { return }
            pause = beginWanted() ? Self.period : Self.failurePause
        }
    }

    /// False where some region could not be asked.
    private func beginWanted() -> Bool {
        var isAnswered = begin(credentials.region, number: 1, isForced: false)
        guard let regions = regions() else { return false }
        for region in regions where region.code != credentials.region.code {
            if !begin(region, number: nil, isForced: false) { isAnswered = false }
        }
        return isAnswered
    }

    /// Nil where they cannot be asked for.
    private func regions() -> [RegionRecord]? {
        let http = client()
        defer { http.shutdown() }
        return try? UsersClient(url: credentials.usersURL, http: http).regions()
    }

    /// One that the end cuts off.
    private func client() -> HTTPClient {
        let http = Daemon.http(settings, credentials, logger)
        let isStopping = state.withLock { state in
            state.asking = http
            return state.isStopping
        }
        if isStopping { http.shutdown() }
        return http
    }

    // MARK: One region

    /// Begins to show it, if there is something to show or it is `isForced`. False where it could not be asked.
    private func begin(_ region: RegionRecord, number: UInt8?, isForced: Bool) -> Bool {
        guard state.withLock({ !$0.isStopping && $0.engines[region.code] == nil }) else { return true }
        let isHome = region.code == credentials.region.code
        let http = client()
        let files = FilesClient(url: region.filesURL, http: http, tokens: tokens, isHome: isHome)
        let people = AccountClient(url: credentials.usersURL, http: http, tokens: tokens)
        let remote = RegionRemote(
            files: files,
            http: http,
            measures: measures,
            people: (people, credentials.user.id)
        )
        let folder = settings.stateFolder + "/shared-" + region.code
        let isBegun: Bool?
        do throws(RemoteError) {
            var isWanted = isForced || Files.isDirectory(folder)
            if !isWanted { isWanted = try !remote.sharedWithMe(after: nil).items.isEmpty }
            isBegun = isWanted ? show(region, isHome, remote, folder, number) : false
        } catch {
            logger.info("it could not be asked what others share", ["region": region.code, "reason": "\(error)"])
            isBegun = nil
        }
        if isBegun != true { http.shutdown() }
        return isBegun != nil
    }

    private func show(
        _ region: RegionRecord,
        _ isHome: Bool,
        _ remote: RegionRemote,
        _ folder: String,
        _ number: UInt8?
    ) -> Bool? {
        // The folder for all regions is that of the account's own.
        if !isHome, !begin(credentials.region, number: 1, isForced: true) { return nil }
        var configuration = SyncEngine.Configuration(
            folder: folder,
            subject: "\(credentials.user.id)@\(region.code) shared",
            hostName: MachineName.current,
            uid: 0,
            gid: 0
        )
        configuration.space = settings.space
        configuration.space.bytesMax /= Self.cacheShare
        configuration.boot = settings.boot
        do throws(Errno) {
            var number = number
            if number == nil { number = try self.number(of: region) }
            guard let number else { return false }
            // From here on it is the engine's, which has things to send at the end.
            state.withLock { $0.asking = nil }
            do throws(SyncEngine.StartFailure) {
                let engine = try SyncEngine(
                    ofSharesWith: credentials.user.id,
                    configuration,
                    isHome: isHome,
                    remote: remote,
                    logger: logger
                )
                account.show(engine, of: region.code, number: number)
                state.withLock { $0.engines[region.code] = engine }
                // What was told while it began.
                engine.lookAtShares()
                return true
            } catch {
                logger.error("what others share cannot be shown", ["region": region.code, "reason": "\(error)"])
                return nil
            }
        } catch {
            logger.error("the list of regions cannot be kept", ["errno": error])
            return nil
        }
    }

    /// Inodes are numbered by it, so a region keeps it: its place in a list that only grows. Nil where there are too
    /// many.
    private func number(of region: RegionRecord) throws(Errno) -> UInt8? {
        let path = settings.stateFolder + "/shared-regions"
        var codes: [String] = []
        do throws(Errno) {
            codes = String(decoding: try Files.readAll(path, max: 1 << 16), as: UTF8.self)
                .split(separator: "\n").map(String.init)
        } catch {
            guard error == .noEntry else { throw error }
        }
        let index = codes.firstIndex(of: region.code) ?? codes.count
        if index == codes.count {
            codes.append(region.code)
            try Files.writeAtomically(path, Array(codes.joined(separator: "\n").utf8), mode: 0o600, durable: true)
        }
        // 0 is the account's own tree, 1 its own region.
        return UInt8(exactly: index + 2)
    }
}
