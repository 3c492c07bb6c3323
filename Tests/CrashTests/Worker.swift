import DaleksSystem
import DaleksTestSupport
import Glibc

/// Works in a folder of its own until the daemon under it is gone, and knows what it was told was done.
final class Worker: Sendable {
    struct State {
        var manifest = Manifest()
        var random: SeededGenerator
        var doneCount = 0
        var failure: String?
    }

    let name: String
    let state: Lock<State>

    init(_ name: String, seed: UInt64) {
        self.name = name
        state = Lock(State(random: SeededGenerator(seed: seed)))
    }

    /// Until a call fails, which is when the daemon died.
    func work(in root: String, until isOver: @Sendable () -> Bool) {
        let folder = "\(root)/\(name)"
        if mkdir(folder, 0o755) == -1, Errno.last != .exists { return }
        while !isOver() {
            let isDone = state.withLock { state in
                let isDone = Self.step(folder, &state)
                if isDone { state.doneCount += 1 }
                return isDone
            }
            if !isDone { return }
        }
    }

    /// One operation of a user: false where a system call failed.
    private static func step(_ folder: String, _ state: inout State) -> Bool {
        let known = state.manifest.files.keys.sorted()
        let name = "f\(Int.random(in: 0..<24, using: &state.random))"
        let path = "\(folder)/\(name)"
        switch Int.random(in: 0..<12, using: &state.random) {
        case 0..<4: return replace(path, name, &state)
        case 4, 5: return edit(path, name, appends: true, &state)
        case 6, 7: return edit(path, name, appends: false, &state)
        case 8: return cut(path, name, &state)
        case 9, 10:
            guard let from = known.randomElement(using: &state.random), from != name else { return true }
            return rename(folder, from, name, &state)
        default: return unlink(path, name, &state)
        }
    }

    private static func replace(_ path: String, _ name: String, _ state: inout State) -> Bool {
        let count = state.random.oneIn(12) ? 1_500_000 : Int.random(in: 0...20_000, using: &state.random)
        let bytes = pattern(count, &state.random)
        let before = state.manifest.files[name]
        let raw = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard raw >= 0 else {
            state.manifest.uncertain.insert(name)
            state.manifest.files[name] = before ?? Manifest.File(bytes: [])
            return false
        }
        defer { _ = close(raw) }
        state.manifest.files[name] = Manifest.File(bytes: [])
        return write(bytes, to: raw, at: 0, name, &state)
    }

    private static func edit(_ path: String, _ name: String, appends: Bool, _ state: inout State) -> Bool {
        guard let file = state.manifest.files[name] else { return true }
        let raw = open(path, O_WRONLY | (appends ? O_APPEND : 0) | O_CLOEXEC)
        guard raw >= 0 else { return false }
        defer { _ = close(raw) }
        for _ in 0..<Int.random(in: 1...4, using: &state.random) {
            let size = state.manifest.files[name]?.bytes.count ?? file.bytes.count
            let offset = appends ? size : Int.random(in: 0...size, using: &state.random)
            let bytes = pattern(Int.random(in: 1...9_000, using: &state.random), &state.random)
            guard write(bytes, to: raw, at: offset, name, &state) else { return false }
            if state.random.oneIn(4), fsync(raw) != 0 { return false }
        }
        return true
    }

    /// Writes, and takes note call by call.
    private static func write(
        _ bytes: [UInt8],
        to raw: Int32,
        at offset: Int,
        _ name: String,
        _ state: inout State
    )
        -> Bool
    {
        var done = 0
        while done < bytes.count {
            let part = bytes[done..<min(done + 262_144, bytes.count)]
            guard var file = state.manifest.files[name] else { return false }
            var after = file.bytes
            let end = offset + done + part.count
            if after.count < end { after += [UInt8](repeating: 0, count: end - after.count) }
            after.replaceSubrange(offset + done..<end, with: part)
            let written = part.withUnsafeBytes { pwrite(raw, $0.baseAddress, $0.count, off_t(offset + done)) }
            guard written == part.count else {
                file.other = after
                state.manifest.files[name] = file
                return false
            }
            state.manifest.files[name] = Manifest.File(bytes: after)
            done += written
        }
        return true
    }

    private static func cut(_ path: String, _ name: String, _ state: inout State) -> Bool {
        guard var file = state.manifest.files[name] else { return true }
        let size = Int.random(in: 0...file.bytes.count + 5_000, using: &state.random)
        var after = Array(file.bytes.prefix(size))
        after += [UInt8](repeating: 0, count: size - after.count)
        guard truncate(path, off_t(size)) == 0 else {
            file.other = after
            state.manifest.files[name] = file
            return false
        }
        state.manifest.files[name] = Manifest.File(bytes: after)
        return true
    }

    private static func rename(_ folder: String, _ from: String, _ to: String, _ state: inout State) -> Bool {
        let moved = state.manifest.files[from]
        guard Glibc.rename("\(folder)/\(from)", "\(folder)/\(to)") == 0 else {
            state.manifest.uncertain.formUnion([from, to])
            // Whichever it is, one of these two has the bytes.
            if state.manifest.files[to] == nil { state.manifest.files[to] = moved }
            return false
        }
        state.manifest.files[from] = nil
        state.manifest.files[to] = moved
        return true
    }

    private static func unlink(_ path: String, _ name: String, _ state: inout State) -> Bool {
        guard state.manifest.files[name] != nil else { return true }
        guard Glibc.unlink(path) == 0 else {
            state.manifest.uncertain.insert(name)
            return false
        }
        state.manifest.files[name] = nil
        return true
    }

    /// Not compressible, and quick to make.
    private static func pattern(_ count: Int, _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var word = random.next()
        for index in bytes.indices {
            if index & 7 == 0 { word = word &* 0x2545_f491_4f6c_dd1d &+ 0x9e37_79b9_7f4a_7c15 }
            bytes[index] = UInt8(truncatingIfNeeded: word >> UInt64(index & 7 * 8))
        }
        return bytes
    }
}
