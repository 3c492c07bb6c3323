import DaleksSystem
import DaleksTestSupport
import Glibc

/// Work on four files and a folder, and what of it was promised to outlive a power cut.
///
/// `work` runs until a system call fails. `problems` is asked after the cut, and the same files are worked on further.
final class Promises: Sendable {
    struct State {
        var random: SeededGenerator
        /// Records of the log: written, perhaps written, and promised.
        var logCount = 0
        var logTried = 0
        var logPromised = 0
        /// The version of the document that was renamed into place last, and the one that is promised.
        var version = 0
        var versionPromised = 0
        /// For each page the stamps written since the last promise; the first is the promised one.
        var pages = [[UInt32]](repeating: [0], count: Promises.pageCount)
        /// Names made, by what is promised of them.
        var names: Set<String> = []
        var promisedNames: Set<String> = []
        var droppedNames: Set<String> = []
        var fileCount = 0
        var promiseCount = 0
    }

    static let pageCount = 400
    private static let recordBytes = 100

    let folder: String
    let state: Lock<State>

    init(folder: String, seed: UInt64) {
        self.folder = folder
        state = Lock(State(random: SeededGenerator(seed: seed)))
    }

    func work(in root: String, until isOver: @Sendable () -> Bool) {
        let path = "\(root)/\(folder)"
        while !isOver() {
            let isDone = state.withLock { state in
                switch Int.random(in: 0..<8, using: &state.random) {
                case 0..<3: Self.appendRecords(path, &state)
                case 3, 4: Self.replaceDocument(path, &state)
                case 5, 6: Self.writePages(path, &state)
                default: Self.changeNames(path, &state)
                }
            }
            if !isDone { return }
        }
    }

    /// Makes the folder and the files with everything promised.
    func begin(in root: String) throws {
        let path = "\(root)/\(folder)"
        try checking { mkdir(path, 0o755) }
        for (name, bytes) in [
            ("log", []), ("document", Self.document(0)),
            ("pages", (0..<Self.pageCount).flatMap { Self.page($0, 0) }),
        ] {
            let file = try FileDescriptor.open("\(path)/\(name)", O_WRONLY | O_CREAT, mode: 0o644)
            try file.writeAll(bytes)
            try file.synchronize()
        }
        try Files.synchronizeDirectory(path)
    }

    // MARK: Work

    private static func record(_ number: Int) -> [UInt8] {
        var text = Array("record \(number) ".utf8)
        while text.count < recordBytes { text.append(UInt8(97 + (number + text.count) % 26)) }
        return text
    }

    private static func appendRecords(_ path: String, _ state: inout State) -> Bool {
        let raw = open("\(path)/log", O_WRONLY | O_APPEND | O_CLOEXEC)
        guard raw >= 0 else { return false }
        defer { _ = close(raw) }
        for _ in 0..<Int.random(in: 1...40, using: &state.random) {
            let bytes = record(state.logCount)
            // It may be in place though the call does not return.
            state.logTried = state.logCount + 1
            guard write(raw, bytes, bytes.count) == bytes.count else { return false }
            state.logCount += 1
        }
        if state.random.oneIn(2) {
            guard fsync(raw) == 0 else { return false }
            state.logPromised = state.logCount
            state.promiseCount += 1
        }
        return true
    }

    private static func document(_ version: Int) -> [UInt8] {
        let line = Array("version \(version)\n".utf8)
        return Array((0..<(500 + version * 37 % 3_000)).map { _ in line }.joined())
    }

