import DaleksCache
import DaleksSQLite
import DaleksSystem

/// For each node the place in the database's log of the last change that it or its path needs. An fsync of a file whose
/// place is durable already has no business with the log.
///
/// ## Concurrency
/// `state` is held for arithmetic only.
final class ChangePositions: Sendable {
    private struct State {
        var files: [Inode: LogPosition] = [:]
        /// Folders carry the paths of all that is below them; they change rarely, so the last such change stands for
        /// all.
        var folders = LogPosition.start
    }

    /// Files that changed since the last barrier; with more of them than this, all count as changed.
    private static let countMax = 65_536

    private let state = Lock(State())

    func note(_ inode: Inode, isFolder: Bool, _ position: LogPosition) {
        state.withLock { state in
            if isFolder || state.files.count >= Self.countMax {
                state.folders = max(state.folders, position)
            } else {
                state.files[inode] = position
            }
        }
    }

    func needed(by inode: Inode) -> LogPosition {
        state.withLock { max($0.files[inode] ?? .start, $0.folders) }
    }

    /// Everything up to here is durable: nobody needs to remember it.
    func forget(upTo position: LogPosition) {
        state.withLock { state in
            guard !state.files.isEmpty else { return }
            state.files = state.files.filter { $0.value > position }
        }
    }
}
