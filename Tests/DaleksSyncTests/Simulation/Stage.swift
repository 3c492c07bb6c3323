import DaleksCore
import DaleksSystem
import DaleksTestSupport

/// Many actors of which one moves at a time, and always the one that the seed picks: threads that pass a baton, so that
/// the code under test is the daemon's own, blocking calls and all.
///
/// ## Concurrency
/// Whoever has the baton (one actor, or the thread that calls `turn`) owns everything here. It is passed through
/// conditions, whose locks order what the one did before what the next does.
final class Stage: @unchecked Sendable {
    // Unchecked: see above; only the holder of the baton touches the rest.
    private struct Actor {
        let name: String
        /// True while it has the baton. One for each, so that nobody wakes in vain.
        let baton = Condition(false)
    }

    private let baton = Condition(true)
    private var actors: [Actor] = []
    private var waiting: [Int] = []
    private var current: Int?
    var random: SeededGenerator
    /// What happened, for the report of a failure.
    private(set) var trace: [String] = []
    private(set) var turnCount = 0
    /// How long each turn is; the clocks of the simulation stand still otherwise.
    private static let turnDuration: Duration = .milliseconds(3)

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    // MARK: Time

    var time: TimeSource {
        TimeSource(
            monotonic: { [self] in Instant(nanoseconds: 1_000_000_000_000) + Self.turnDuration * ticks },
            wall: { [self] in Timestamp(seconds: 1_800_000_000) + Self.turnDuration * ticks + offset }
        )
    }

    /// Each look at a clock moves it a little, so that no two changes happen at the same time.
    private var looks = 0
    private var ticks: Int {
        looks += 1
        return turnCount + looks
    }

    func pass(_ count: Int) { looks += count }

    /// The clock on the wall goes to another time, later or earlier.
    func jump() {
        offset = .seconds(number(below: 7_200) - 3_600)
        note("the clock is off by \(offset)")
    }
    private var offset: Duration = .zero

    // MARK: Chance

    func oneIn(_ count: Int) -> Bool { random.oneIn(count) }
    func number(below bound: Int) -> Int { Int.random(in: 0..<bound, using: &random) }
    func pick<Element>(_ elements: [Element]) -> Element { elements[number(below: elements.count)] }

    func note(_ line: @autoclosure () -> String) {
        trace.append("\(turnCount) \(line())")
    }

    // MARK: Actors

    /// Adds an actor; it begins when it is first picked.
    func add(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let actor = Actor(name: name)
        waiting.append(actors.count)
        actors.append(actor)
        _ = Thread(name: "actor", stackBytes: 2 << 20) { [self] in
            take(actor.baton)
            body()
            current = nil
            give(baton)
        }
    }

    /// Called by an actor: others may move now. Elsewhere it does nothing.
    func yield() {
        guard let current else { return }
        let actor = actors[current]
        waiting.append(current)
        self.current = nil
        give(baton)
        take(actor.baton)
        self.current = current
    }

    var isOnStage: Bool { current != nil }

    /// The actor that has the baton and does not give it back: it waits for something that nobody brings about.
    private(set) var stuck: String?
    private static let patience: Duration = .seconds(30)

    /// Lets one actor move until it yields or ends. False when there is none, or one is stuck.
    func turn() -> Bool {
        guard !waiting.isEmpty, stuck == nil else { return false }
        turnCount += 1
        let index = number(below: waiting.count)
        let next = waiting[index]
        waiting.swapAt(index, waiting.count - 1)
        waiting.removeLast()
        current = next
        baton.withLock { $0 = false }
        give(actors[next].baton)
        let isBack: Bool? = baton.wait(timeout: Self.patience) { $0 ? true : nil }
        if isBack != true { stuck = actors[next].name }
        return stuck == nil
    }

    private func give(_ baton: Condition<Bool>) {
        baton.withLock { $0 = true }
        baton.signal()
    }

    private func take(_ baton: Condition<Bool>) {
        baton.waitThrowing(until: { $0 }) { $0 = false }
    }
}
