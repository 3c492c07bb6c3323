import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Glibc

/// What all workers of a round know: which node has which number, and what was written into it.
final class KnownNodes: Sendable {
    /// The content of a node, which is written once.
    struct Written {
        let text: String
        let began: Instant
        /// Nil where the writer did not hear that it was done.
        let ended: Instant?
    }

    private struct State {
        /// Folders are all 1.
        var numbers: [String: Int] = [:]
        var written: [Int: Written] = [:]
    }

    private let state = Lock(State())

    func number(of file: Int32) throws(Errno) -> Int {
        let id = try LinuxCalls.nodeID(of: file)
        return state.withLock { state in
            let number = state.numbers[id] ?? state.numbers.count + 2
            state.numbers[id] = number
            return number
        }
    }

    func wrote(_ text: String, into node: Int, from began: Instant, to ended: Instant?) {
        state.withLock { $0.written[node] = Written(text: text, began: began, ended: ended) }
    }

    /// What is wrong with what somebody read, who opened the file at that time: it may not be older than what a writer
    /// had closed by then, nor anything that nobody wrote.
    func problem(with text: String, in node: Int, openedAt opened: Instant, readBy ended: Instant) -> String? {
        let written = state.withLock { $0.written[node] }
        guard let written else { return text.isEmpty ? nil : "\(text.prefix(40)), which nobody wrote" }
        if text == written.text { return written.began < ended ? nil : "what was written later" }
        guard written.text.hasPrefix(text) else { return "\(text.prefix(40)), and not \(written.text.prefix(40))" }
        let isTooOld = written.ended.map { $0 < opened } ?? false
        return isTooOld ? "\(text.count) of \(written.text.count) bytes, closed before it was opened" : nil
    }
}

/// One thread that makes, renames, links, removes and reads on a few names that others use too, and keeps what it saw.
final class NameWorker: Sendable {
    static let fileCount = 4
    static let folderCount = 2
    static let nameCount = fileCount + folderCount
    /// `DALEKS_HISTORY=all`: names are also opened to be read, and moved among those that everybody knows, while others
    /// work on them.
    static let looks = Environment.current["DALEKS_HISTORY"] == "all"

    struct State {
        var random: SeededGenerator
        var history = History<FolderModel>()
        var reads: [(node: Int, text: String, opened: Instant, ended: Instant)] = []
        var problems: [String] = []
        /// Calls that worked, by what they were.
        var counts: [String: Int] = [:]
        var madeCount = 0
    }

    let number: Int
    /// The folder with the names, in this worker's mount.
    let folder: String
    let nodes: KnownNodes
    let state: Lock<State>

    init(_ number: Int, in folder: String, _ nodes: KnownNodes, seed: UInt64) {
        (self.number, self.folder, self.nodes) = (number, folder, nodes)
        state = Lock(State(random: SeededGenerator(seed: seed)))
    }

    /// Only this worker's thread is here, so the lock is never waited for.
    func work(until isOver: @Sendable () -> Bool) {
        while !isOver() {
            do throws(Errno) {
                try state.withLock { state throws(Errno) in try step(&state) }
            } catch {
                // The daemon died: what it was about to do is in the history already.
                if !Self.isDeath(error) { state.withLock { $0.problems.append("worker \(number): \(error)") } }
                return
            }
        }
    }

    private var who: String { "\(number)" }

    private static func isDeath(_ error: Errno) -> Bool { [ENOTCONN, ECONNABORTED].contains(error.rawValue) }

    static func name(_ index: Int) -> String { "\(index < fileCount ? "file" : "folder")\(index)" }
    private func path(_ name: Int) -> String { "\(folder)/\(Self.name(name))" }

    // MARK: Steps

