import DaleksCore
import DaleksSystem

/// How many bytes a second may go one way, for all clients that share it.
///
/// A bucket that fills at that rate. Large bodies take from it while something is in it. The beginnings of all bodies,
/// and so the whole of small ones, may run up a debt of two seconds, which large ones then wait for: what is small is
/// never behind what is large, and in the long run the rate holds all the same.
///
/// ## Concurrency
/// `state` is guarded by its lock, held for arithmetic. Drivers ask on their threads, others change the rate on theirs.
public final class LineLimit: Sendable {
    private struct State {
        /// Nil where nothing is limited.
        var rate: Int64?
        var isFrozen = false
        var balance: Double = 0
        var countedAt: Instant

        /// What may come at once after a silence: a fifth of a second's, so that a machine that is busy elsewhere does
        /// not fall behind.
        var burst: Double { max(Double(Limits.HTTPClient.limitedPieceBytes), Double(rate ?? 0) / 5) }

        mutating func fill(_ now: Instant) {
            guard let rate else { return }
            balance = min(burst, balance + Double(rate) * Double((now - countedAt).nanoseconds) / 1e9)
            countedAt = now
        }
    }

    private let time: TimeSource
    private let state: Lock<State>

    public init(bytesPerSecond: Int64? = nil) {
        time = .system
        state = Lock(State(rate: bytesPerSecond, countedAt: TimeSource.system.now))
    }

    /// Nil where nothing is limited. A change holds for what is under way too.
    public var bytesPerSecond: Int64? {
        get { state.withLock { $0.rate } }
        set {
            let now = time.now
            state.withLock { state in
                state.fill(now)
                // Debts of a slow line are nothing to a fast one.
                if state.rate != newValue { state.balance = max(0, min(state.balance, state.burst)) }
                state.rate = newValue
                state.countedAt = now
            }
        }
    }

    /// Nothing large begins or goes on until this is taken back.
    public func freeze(_ isFrozen: Bool) { state.withLock { $0.isFrozen = isFrozen } }

    /// How many bytes may go now; none where they have to wait.
    func allowance(isBeginning: Bool) -> Int {
        let now = time.now
        return state.withLock { state in
            if isBeginning, state.isFrozen { return .max }
            if state.isFrozen { return 0 }
            guard let rate = state.rate else { return .max }
            state.fill(now)
            let floor = isBeginning ? -Double(rate) * Limits.HTTPClient.limitDebtSeconds : 0
            guard state.balance > floor else { return 0 }
            return max(Limits.HTTPClient.limitedPieceBytes, Int(state.balance))
        }
    }

    func spend(_ count: Int) {
        let now = time.now
        state.withLock { state in
            state.fill(now)
            if state.rate != nil { state.balance -= Double(count) }
        }
    }

    /// When to ask again, after none might go. Never long: the rate may change.
    func pause(isBeginning: Bool) -> Duration {
        let now = time.now
        return state.withLock { state in
            guard let rate = state.rate, !state.isFrozen else { return Limits.HTTPClient.limitLookPeriod }
            state.fill(now)
            let floor = isBeginning ? -Double(rate) * Limits.HTTPClient.limitDebtSeconds : 0
            let missing = max(0, floor - state.balance + 1)
            let pause = Duration.nanoseconds(Int64(missing / Double(max(1, rate)) * 1e9))
            return min(Limits.HTTPClient.limitLookPeriod, max(.milliseconds(1), pause))
        }
    }

    /// So many requests that carry much may be under way at a time. More would share the rate, each too slow for its
    /// peer's patience; fewer would leave a distant line empty between one and the next.
    var loadsMax: Int {
        state.withLock { state in
            if state.isFrozen { return 0 }
            guard let rate = state.rate else { return .max }
            if rate < Limits.HTTPClient.limitSlowRate { return 1 }
            return Int(min(16, 2 + rate / (2 << 20)))
        }
    }
}

/// Both ways.
public struct LineLimits: Sendable {
    public var up: LineLimit?
    public var down: LineLimit?

    public init(up: LineLimit? = nil, down: LineLimit? = nil) {
        self.up = up
        self.down = down
    }
}
