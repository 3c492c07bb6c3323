import DaleksCore

/// Deadlines of readers, the earliest first. Readers who left early stay in it until their time.
struct DeadlineHeap {
    private struct Entry {
        let deadline: Instant
        let id: Int
    }

    private var entries: [Entry] = []

    var first: Instant? { entries.first?.deadline }

    /// True where it is now the earliest.
    mutating func insert(_ deadline: Instant, _ id: Int) -> Bool {
        entries.append(Entry(deadline: deadline, id: id))
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard entries[child].deadline < entries[parent].deadline else { break }
            entries.swapAt(child, parent)
            child = parent
        }
        return child == 0
    }

    mutating func popDue(_ now: Instant) -> Int? {
        guard let first = entries.first, first.deadline <= now else { return nil }
        entries.swapAt(0, entries.count - 1)
        entries.removeLast()
        var parent = 0
        while true {
            let children = [2 * parent + 1, 2 * parent + 2].filter { $0 < entries.count }
            guard let child = children.min(by: { entries[$0].deadline < entries[$1].deadline }),
                entries[child].deadline < entries[parent].deadline
            else { break }
            entries.swapAt(child, parent)
            parent = child
        }
        return first.id
    }
}
