import DaleksCache

/// Recognises programs that ask for one thing after the other as they stand in a tree, a few programs at once, and says
/// from where on to get how many before they ask. The number doubles while it is of use.
struct InOrder: Sendable {
    /// To be got: what comes after `start`, so many.
    struct Plan: Hashable, Sendable {
        fileprivate var reader: Int
        var start: TreeWalk.Place
        var count: Int
    }

    private struct Reader {
        var number: Int
        /// What was asked for in order so far.
        var steps = 0
        var count = 0
        /// What comes next where it was last.
        var next: Set<Inode> = []
        /// What was got ahead last, and the time before that.
        var ahead: [Set<Inode>] = []
        /// Up to where that goes.
        var until: TreeWalk.Place?
        var isPlanning = false

        func expects(_ inode: Inode) -> Bool { next.contains(inode) || ahead.contains { $0.contains(inode) } }
    }

    static let readerCountMax = 4

    /// How many steps in order make somebody who goes on like that.
    let stepCountMin: Int
    let countMin: Int
    let countMax: Int

    /// The one that asked last stands last.
    private var readers: [Reader] = []
    private var number = 0
    /// Once this is asked for, the rest of what was got ahead will be soon.
    private(set) var landmarks: Set<Inode> = []

    init(stepCountMin: Int, countMin: Int, countMax: Int) {
        self.stepCountMin = stepCountMin
        self.countMin = countMin
        self.countMax = countMax
    }

    /// Somebody asked for it. `place` is where it stands, and `next` what comes after it.
    mutating func note(_ inode: Inode, at place: TreeWalk.Place, next: Set<Inode>) -> Plan? {
        landmarks.remove(inode)
        var reader: Reader
        if let index = readers.lastIndex(where: { $0.expects(inode) }) {
            reader = readers.remove(at: index)
            reader.steps += 1
        } else {
            if readers.count == Self.readerCountMax { readers.removeFirst() }
            number += 1
            reader = Reader(number: number)
        }
        reader.next = next
        defer { readers.append(reader) }
        guard reader.steps >= stepCountMin, !reader.isPlanning else { return nil }
        reader.isPlanning = true
        reader.count = min(max(reader.count * 2, countMin), countMax)
        return Plan(reader: reader.number, start: reader.until ?? place, count: reader.count)
    }

    /// These were chosen for a plan, up to there; they are on their way.
    mutating func chose(_ chosen: [Inode], until: TreeWalk.Place, for plan: Plan) {
        guard let index = readers.firstIndex(where: { $0.number == plan.reader }) else { return }
        readers[index].isPlanning = false
        readers[index].until = until
        for inode in readers[index].ahead.last ?? [] { landmarks.remove(inode) }
        guard let first = chosen.first else { return }
        readers[index].ahead = readers[index].ahead.suffix(1) + [Set(chosen)]
        landmarks.insert(first)
    }

    /// Nothing came of a plan.
    mutating func gaveUp(_ plan: Plan) {
        guard let index = readers.firstIndex(where: { $0.number == plan.reader }) else { return }
        readers[index].isPlanning = false
    }
}
