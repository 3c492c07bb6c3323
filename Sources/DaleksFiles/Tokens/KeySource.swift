import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksSQLite
import DaleksSystem

/// The users service's public keys: fetched when a token names one that is not known, kept when a fetch fails, and kept
/// across starts, so that a region works on while the users service is away.
///
/// ## Concurrency
/// `state` is guarded by itself. One thread fetches at a time, with no lock held; the others wait for its result.
final class KeySource: Sendable {
    enum Outcome: Equatable, Sendable {
        /// The keys are as new as they get: fetched just now, or not long ago.
        case current
        /// The users service did not give them.
        case unavailable
    }

    private struct State {
        var keys: [String: VerificationKey] = [:]
        /// Rises whenever a key goes.
        var generation = 0
        var fetched: Instant?
        var attempted: Instant?
        var lastOutcome = Outcome.unavailable
        var isFetching = false
        var fetchCount = 0
    }

    private enum Turn {
        case fetch
        case answer(Outcome)
    }

    private let state = Condition(State())
    private let url: String
    private let client: HTTPClient
    private let store: TreeStore
    private let time: TimeSource
    private let logger: Logger
    private let measures: FilesMeasures
    /// A users service that starts at the same time as we do is asked again soon.
    private let retryInterval = Duration.seconds(1)

    init(
        usersURL: String,
        client: HTTPClient,
        store: TreeStore,
        time: TimeSource = .system,
        logger: Logger,
        measures: FilesMeasures
    ) {
        url = usersURL + Routes.Users.keys
        self.client = client
        self.store = store
        self.time = time
        self.logger = logger
        self.measures = measures
        restore()
    }

    func key(_ name: String, _ algorithm: SignatureAlgorithm) -> VerificationKey? {
        state.withLock { state in
            guard let key = state.keys[name], key.algorithm == algorithm else { return nil }
            return key
        }
    }

    /// Another number than before once a key that was here is not any more. What a key proved holds no longer than it.
    var generation: Int { state.withLock { $0.generation } }

    /// Fetches the keys because a token names one that is not here: at most once in 30 seconds, and once a second while
    /// the users service does not answer.
    func refresh() -> Outcome {
        let turn = state.wait { [time, retryInterval] state -> Turn? in
            if state.isFetching { return nil }
            let interval = state.lastOutcome == .current ? Limits.Files.keyFetchInterval : retryInterval
            if let attempted = state.attempted, time.now - attempted < interval { return .answer(state.lastOutcome) }
            state.isFetching = true
            return .fetch
        }
        switch turn {
        case .answer(let outcome): return outcome
        case .fetch, nil: return conclude(fetch())
        }
    }

    /// Fetches them again beside the requests where they have become old, so that a key that was withdrawn goes.
    func refreshIfOld() {
        let isDue = state.withLock { [time, retryInterval] state -> Bool in
            guard !state.isFetching, let fetched = state.fetched, time.now - fetched > Limits.Files.keyRefreshInterval,
                state.attempted.map({ time.now - $0 > retryInterval * 10 }) ?? true
            else { return false }
            state.isFetching = true
            return true
        }
        guard isDue else { return }
        _ = client.start(request) { [self] result in _ = conclude(received(result)) }
    }

    private var request: ClientRequest {
        ClientRequest(
            .get,
            url,
            sink: .memory(max: Limits.Files.keySetBytesMax),
            deadline: Limits.Files.keyFetchDeadline,
            // A pooled connection may have died with the service that comes back: that is no failed fetch.
            retry: .idempotent(maxAttempts: 3)
        )
    }

    private func fetch() -> [UInt8]? {
        do throws(HTTPClientError) {
            return received(.success(try client.send(request)))
        } catch {
            return received(.failure(error))
        }
    }

    private func received(_ result: Result<ClientResponse, HTTPClientError>) -> [UInt8]? {
        measures.keyFetches.increment()
        switch result {
        case .success(let response) where response.status == .ok: return response.body
        case .success(let response):
            logger.warning("the users service did not give its keys", ["status": response.status])
        case .failure(let error):
            logger.warning("the users service did not give its keys", ["error": error])
        }
        return nil
    }

    /// Good keys stay where the answer is not a key set, or one without a key.
    private func conclude(_ body: [UInt8]?) -> Outcome {
        let keys = body.flatMap { parse($0) }
        if body != nil, keys == nil { logger.warning("the users service gave no usable keys") }
        if keys == nil { measures.keyFetchFailures.increment() }
        let outcome: Outcome = keys == nil ? .unavailable : .current
        let now = time.now
        state.withLock { state in
            state.isFetching = false
            state.attempted = now
            state.lastOutcome = outcome
            guard let keys else { return }
            if state.keys.keys.contains(where: { keys[$0] == nil }) { state.generation += 1 }
            state.keys = keys
            state.fetched = now
        }
        state.broadcast()
        if let body, keys != nil { keep(body) }
        return outcome
    }

    private func parse(_ body: [UInt8]) -> [String: VerificationKey]? {
        guard let json = try? JSONValue.parse(body), let set = try? JWKSet(json: json) else { return nil }
        var keys: [String: VerificationKey] = [:]
        for key in set.keys { keys[key.keyID] = try? VerificationKey(jwk: key) }
        return keys.isEmpty ? nil : keys
    }

    private func keep(_ body: [UInt8]) {
        let now = time.wall
        do throws(APIError) {
            try store.write(.normal) { db in try KeySetTable.save(body, url: url, at: now, db) }
        } catch {
            logger.warning("the keys could not be kept for the next start", ["error": error.detail])
        }
    }

    /// Those of the last run serve until newer ones come; the first unknown name asks for them at once.
    private func restore() {
        guard let body = try? store.read({ db in try KeySetTable.load(url: url, db) }), let keys = parse(body) else {
            return
        }
        let now = time.now
        state.withLock { state in
            state.keys = keys
            state.fetched = now
        }
    }
}
