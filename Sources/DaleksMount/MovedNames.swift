import DaleksCache
import DaleksCore
import DaleksSystem

/// Nodes that lost a name a moment ago, by what others did.
///
/// The kernel finds a node by a name that it remembers and then asks to open the node. Where the name is another's by
/// then, ESTALE has it look the name up once more. A second one in the same call would be its caller's answer, and what
/// it found then had that name during the call: it is opened.
///
/// ## Concurrency
/// Guarded by a lock of its own, held for arithmetic.
final class MovedNames: Sendable {
    private struct Second {
        var began: Instant
        var found: Inode?
    }

    private struct State {
        var lost: [Inode: Instant] = [:]
        /// Processes, that is threads, that were sent to look again.
        var told: [Int32: Second] = [:]
    }

    /// A walk along a path and the request that follows it are over long before.
    private static let memory: Duration = .seconds(2)

    /// Longer than a call waits for the region.
    private static let forgetting: Duration = .seconds(3_600)

    /// So much can be removed elsewhere in that time; past it nobody opens these names.
    private static let countMax = 100_000

    private let time: TimeSource
    private let state = Lock(State())

    init(time: TimeSource = .system) { self.time = time }

    func note(_ inode: Inode) {
        let now = time.now
        state.withLock { state in
            state.lost[inode] = now
            if state.lost.count.isMultiple(of: 1_024) || state.lost.count > Self.countMax { Self.prune(&state, now) }
        }
    }

    func mustLookAgain(_ inode: Inode, process: Int32) -> Bool {
        let now = time.now
        return state.withLock { state in
            if let told = state.told.removeValue(forKey: process), told.found == inode { return false }
            guard let lost = state.lost[inode] else { return false }
            guard now - lost < Self.memory else {
                Self.prune(&state, now)
                return false
            }
            state.told[process] = Second(began: now)
            return true
        }
    }

    /// A process looked a name up.
    func found(_ inode: Inode, by process: Int32) {
        state.withLock { state in
            if !state.told.isEmpty { state.told[process]?.found = inode }
        }
    }

    private static func prune(_ state: inout State, _ now: Instant) {
        state.lost = state.lost.filter { now - $0.value < memory }
        state.told = state.told.filter { now - $0.value.began < forgetting }
        if state.lost.count > countMax { state = State() }
    }
}
