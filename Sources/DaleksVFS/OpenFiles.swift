import DaleksSync
import DaleksSystem

/// Files that the kernel has open, by the number it knows each by.
///
/// ## Concurrency
/// `state` is held for arithmetic only. A file's content guards itself.
final class OpenFiles: Sendable {
    struct OpenFile: Sendable {
        var content: FileContent
        var appends: Bool
        var isSynchronous: Bool
        let readAhead = Lock(ReadAhead())
    }

    private struct State {
        var slots: [OpenFile?] = []
        var free: [Int] = []
    }

    private let state = Lock(State())

    /// Numbers start at 1; 0 is nobody's.
    func insert(_ file: OpenFile) -> UInt64 {
        state.withLock { state in
            if let index = state.free.popLast() {
                state.slots[index] = file
                return UInt64(index) + 1
            }
            state.slots.append(file)
            return UInt64(state.slots.count)
        }
    }

    func find(_ handle: UInt64) throws(Obstacle) -> OpenFile {
        let file: OpenFile? = state.withLock { state in
            let index = Int(truncatingIfNeeded: handle) - 1
            return state.slots.indices.contains(index) ? state.slots[index] : nil
        }
        guard let file else { throw .errno(.badDescriptor) }
        return file
    }

    func remove(_ handle: UInt64) -> OpenFile? {
        state.withLock { state in
            let index = Int(truncatingIfNeeded: handle) - 1
            guard state.slots.indices.contains(index), let file = state.slots[index] else { return nil }
            state.slots[index] = nil
            state.free.append(index)
            return file
        }
    }

    var count: Int { state.withLock { $0.slots.count - $0.free.count } }
}
