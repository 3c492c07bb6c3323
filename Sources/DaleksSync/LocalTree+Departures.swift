import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem

/// Nodes that may have lost their last name. Whoever has the last business with such a node (the kernel, an open file,
/// the journal) lets it go; so nobody else has to ask the database whether there is something to let go of.
struct Departures {
    /// Suspected, and not looked at yet or not free to go.
    var suspects: Set<Inode> = []
    /// To be looked at now.
    var waiting: [Inode] = []
    /// Free to go when the index would not take that, as where the disk is full.
    var left: [Inode] = []
    var isScheduled = false
}

/// Backing files of nodes that the index let go of at that position of its log.
struct Remains {
    var inodes: [Inode]
    var position: LogPosition
}

/// Letting go of nodes that nobody can reach, off the way of the kernel's requests and several at a time.
extension LocalTree {
    /// In one transaction; kernel requests wait for it.
    static let departureCountMax = 8

    /// The node may have no name left: it goes once nobody can reach it.
    func collect(_ inode: Inode) {
        departures.withLock { _ = $0.suspects.insert(inode) }
        collectIfDeparting(inode)
    }

    /// A use of the node ended, of which there may be others.
    func collectIfDeparting(_ inode: Inode) {
        // In this order: whoever ends the last of its uses meanwhile finds the suspicion.
        guard departures.withLock({ $0.suspects.contains(inode) }), isUnused(inode) else { return }
        let isNews = departures.withLock { departures in
            departures.waiting.append(inode)
            defer { departures.isScheduled = true }
            return !departures.isScheduled
        }
        if isNews, !submitFarewells({ [self] in seeOff() }) { seeOff() }
    }

    private func isUnused(_ inode: Inode) -> Bool { !isNamedByKernel(inode) && contents.loaded(inode) == nil }

    private func seeOff() {
        while true {
            let batch = departures.withLock { departures -> [Inode] in
                let batch = departures.waiting.suffix(Self.departureCountMax)
                departures.waiting.removeLast(batch.count)
                // Before the database is asked: who comes to be suspected after it answered is looked at again.
                departures.suspects.subtract(batch)
                if batch.isEmpty { departures.isScheduled = false }
                return Array(batch)
            }
            if batch.isEmpty { return }
            seeOff(batch)
        }
    }

    /// Lets go of those that nobody can reach.
    func seeOff(_ batch: [Inode]) {
        // Nearly always they have names: then nothing needs to be written.
        let nameless =
            (try? database.reading { db throws in try batch.filter { try !EntryTable.isNamed($0, db) } }) ?? batch
        let (free, used) = (nameless.filter(isUnused), nameless.filter { !isUnused($0) })
        departures.withLock { $0.suspects.formUnion(used) }
        for inode in used { collectIfDeparting(inode) }
        guard !free.isEmpty else { return }
        contents.dropIdle(free)
        let outcome = try? database.writing { db throws -> (gone: [Inode], kept: [Inode], members: [Inode]) in
            var (gone, kept, members): ([Inode], [Inode], [Inode]) = ([], [], [])
            for inode in free {
                guard let node = try NodeTable.find(inode, in: db), node.inode != .root,
                    try !EntryTable.isNamed(inode, db)
                else { continue }
                guard try !JournalTable.isConcerned(inode, in: db) else {
                    kept.append(inode)
                    continue
                }
                // A folder goes with what is known to be in it, which the region has elsewhere or nowhere.
                if node.attributes.kind == .folder { members += try EntryTable.removeAll(in: inode, db) }
                try NodeTable.delete(inode, in: db)
                gone.append(inode)
            }
            return (gone, kept, members)
        }
        guard let outcome else {
            return departures.withLock { departures in
                departures.suspects.formUnion(free)
                departures.left += free
            }
        }
        // The journal's rows, once settled, bring these up again; a program may be done with them only after that.
        departures.withLock { $0.suspects.formUnion(outcome.kept) }
        removeOnceDurable(outcome.gone)
        for member in outcome.members { collect(member) }
    }

    /// Those that could not be let go of are looked at again.
    func seeOffAgain() {
        let left = departures.withLock { departures in
            defer { departures.left = [] }
            return departures.left
        }
        for inode in left { collectIfDeparting(inode) }
    }

    /// While it is not durable that a node went, a power cut may bring it back, and then its bytes must be here: they
    /// were synchronised, perhaps, and are nowhere else.
    func removeOnceDurable(_ inodes: [Inode]) {
        guard !inodes.isEmpty else { return }
        let position = database.position
        remains.withLock { $0.append(Remains(inodes: inodes, position: position)) }
    }

    /// Takes away the backing files of what is gone for good. With `isForced` the log is made durable first, where
    /// something waits for that.
    func removeRemains(isForced: Bool) {
        if isForced, remains.withLock({ !$0.isEmpty }) { try? contents.barrier.flush() }
        let gone = remains.withLock { remains -> ArraySlice<Remains> in
            let gone = remains.prefix { database.isDurable($0.position) }
            remains.removeFirst(gone.count)
            return gone
        }
        for inode in gone.lazy.flatMap(\.inodes) { try? store.remove(inode) }
    }
}