    private static func replaceDocument(_ path: String, _ state: inout State) -> Bool {
        let raw = open("\(path)/document.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard raw >= 0 else { return false }
        let bytes = document(state.version + 1)
        let isWritten = write(raw, bytes, bytes.count) == bytes.count
        let isPromised = state.random.oneIn(2)
        let isSynchronized = !isPromised || fsync(raw) == 0
        guard close(raw) == 0, isWritten, isSynchronized else { return false }
        // It may be in place though the call does not return.
        state.version += 1
        guard rename("\(path)/document.new", "\(path)/document") == 0 else { return false }
        if isPromised {
            guard (try? Files.synchronizeDirectory(path)) != nil else { return false }
            state.versionPromised = state.version
            state.promiseCount += 1
        }
        return true
    }

    private static func page(_ index: Int, _ stamp: UInt32) -> [UInt8] {
        let line = Array("page \(index) stamp \(stamp) ".utf8)
        return Array(repeatElement(line, count: 4_096 / line.count + 1).joined().prefix(4_096))
    }

    private static func writePages(_ path: String, _ state: inout State) -> Bool {
        let raw = open("\(path)/pages", O_WRONLY | O_CLOEXEC)
        guard raw >= 0 else { return false }
        defer { _ = close(raw) }
        for _ in 0..<Int.random(in: 1...30, using: &state.random) {
            let index = Int.random(in: 0..<pageCount, using: &state.random)
            let stamp = (state.pages[index].last ?? 0) + 1
            state.pages[index].append(stamp)
            let bytes = page(index, stamp)
            guard pwrite(raw, bytes, bytes.count, off_t(index * 4_096)) == bytes.count else { return false }
        }
        if state.random.oneIn(2) {
            guard fdatasync(raw) == 0 else { return false }
            for index in state.pages.indices { state.pages[index] = [state.pages[index].last ?? 0] }
            state.promiseCount += 1
        }
        return true
    }

    private static func changeNames(_ path: String, _ state: inout State) -> Bool {
        if state.random.oneIn(2), let name = state.names.sorted().randomElement(using: &state.random) {
            state.names.remove(name)
            state.promisedNames.remove(name)
            guard unlink("\(path)/\(name)") == 0 else { return false }
        } else {
            state.fileCount += 1
            let name = "made \(state.fileCount)"
            guard mkdir("\(path)/\(name).d", 0o755) == 0, rmdir("\(path)/\(name).d") == 0 else { return false }
            let raw = open("\(path)/\(name)", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
            guard raw >= 0, close(raw) == 0 else { return false }
            state.names.insert(name)
        }
        if state.random.oneIn(2) {
            guard (try? Files.synchronizeDirectory(path)) != nil else { return false }
            state.promisedNames = state.names
            state.droppedNames = Set((0..<state.fileCount).map { "made \($0 + 1)" }).subtracting(state.names)
            state.promiseCount += 1
        }
        return true
    }

    // MARK: After the cut

    /// What is not as promised, in words; then goes on from what is there.
    func problems(in root: String) throws -> [String] {
        let path = "\(root)/\(folder)"
        return try state.withLock { state in
            var problems: [String] = []
            try Self.checkLog(path, &state, &problems)
            try Self.checkDocument(path, &state, &problems)
            try Self.checkPages(path, &state, &problems)
            try Self.checkNames(path, &state, &problems)
            return problems
        }
    }

    private static func checkLog(_ path: String, _ state: inout State, _ problems: inout [String]) throws {
        let bytes = try Files.readAll("\(path)/log", max: 64 << 20)
        let count = bytes.count / recordBytes
        if count < state.logPromised {
            problems.append("the log has \(count) records of \(state.logPromised) promised")
        }
        if count > state.logTried { problems.append("the log has \(count) records, \(state.logTried) were written") }
        for number in 0..<count where Array(bytes[number * recordBytes..<(number + 1) * recordBytes]) != record(number)
        {
            problems.append("record \(number) of the log is damaged")
            break
        }
        // A record cut in two is no promise broken; the next one begins where a whole one ends.
        if bytes.count != count * recordBytes { truncate("\(path)/log", off_t(count * recordBytes)) }
        (state.logCount, state.logTried, state.logPromised) = (count, count, min(state.logPromised, count))
    }

    private static func checkDocument(_ path: String, _ state: inout State, _ problems: inout [String]) throws {
        let bytes = try Files.readAll("\(path)/document", max: 1 << 20)
        let found = (state.versionPromised...max(state.versionPromised, state.version)).first { document($0) == bytes }
        guard let found else {
            let start = String(decoding: bytes.prefix(30), as: UTF8.self).debugDescription
            problems.append(
                "the document (\(bytes.count) bytes, \(start)) is none of the versions \(state.versionPromised)"
                    + " to \(state.version)"
            )
            return
        }
        (state.version, state.versionPromised) = (max(found, state.version), found)
    }

    private static func checkPages(_ path: String, _ state: inout State, _ problems: inout [String]) throws {
        let bytes = try Files.readAll("\(path)/pages", max: 64 << 20)
        guard bytes.count == pageCount * 4_096 else {
            problems.append("the pages are \(bytes.count) bytes")
            return
        }
        for index in 0..<pageCount {
            let found = Array(bytes[index * 4_096..<(index + 1) * 4_096])
            guard let stamp = state.pages[index].last(where: { page(index, $0) == found }) else {
                let start = String(decoding: found.prefix(30), as: UTF8.self).debugDescription
                problems.append("page \(index) is \(start), not of the stamps \(state.pages[index])")
                continue
            }
            state.pages[index] = [stamp]
        }
    }

    private static func checkNames(_ path: String, _ state: inout State, _ problems: inout [String]) throws {
        let found = Set(try Files.entries(of: path)).subtracting(["log", "document", "document.new", "pages"])
        for name in state.promisedNames.subtracting(found) { problems.append("\(name) is gone") }
        for name in state.droppedNames.intersection(found) { problems.append("\(name) is back") }
        state.names = found.filter { !$0.hasSuffix(".d") }
        state.promisedNames = state.names
        state.droppedNames = Set((0..<state.fileCount).map { "made \($0 + 1)" }).subtracting(state.names)
        for name in found where name.hasSuffix(".d") { rmdir("\(path)/\(name)") }
    }
}
