import DaleksCore
public import DaleksHTTP
public import DaleksSystem

/// How many requests each of many may send: so many a second in the long run, so many at once after a pause.
///
/// What is kept for each is one moment: when it would have used up nothing. Whoever has been quiet for long enough is
/// forgotten, since that is how everybody begins.
///
/// ## Concurrency
/// Keys are spread over `shards`, each with a lock that is held for a look-up.
public final class RequestLimiter<Key: Hashable & Sendable>: Sendable {
    private let shards: [Lock<[Key: Instant]>]
    private let interval: Duration
    private let burst: Duration
    private let time: TimeSource
    private let keysOfShardMax: Int
    private let whose: String

    /// Nil where `perSecond` is none: everybody may send as much as they like. `whose` begins the sentence that
    /// refuses.
    public init?(_ whose: String, perSecond: Int, burst: Int, keyCountMax: Int = 65_536, time: TimeSource = .system) {
        guard perSecond > 0 else { return nil }
        self.whose = whose
        self.time = time
        interval = .seconds(1) / perSecond
        self.burst = interval * max(burst, perSecond)
        shards = (0..<16).map { _ in Lock([:]) }
        keysOfShardMax = max(1, keyCountMax / shards.count)
    }

    /// Counts a request, or throws 429 and when to come back.
    public func take(_ key: Key) throws(APIError) {
        let now = time.now
        let shard = shards[Int(UInt(bitPattern: key.hashValue) % UInt(shards.count))]
        let late = shard.withLock { moments -> Duration in
            let next = max(moments[key] ?? now, now) + interval
            let late = next - now - burst
            guard late <= .zero else { return late }
            if moments.count >= keysOfShardMax, moments[key] == nil { Self.makeRoom(&moments, now, keysOfShardMax) }
            moments[key] = next
            return .zero
        }
        guard late > .zero else { return }
        let seconds = Int(late.components.seconds) + 1
        throw .rateLimited("\(whose) sends more requests than are served here", retryAfterSeconds: seconds)
    }

    var keyCount: Int { shards.reduce(0) { $0 + $1.withLock { $0.count } } }

    private static func makeRoom(_ moments: inout [Key: Instant], _ now: Instant, _ most: Int) {
        moments = moments.filter { $0.value > now }
        // All of them busy: half are forgiven, rather than that anybody's memory grows.
        if moments.count >= most {
            moments = [Key: Instant](uniqueKeysWithValues: moments.lazy.prefix(most / 2).map { $0 })
        }
    }
}
