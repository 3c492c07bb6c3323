import DaleksCore
import DaleksSystem

/// What several clients saw of one value that is read and replaced, and whether one order of it all explains what each
/// of them saw: an order in which nothing that ended before another began comes after it.
///
/// The search is that of Wing and Gong: whatever began before everything else ended may have been first; try each, and
/// go on with the rest. Which operations are done and what the value is then is all that matters for the rest, so each
/// such pair is tried once.
struct RegisterHistory {
    enum Act: Hashable {
        case read(Int)
        /// Replaced one value by another.
        case replaced(Int, by: Int)
        /// Found another value than the one it was to replace.
        case refused(Int)
        /// No answer came: it happened at some time after it began, or never.
        case unknown(Int, by: Int)
    }

    struct Operation {
        let act: Act
        let began: Instant
        /// Nil where no answer came.
        let ended: Instant?
    }

    private(set) var operations: [Operation] = []

    mutating func add(_ act: Act, from began: Instant, to ended: Instant?) {
        operations.append(Operation(act: act, began: began, ended: ended))
    }

    private struct Place: Hashable {
        var done: Set<Int> = []
        var first = 0
        var value: Int
    }

    func isLinearizable(from initial: Int) -> Bool {
        let ordered = operations.sorted { $0.began < $1.began }
        var known: Set<Place> = []
        var open = [Place(value: initial)]
        while let place = open.popLast() {
            var mustGoOn = false
            var earliestEnd: Instant?
            // Those that may be next: they began before any other that is not done ended.
            var candidates: [Int] = []
            for index in place.first..<ordered.count where !place.done.contains(index) {
                if let end = earliestEnd, ordered[index].began > end { break }
                candidates.append(index)
                if let end = ordered[index].ended {
                    mustGoOn = true
                    earliestEnd = min(earliestEnd ?? end, end)
                }
            }
            guard mustGoOn else { return true }
            for index in candidates {
                guard let value = Self.value(after: ordered[index].act, place.value) else { continue }
                var next = place
                next.value = value
                next.done.insert(index)
                while next.done.remove(next.first) != nil { next.first += 1 }
                if known.insert(next).inserted { open.append(next) }
            }
        }
        return false
    }

    /// Nil where it cannot have come at this value.
    private static func value(after act: Act, _ value: Int) -> Int? {
        switch act {
        case .read(let seen): seen == value ? value : nil
        case .replaced(let old, by: let new), .unknown(let old, by: let new): old == value ? new : nil
        case .refused(let expected): expected == value ? nil : value
        }
    }
}