    private func step(_ state: inout State) throws(Errno) {
        let name = Int.random(in: 0..<Self.fileCount, using: &state.random)
        let other = (name + Int.random(in: 1..<Self.fileCount, using: &state.random)) % Self.fileCount
        let path = path(name)
        switch Int.random(in: 0..<20, using: &state.random) {
        case 0, 1: try make("O_EXCL", name, O_EXCL, &state)
        case 2 where Self.looks: try make("O_CREAT", name, 0, &state)
        case 3: try bring("rename", name, &state) { from throws(Errno) in try LinuxCalls.rename(from, to: path) }
        case 4, 5:
            try bring("RENAME_NOREPLACE", name, &state) { from throws(Errno) in
                try LinuxCalls.rename(from, to: path, .noReplace)
            }
        case 6: try bring("link", name, &state) { from throws(Errno) in try checking { link(from, path) } }
        case 7, 8: try call("unlink", .removed(name), &state) { () throws(Errno) in try checking { unlink(path) } }
        case 9: try take(name, &state)
        case 10 where Self.looks: try move(name, other, .plain, &state)
        case 11 where Self.looks: try move(name, other, .noReplace, &state)
        case 12 where Self.looks: try move(name, other, .exchange, &state)
        case 13, 14: try stepOfFolders(&state)
        default: if Self.looks { try look(name, &state) } else { try make("O_EXCL", name, O_EXCL, &state) }
        }
    }

    private func stepOfFolders(_ state: inout State) throws(Errno) {
        let name = Self.fileCount + Int.random(in: 0..<Self.folderCount, using: &state.random)
        let path = path(name)
        switch Int.random(in: 0..<4, using: &state.random) {
        case 0:
            try call("mkdir", .made(name, node: 1), &state) { () throws(Errno) in
                try checking { mkdir(path, 0o755) }
            }
        case 1: try call("rmdir", .removed(name), &state) { () throws(Errno) in try checking { rmdir(path) } }
        default: if Self.looks { try lookAtFolder(name, &state) }
        }
    }

    private func lookAtFolder(_ name: Int, _ state: inout State) throws(Errno) {
        try call("opendir", .saw(name, node: 1), &state) { () throws(Errno) in
            try FileDescriptor.open(path(name), O_RDONLY | O_DIRECTORY).close()
        }
    }

    /// What a call on names did, and whether it did it.
    @discardableResult
    private func call(
        _ what: String,
        _ act: FolderModel.Act,
        _ state: inout State,
        _ body: () throws(Errno) -> Void
    ) throws(Errno) -> Bool {
        let began = TimeSource.system.now
        do throws(Errno) {
            try body()
            state.history.add(by: who, act, from: began, to: TimeSource.system.now)
            state.counts[what, default: 0] += 1
            return true
        } catch {
            try refused(what, act, error, began, &state)
            return false
        }
    }

    private func refused(
        _ what: String,
        _ act: FolderModel.Act,
        _ error: Errno,
        _ began: Instant,
        _ state: inout State
    ) throws(Errno) {
        let seen: FolderModel.Act? =
            switch (error, act) {
            case (.exists, .made(let name, _)), (.exists, .movedWhereNothingWas(_, to: let name)): .exists(name)
            case (.noEntry, .removed(let name)), (.noEntry, .saw(let name, _)), (.noEntry, .moved(let name, _)),
                (.noEntry, .movedWhereNothingWas(let name, _)):
                .absent(name)
            case (.noEntry, .exchanged(let name, let other)): .oneIsAbsent(name, other)
            default: nil
            }
        if let seen {
            state.history.add(by: who, seen, from: began, to: TimeSource.system.now)
        } else if Self.isDeath(error) {
            state.history.add(by: who, act, from: began, to: nil)
            throw error
        } else {
            state.problems.append("worker \(number): \(what) of \(act): \(error)")
        }
    }

    /// It stays empty: what is written into a file that others remove meanwhile is kept, as another file of that name.
    private func make(_ what: String, _ name: Int, _ flags: Int32, _ state: inout State) throws(Errno) {
        let began = TimeSource.system.now
        func act(_ node: Int) -> FolderModel.Act {
            flags == O_EXCL ? .made(name, node: node) : .openedOrMade(name, node: node)
        }
        let file: FileDescriptor
        do throws(Errno) {
            file = try FileDescriptor.open(path(name), O_RDWR | O_CREAT | flags, mode: 0o644)
        } catch {
            return try refused(what, act(FolderModel.unknown), error, began, &state)
        }
        let ended = TimeSource.system.now
        let node: Int
        do throws(Errno) {
            node = try nodes.number(of: file.raw)
        } catch {
            return try refused(what, act(FolderModel.unknown), error, began, &state)
        }
        state.history.add(by: who, act(node), from: began, to: ended)
        state.counts[what, default: 0] += 1
    }

