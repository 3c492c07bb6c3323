import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem

/// Decides whether more bytes may be written here: not into the disk's reserve, and while the region is there not much
/// faster than it takes them.
///
/// ## Concurrency
/// `state` is held for arithmetic. The disk is looked at by whoever finds the allowance spent.
final class SpaceGate: Sendable {
    private struct State {
        /// Bytes that may be written before anybody has to look again.
        var allowance: Int64 = 0
        var relieve: (@Sendable () -> Void)?
        var isTakingUploads: (@Sendable () -> Bool)?
    }

    /// The most that is allowed without looking.
    private static let allowanceMax: Int64 = 64 << 20

    private let database: Database
    private let store: BackingStore
    private let space: CacheSpace
    private let state = Lock(State())

    init(database: Database, store: BackingStore, space: CacheSpace) {
        self.database = database
        self.store = store
        self.space = space
    }

    /// `relieve` lets go of what may go; `isTakingUploads` says whether waiting helps.
    func begin(relieve: @escaping @Sendable () -> Void, isTakingUploads: @escaping @Sendable () -> Bool) {
        state.withLock { ($0.relieve, $0.isTakingUploads) = (relieve, isTakingUploads) }
    }

    /// Lets go of what it calls.
    func end() { state.withLock { ($0.relieve, $0.isTakingUploads) = (nil, nil) } }

    /// Throws where so many bytes may not be written now: ENOSPC at the reserve, or what to wait for.
    func admit(_ count: Int) throws(Obstacle) {
        let isAllowed = state.withLock { state in
            state.allowance -= Int64(count)
            return state.allowance >= 0
        }
        if !isAllowed { try look(Int64(count)) }
    }

    private func look(_ count: Int64) throws(Obstacle) {
        guard hasRoom else { throw .needs(.room) }
        var free = freeAboveReserve
        if free < count + Self.allowanceMax {
            state.withLock { $0.relieve }?()
            free = freeAboveReserve
        }
        // At the reserve nothing is lost: what is here stays, and the next write looks again.
        guard free >= count else { throw .errno(.noSpace) }
        let allowance = min(Self.allowanceMax, (free - count) / 4)
        state.withLock { $0.allowance = allowance }
    }

    private var freeAboveReserve: Int64 {
        // A disk that cannot be asked says so when it is written to.
        guard let free = try? Files.space(at: store.folder).freeBytes else { return .max / 2 }
        return free - space.reserveBytes
    }

    /// Whether the disk has room for what nobody asked for yet: near the reserve the rest belongs to whoever writes.
    var hasRoomToSpare: Bool { freeAboveReserve > Self.allowanceMax }

    /// Whether the region is near enough: what it does not have may exceed the cache only while it is away.
    var hasRoom: Bool {
        guard state.withLock({ $0.isTakingUploads })?() ?? false else { return true }
        let unsent = try? database.readingLong { db throws in try ContentTable.bytesUnsent(in: db) }
        return (unsent ?? 0) <= space.bytesMax
    }
}
