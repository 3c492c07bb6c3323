public import DaleksCore

/// What happens to a value when one client acts on it, and what that client sees of it: the specification by which a
/// `History` is judged.
public protocol SequentialModel: Hashable, Sendable {
    associatedtype Act: Sendable
    /// False where the act, with what it saw, cannot have come at this value.
    mutating func apply(_ act: Act) -> Bool
}

/// What several clients did with one value and saw of it, and whether one order of it all explains what each of them
/// saw: an order in which nothing that ended before another began comes after it.
///
/// The search is that of Wing and Gong: whatever began before everything else ended may have been first; try each, and
/// go on with the rest. Which operations are done and what the value is then is all that matters for the rest, so each
/// such pair is tried once.
public struct History<Model: SequentialModel>: Sendable {
    public struct Operation: Sendable {
        /// Who tells it, for people.
        public let who: String
        public let act: Model.Act
        public let began: Instant
        /// Nil where no answer came: it happened at some time after it began, or never.
        public let ended: Instant?
    }

    public private(set) var operations: [Operation] = []

    public init() {}

    public mutating func add(by who: String = "", _ act: Model.Act, from began: Instant, to ended: Instant?) {
        operations.append(Operation(who: who, act: act, began: began, ended: ended))
    }

    public mutating func add(_ other: Self) { operations += other.operations }

    private struct Place: Hashable {
        var done: Set<Int> = []
        var first = 0
        var model: Model
    }

    public func isLinearizable(from initial: Model) -> Bool { contradiction(from: initial) == nil }

    /// Nil where one order explains it all; else, in words, the place behind which no order goes on: all that is done
    /// there, and what each of the operations that might be next saw instead.
    public func contradiction(from initial: Model) -> String? {
        let ordered = operations.sorted { $0.began < $1.began }
        var known: Set<Place> = []
        var open = [Place(model: initial)]
        var furthest: (count: Int, place: Place, candidates: [Int])?
        while let place = open.popLast() {
            let (candidates, mustGoOn) = Self.candidates(at: place, ordered)
            guard mustGoOn else { return nil }
            let count = place.first + place.done.count
            if count > furthest?.count ?? -1 { furthest = (count, place, candidates) }
            for index in candidates {
                var next = place
                guard next.model.apply(ordered[index].act) else { continue }
                next.done.insert(index)
                while next.done.remove(next.first) != nil { next.first += 1 }
                if known.insert(next).inserted { open.append(next) }
            }
        }
        return furthest.map { Self.describe($0.place, $0.candidates, ordered) } ?? "there is no first"
    }

    /// Those that may be next, for they began before any other that is not done ended; and whether any of them has to
    /// happen at all.
    private static func candidates(at place: Place, _ ordered: [Operation]) -> ([Int], mustGoOn: Bool) {
        var earliestEnd: Instant?
        var candidates: [Int] = []
        for index in place.first..<ordered.count where !place.done.contains(index) {
            if let end = earliestEnd, ordered[index].began > end { break }
            candidates.append(index)
            if let end = ordered[index].ended { earliestEnd = min(earliestEnd ?? end, end) }
        }
        return (candidates, earliestEnd != nil)
    }

    private static func describe(_ place: Place, _ candidates: [Int], _ ordered: [Operation]) -> String {
        let origin = ordered.first?.began ?? Instant(nanoseconds: 0)
        func line(_ index: Int) -> String {
            let operation = ordered[index]
            let end = operation.ended.map { "\(micros(origin, $0))" } ?? "never"
            return "  \(micros(origin, operation.began))...\(end) us: \(operation.who) \(operation.act)"
        }
        func micros(_ from: Instant, _ to: Instant) -> Int64 { (to.nanoseconds - from.nanoseconds) / 1000 }
        let done = (0..<ordered.count).filter { $0 < place.first || place.done.contains($0) }
        return
            (["behind these,"] + done.suffix(24).map(line) + ["which leave \(place.model), none of these can be:"]
            + candidates.map(line)).joined(separator: "\n")
    }
}

/// One value that is read and replaced.
public struct Register: SequentialModel {
    public enum Act: Hashable, Sendable {
        case read(Int)
        /// Replaced one value by another.
        case replaced(Int, by: Int)
        /// Found another value than the one it was to replace.
        case refused(Int)
    }

    public var value: Int

    public init(_ value: Int) { self.value = value }

    public mutating func apply(_ act: Act) -> Bool {
        switch act {
        case .read(let seen): return seen == value
        case .refused(let expected): return expected != value
        case .replaced(let old, let new):
            guard old == value else { return false }
            value = new
            return true
        }
    }
}
