import DaleksCore

/// Who waits for the line's limits: exchanges that carry much before they begin, and bodies of all in their midst.
///
/// It belongs to the driver's thread. What waits here waits on our own account, so no deadline runs meanwhile.
final class Pacer {
    enum Direction: CaseIterable { case up, down }

    /// One direction's.
    private struct Way {
        /// Exchanges that have not begun, in order.
        var queued: [UInt64] = []
        /// Those that carry much and have begun.
        var loadCount = 0
        /// Bodies that libcurl holds.
        var held: [UInt64] = []
    }

    let limits: LineLimits
    private var up = Way()
    private var down = Way()

    init(_ limits: LineLimits) { self.limits = limits }

    func limit(_ direction: Direction) -> LineLimit? {
        switch direction {
        case .up: limits.up
        case .down: limits.down
        }
    }

    private func change<Result>(_ direction: Direction, _ body: (inout Way) -> Result) -> Result {
        switch direction {
        case .up: body(&up)
        case .down: body(&down)
        }
    }

    // MARK: Exchanges that carry much

    /// True where it may begin; it holds its place until `ended`. Else it stands in line.
    func mayBegin(_ id: UInt64, _ direction: Direction) -> Bool {
        guard let limit = limit(direction) else { return true }
        return change(direction) { way in
            guard way.queued.isEmpty, way.loadCount < limit.loadsMax else {
                way.queued.append(id)
                return false
            }
            way.loadCount += 1
            return true
        }
    }

    /// The one that begins next; it holds its place from now on.
    func next(_ direction: Direction) -> UInt64? {
        guard let limit = limit(direction) else { return nil }
        return change(direction) { way in
            guard !way.queued.isEmpty, way.loadCount < limit.loadsMax else { return nil }
            way.loadCount += 1
            return way.queued.removeFirst()
        }
    }

    func ended(_ direction: Direction) {
        guard limit(direction) != nil else { return }
        change(direction) { $0.loadCount -= 1 }
    }

    func withdraw(_ id: UInt64, _ direction: Direction) {
        change(direction) { $0.queued.removeAll { $0 == id } }
    }

    // MARK: Bodies

    func hold(_ id: UInt64, _ direction: Direction) { change(direction) { $0.held.append(id) } }

    func forget(_ id: UInt64) {
        for direction in Direction.allCases { change(direction) { $0.held.removeAll { $0 == id } } }
    }

    /// Those that are held, as they are to go on: what has just begun, then what is oldest.
    func held(_ direction: Direction, isBeginning: (UInt64) -> Bool) -> [UInt64] {
        change(direction) { way in
            guard way.held.count > 1 else { return way.held }
            return way.held.filter(isBeginning).sorted() + way.held.filter { !isBeginning($0) }.sorted()
        }
    }

    func release(_ id: UInt64, _ direction: Direction) { change(direction) { $0.held.removeAll { $0 == id } } }

    /// How long the driver may sleep for all of these; nil where nobody waits.
    func pause(isBeginning: (UInt64) -> Bool) -> Duration? {
        var pause: Duration?
        for direction in Direction.allCases {
            guard let limit = limit(direction) else { continue }
            let (isQueued, held) = change(direction) { (!$0.queued.isEmpty, $0.held) }
            if let first = held.first {
                let some = limit.pause(isBeginning: held.contains(where: isBeginning) || isBeginning(first))
                pause = min(pause ?? some, some)
            }
            if isQueued { pause = min(pause ?? Limits.HTTPClient.limitLookPeriod, Limits.HTTPClient.limitLookPeriod) }
        }
        return pause
    }
}
