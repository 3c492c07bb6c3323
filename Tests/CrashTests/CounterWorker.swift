import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Glibc

/// One thread that counts in files where others count too: it reads a number and replaces it by the next, holding the
/// file's lock. At times it only reads, with a lock to read or with none.
final class CounterWorker: Sendable {
    enum Lock: CaseIterable {
        case flock, openFile

        func take(_ file: Int32, toWrite: Bool) throws(Errno) {
            switch self {
            case .flock: try LinuxCalls.lock(file, toWrite ? LOCK_EX : LOCK_SH)
            case .openFile: try LinuxCalls.lockOpenFile(file, toWrite ? F_WRLCK : F_RDLCK)
            }
        }

        func giveBack(_ file: Int32) throws(Errno) {
            switch self {
            case .flock: try LinuxCalls.lock(file, LOCK_UN)
            case .openFile: try LinuxCalls.lockOpenFile(file, F_UNLCK)
            }
        }
    }

    struct Held {
        let began: Instant
        let ended: Instant
        let isToWrite: Bool
    }

    struct State {
        var random: SeededGenerator
        var histories: [History<Register>]
        var held: [[Held]]
        var problems: [String] = []
    }

    let folder: String
    let state: DaleksSystem.Lock<State>

    init(in folder: String, seed: UInt64) {
        self.folder = folder
        let count = Lock.allCases.count
        state = DaleksSystem.Lock(
            State(
                random: SeededGenerator(seed: seed),
                histories: Array(repeating: History(), count: count),
                held: Array(repeating: [], count: count)
            )
        )
    }

    static func path(_ index: Int, in folder: String) -> String { "\(folder)/counter\(index)" }

    /// Only this worker's thread is here, so the state is never waited for.
    func work(until isOver: @Sendable () -> Bool) {
        while !isOver() {
            do throws(Errno) {
                try state.withLock { state throws(Errno) in try step(&state) }
            } catch {
                return state.withLock { $0.problems.append("counting in \(folder): \(error)") }
            }
        }
    }

    private func step(_ state: inout State) throws(Errno) {
        let index = Int.random(in: 0..<Lock.allCases.count, using: &state.random)
        switch Int.random(in: 0..<4, using: &state.random) {
        case 0: try look(index, &state)
        case 1: try underLock(index, toWrite: false, &state)
        default: try underLock(index, toWrite: true, &state)
        }
    }

    /// What is open anew has what was there then, or came meanwhile; in the middle of a write it makes no sense, and is
    /// not counted.
    func look(_ index: Int, _ state: inout State) throws(Errno) {
        let began = TimeSource.system.now
        let file = try FileDescriptor.open(Self.path(index, in: folder), O_RDONLY)
        guard let value = Self.value(of: try LinuxCalls.content(of: file.raw, max: 200_000)) else { return }
        state.histories[index].add(.read(value), from: began, to: TimeSource.system.now)
    }

    private func underLock(_ index: Int, toWrite: Bool, _ state: inout State) throws(Errno) {
        let (lock, path) = (Lock.allCases[index], Self.path(index, in: folder))
        let file = try FileDescriptor.open(path, O_RDWR)
        do throws(Errno) {
            try lock.take(file.raw, toWrite: toWrite)
        } catch {
            // While the region is away there are none.
            guard error == .noLocks else { throw error }
            usleep(20_000)
            return
        }
        let began = TimeSource.system.now
        let bytes = try LinuxCalls.content(of: file.raw, max: 200_000)
        guard let value = Self.value(of: bytes) else {
            state.problems.append(
                "under a lock: \(bytes.count) bytes, \(String(decoding: bytes.prefix(40), as: UTF8.self))"
            )
            return
        }
        if toWrite { try Self.replace(value + 1, in: file) }
        let ended = TimeSource.system.now
        state.held[index].append(Held(began: began, ended: ended, isToWrite: toWrite))
        state.histories[index].add(toWrite ? .replaced(value, by: value + 1) : .read(value), from: began, to: ended)
        // Closing gives it back too.
        if state.random.oneIn(2) { try lock.giveBack(file.raw) }
    }

    // MARK: Content

    /// A number, and as much behind it as that number says.
    static func content(_ value: Int) -> [UInt8] {
        let padding = value % 16 == 15 ? 100_000 : value &* 7919 % 3000
        return Array("\(value) \(String(repeating: "x", count: padding)).".utf8)
    }

    static func value(of bytes: [UInt8]) -> Int? {
        guard let value = Int(String(decoding: bytes.prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self)) else {
            return nil
        }
        return bytes == content(value) ? value : nil
    }

    private static func replace(_ value: Int, in file: borrowing FileDescriptor) throws(Errno) {
        let bytes = content(value)
        // In one call, or as editors do that write in place.
        if value % 3 == 0 { try file.truncate(to: 0) }
        try file.writeAll(bytes)
        try file.truncate(to: Int64(bytes.count))
    }
}
