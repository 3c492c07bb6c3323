import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksSQLite
import DaleksSystem

/// Asks every files service now and then whether it serves, and notes the answer in the directory.
///
/// ## Concurrency
/// One thread asks; `isStopping` is guarded by itself.
final class RegionHealth: Sendable {
    private let store: UsersStore
    private let http: HTTPClient
    private let time: TimeSource
    private let logger: Logger
    private let isStopping = Condition(false)
    private let finished = Gate()

    init(store: UsersStore, time: TimeSource, logger: Logger) {
        self.store = store
        self.time = time
        self.logger = logger
        http = HTTPClient(configuration: HTTPClientConfiguration(userAgent: "daleks-users/\(Version.current)"))
    }

    func start() {
        _ = Thread(name: "region-health") { [self] in
            repeat { look() } while !isStopped(after: Limits.Users.healthInterval)
            finished.open()
        }
    }

    func stop() {
        isStopping.withLock { $0 = true }
        isStopping.broadcast()
        // Ends what is asked right now.
        http.shutdown()
        finished.wait()
    }

    private func isStopped(after pause: Duration) -> Bool {
        isStopping.wait(timeout: pause, until: { $0 ? true : nil }) ?? false
    }

    private func look() {
        guard let regions = try? store.read({ db in try RegionTable.listed(db) }) else { return }
        for region in regions where !isStopped(after: .zero) {
            let isUp = answers(region)
            guard !isStopped(after: .zero) else { return }
            let now = time.wall
            let age = region.checked.map { now - $0 } ?? Limits.Users.healthNoteAge
            // Of several processes each asks, and one writes.
            guard isUp != region.isUp || age >= Limits.Users.healthNoteAge else { continue }
            if let was = region.isUp, was != isUp {
                logger.warning(
                    isUp ? "a region answers again" : "a region does not answer",
                    ["region": region.code]
                )
            }
            try? store.write(.normal) { db in try RegionTable.note(isUp: isUp, of: region.code, at: now, db) }
        }
    }

    private func answers(_ region: RegionRecord) -> Bool {
        let request = ClientRequest(.get, region.filesURL + "/livez", deadline: Limits.Users.healthDeadline)
        do throws(HTTPClientError) {
            return try http.send(request).status == .ok
        } catch {
            return false
        }
    }
}
