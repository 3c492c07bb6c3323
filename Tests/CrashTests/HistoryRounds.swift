import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Glibc

/// A folder with a few names that threads of several mounts fight for, and what is wrong with what they saw.
struct NameRound {
    typealias Body = @Sendable (@Sendable () -> Bool) -> Void

    private let name: String
    private let nodes = KnownNodes()
    private let workers: [NameWorker]

    init(_ round: Int, _ mounts: [RunningMount], _ random: inout SeededGenerator) throws {
        name = "names\(round)"
        for folder in [name, "\(name)-private"] { try checking { mkdir("\(mounts[0].path)/\(folder)", 0o755) } }
        var workers: [NameWorker] = []
        for number in 0..<3 * mounts.count {
            let folder = "\(mounts[number % mounts.count].path)/\(name)"
            workers.append(NameWorker(number + 1, in: folder, nodes, seed: random.next()))
        }
        self.workers = workers
    }

    var bodies: [Body] { workers.map { worker in { isOver in worker.work(until: isOver) } } }

    var counts: [(String, Int)] { workers.flatMap { worker in worker.state.withLock { Array($0.counts) } } }

    /// Looks from every mount, one after the other, and judges.
    func problems(_ mounts: [RunningMount]) throws -> [String] {
        var workers = workers
        for mount in mounts {
            let last = NameWorker(workers.count + 1, in: "\(mount.path)/\(name)", nodes, seed: 0)
            last.lookAtAll()
            workers.append(last)
        }
        let states = workers.map { worker in worker.state.withLock { $0 } }
        var problems = states.flatMap(\.problems)
        for read in states.flatMap(\.reads) {
            let problem = nodes.problem(with: read.text, in: read.node, openedAt: read.opened, readBy: read.ended)
            if let problem { problems.append("node \(read.node) had \(problem)") }
        }
        var history = History<FolderModel>()
        for state in states { history.add(state.history) }
        if let words = history.settled().contradiction(from: FolderModel(count: NameWorker.nameCount)) {
            problems.append(words)
        }
        for mount in mounts {
            let known = Set((0..<NameWorker.nameCount).map(NameWorker.name))
            let others = Set(try Files.entries(of: "\(mount.path)/\(name)")).subtracting(known)
            if !others.isEmpty { problems.append("there is also \(others.sorted())") }
        }
        return problems
    }
}

extension History<FolderModel> {
    /// Whose daemon died while they made something does not know what; it is one of those that others saw and of which
    /// nobody says that it was theirs, or nothing ever.
    func settled() -> Self {
        var (made, seen): (Set<Int>, Set<Int>) = ([], [])
        for operation in operations {
            switch operation.act {
            case .made(_, let node), .openedOrMade(_, let node), .put(_, let node): made.insert(node)
            case .saw(_, let node), .took(_, let node): seen.insert(node)
            default: break
            }
        }
        var history = Self()
        for operation in operations {
            switch operation.act {
            case .made(let name, FolderModel.unknown), .openedOrMade(let name, FolderModel.unknown):
                for node in seen.subtracting(made) {
                    history.add(by: operation.who, .made(name, node: node), from: operation.began, to: nil)
                }
            default: history.add(by: operation.who, operation.act, from: operation.began, to: operation.ended)
            }
        }
        return history
    }
}

/// Files in which threads of several mounts count under locks, and what is wrong with what they saw.
struct CounterRound {
    private let workers: [CounterWorker]

    init(_ round: Int, _ mounts: [RunningMount], _ random: inout SeededGenerator) throws {
        let folder = "counters\(round)"
        try checking { mkdir("\(mounts[0].path)/\(folder)", 0o755) }
        for index in CounterWorker.Lock.allCases.indices {
            let path = CounterWorker.path(index, in: "\(mounts[0].path)/\(folder)")
            let file = try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)
            try file.writeAll(CounterWorker.content(0))
        }
        var workers: [CounterWorker] = []
        for number in 0..<4 {
            let mount = mounts[number % mounts.count]
            workers.append(CounterWorker(in: "\(mount.path)/\(folder)", seed: random.next()))
        }
        self.workers = workers
    }

    var bodies: [NameRound.Body] { workers.map { worker in { isOver in worker.work(until: isOver) } } }

    var counts: [(String, Int)] {
        workers.map { worker in ("under locks", worker.state.withLock { $0.held.reduce(0) { $0 + $1.count } }) }
    }

    /// Looks at the end from where each worker is, and judges.
    func problems() throws -> [String] {
        for worker in workers {
            try worker.state.withLock { state in
                for index in CounterWorker.Lock.allCases.indices { try worker.look(index, &state) }
            }
        }
        let states = workers.map { worker in worker.state.withLock { $0 } }
        var problems = states.flatMap(\.problems)
        for (index, lock) in CounterWorker.Lock.allCases.enumerated() {
            var history = History<Register>()
            for state in states { history.add(state.histories[index]) }
            if let words = history.contradiction(from: Register(0)) { problems.append("\(lock): \(words)") }
            let held = states.flatMap { $0.held[index] }
            if let words = Self.overlap(held) { problems.append("\(lock): \(words)") }
        }
        return problems
    }

    /// Two that had a lock at once of which one was to write.
    static func overlap(_ held: [CounterWorker.Held]) -> String? {
        var writer: CounterWorker.Held?
        var latest: CounterWorker.Held?
        for one in held.sorted(by: { $0.began < $1.began }) {
            let other = one.isToWrite ? latest : writer
            if let other, other.ended > one.began { return "two had it at once: \(other), \(one)" }
            if one.isToWrite, one.ended > writer?.ended ?? Instant(nanoseconds: .min) { writer = one }
            if one.ended > latest?.ended ?? Instant(nanoseconds: .min) { latest = one }
        }
        return nil
    }
}
