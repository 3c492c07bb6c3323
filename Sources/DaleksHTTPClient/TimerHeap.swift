import DaleksCore

/// Moments at which an exchange wants to be looked at, nearest first.
///
/// Nothing is taken out before its time: an entry that is no longer meant is recognised by its owner, and the heap is
/// rebuilt when such entries outnumber the others.
struct TimerHeap {
    struct Entry {
        let at: Instant
        let id: UInt64
    }

    private var entries: [Entry] = []

    var count: Int { entries.count }
    var nearest: Instant? { entries.first?.at }

    mutating func insert(_ entry: Entry) {
        entries.append(entry)
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard entries[child].at < entries[parent].at else { return }
            entries.swapAt(child, parent)
            child = parent
        }
    }

    /// The nearest, if its time has come.
    mutating func popDue(at now: Instant) -> Entry? {
        guard let first = entries.first, first.at <= now else { return nil }
        entries.swapAt(0, entries.count - 1)
        entries.removeLast()
        sink(0)
        return first
    }

    /// Keeps what is still meant.
    mutating func rebuild(keeping isMeant: (Entry) -> Bool) {
        entries.removeAll { !isMeant($0) }
        for position in stride(from: entries.count / 2 - 1, through: 0, by: -1) { sink(position) }
    }

    private mutating func sink(_ start: Int) {
        var parent = start
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < entries.count && entries[child].at < entries[least].at {
                least = child
            }
            guard least != parent else { return }
            entries.swapAt(parent, least)
            parent = least
        }
    }
}
