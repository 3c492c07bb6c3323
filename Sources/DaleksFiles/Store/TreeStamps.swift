import DaleksCore
import DaleksSystem

/// Tells whether a tree is still as it was when something about it was remembered. On SQLite alone, where no other
/// process writes to trees while a service runs.
///
/// A transaction that locks a tree spoils it at once, and again when it has ended: in between nothing that is
/// remembered of it counts, so nobody sees less than what was answered, nor what is half done.
///
/// ## Concurrency
/// `state` is guarded by itself and held for arithmetic.
final class TreeStamps: Sendable {
    /// When something was looked at, on a clock that counts what spoils. Taken before the snapshot begins.
    typealias Moment = UInt64

    private struct Place {
        var spoiled: Moment = 0
        var writerCount = 0
    }

    private struct State {
        var now: Moment = 1
        /// Trees that share one spoil each other's, which costs a look at the database.
        var places = [Place](repeating: Place(), count: Limits.Files.treeStampCount)

        subscript(tree: TreeNumber) -> Place {
            get { places[Int(UInt64(bitPattern: tree) % UInt64(places.count))] }
            set { places[Int(UInt64(bitPattern: tree) % UInt64(places.count))] = newValue }
        }

        mutating func spoil(_ tree: TreeNumber, writers change: Int) {
            now += 1
            self[tree].spoiled = now
            self[tree].writerCount += change
        }
    }

    private let state = Lock(State())

    var now: Moment { state.withLock { $0.now } }

    /// Whether what a snapshot that began after that moment showed of a tree is what one would show now.
    func isUnchanged(_ tree: TreeNumber, since moment: Moment) -> Bool {
        state.withLock { state in
            let place = state[tree]
            return place.writerCount == 0 && place.spoiled <= moment
        }
    }

    /// What one transaction changes. One thread at a time has it.
    final class Writing {
        private let stamps: TreeStamps
        private var trees: [TreeNumber] = []

        fileprivate init(_ stamps: TreeStamps) { self.stamps = stamps }

        func note(_ tree: TreeNumber) {
            guard trees.last != tree, !trees.contains(tree) else { return }
            trees.append(tree)
            stamps.state.withLock { $0.spoil(tree, writers: 1) }
        }

        fileprivate func end() {
            guard !trees.isEmpty else { return }
            stamps.state.withLock { state in
                for tree in trees { state.spoil(tree, writers: -1) }
            }
        }
    }

    /// Runs a transaction; when this returns or throws, the database shows what came of it.
    func writing<Result>(_ transaction: (Writing) throws -> Result) rethrows -> Result {
        let writing = Writing(self)
        defer { writing.end() }
        return try transaction(writing)
    }
}