    private func fill(_ file: consuming FileDescriptor, _ node: Int, _ state: inout State) throws(Errno) {
        state.madeCount += 1
        let padding = state.random.oneIn(8) ? 100_000 : Int.random(in: 0...100, using: &state.random)
        let text = "\(number).\(state.madeCount)." + String(repeating: "x", count: padding)
        let began = TimeSource.system.now
        nodes.wrote(text, into: node, from: began, to: nil)
        try file.writeAll(Array(text.utf8))
        try file.close()
        nodes.wrote(text, into: node, from: began, to: TimeSource.system.now)
    }

    /// A file that nobody else knows, closed with all its content, gets the name or does not.
    private func bring(
        _ what: String,
        _ name: Int,
        _ state: inout State,
        _ body: (String) throws(Errno) -> Void
    ) throws(Errno) {
        let path = "\(folder)-private/\(number).\(state.madeCount)"
        let file = try FileDescriptor.open(path, O_RDWR | O_CREAT | O_EXCL, mode: 0o644)
        let node = try nodes.number(of: file.raw)
        try fill(file, node, &state)
        let act = what == "rename" ? FolderModel.Act.put(name, node: node) : .made(name, node: node)
        let isDone = try call(what, act, &state) { () throws(Errno) in try body(path) }
        if what == "link" || !isDone { try checking { unlink(path) } }
    }

    /// Away with it to where nobody else looks, and only then a look at what it is.
    private func take(_ name: Int, _ state: inout State) throws(Errno) {
        let path = "\(folder)-private/\(number).taken"
        let began = TimeSource.system.now
        do throws(Errno) {
            try LinuxCalls.rename(self.path(name), to: path)
        } catch {
            return try refused("taking", .removed(name), error, began, &state)
        }
        let ended = TimeSource.system.now
        let node: Int
        do throws(Errno) {
            node = try read(try FileDescriptor.open(path, O_RDONLY), openedAt: ended, &state)
        } catch {
            state.history.add(by: who, .removed(name), from: began, to: ended)
            throw error
        }
        state.history.add(by: who, .took(name, node: node), from: began, to: ended)
        state.counts["taking", default: 0] += 1
        try checking { unlink(path) }
    }

    private func move(_ name: Int, _ other: Int, _ flag: LinuxCalls.RenameFlag, _ state: inout State) throws(Errno) {
        let (what, act): (String, FolderModel.Act) =
            switch flag {
            case .plain: ("moving", .moved(name, to: other))
            case .noReplace: ("moving where nothing is", .movedWhereNothingWas(name, to: other))
            case .exchange: ("RENAME_EXCHANGE", .exchanged(name, other))
            }
        try call(what, act, &state) { () throws(Errno) in
            try LinuxCalls.rename(self.path(name), to: self.path(other), flag)
        }
    }

    // MARK: Reading

    private func look(_ name: Int, _ state: inout State) throws(Errno) {
        let began = TimeSource.system.now
        let file: FileDescriptor
        do throws(Errno) {
            file = try FileDescriptor.open(path(name), O_RDONLY)
        } catch {
            return try refused("open", .saw(name, node: FolderModel.unknown), error, began, &state)
        }
        let ended = TimeSource.system.now
        state.history.add(by: who, .saw(name, node: try read(file, openedAt: began, &state)), from: began, to: ended)
        state.counts["open", default: 0] += 1
    }

    private func read(
        _ file: consuming FileDescriptor,
        openedAt opened: Instant,
        _ state: inout State
    ) throws(Errno) -> Int {
        let node = try nodes.number(of: file.raw)
        let text = String(decoding: try LinuxCalls.content(of: file.raw, max: 200_000), as: UTF8.self)
        state.reads.append((node, text, opened, TimeSource.system.now))
        return node
    }

    /// What each name stands for at the end, as one more of those who look.
    func lookAtAll() {
        state.withLock { state in
            do throws(Errno) {
                for name in 0..<Self.fileCount { try look(name, &state) }
                for name in Self.fileCount..<Self.nameCount { try lookAtFolder(name, &state) }
            } catch {
                state.problems.append("at the end: \(error)")
            }
        }
    }
}
