import DaleksAPI
import DaleksCache
import DaleksCore
import DaleksSQLite
import DaleksSystem

/// Those who are to hear when the region has what they did, or when this machine has what the region did.
///
/// ## Concurrency
/// `state` is held for arithmetic. One thread looks at the journal whenever rows may have left it, and calls back.
final class RegionWaits: Sendable {
    enum Subject: Sendable {
        /// Content, attributes and names of a node.
        case node(Inode)
        /// Names in folders, and these folders.
        case names([Inode])
        /// A file, the folders that it lies in, and what lies beside it there.
        case around(Inode, [Inode])
        /// Everything that the region had done at that cursor.
        case feed(Cursor)
        /// What was left to the region is decided.
        case answer(RegionQuestion)
    }

    private struct Wait: Sendable {
        var subject: Subject
        /// Rows up to here are waited for: what is done later is somebody else's.
        var place: Int64
        /// A conflict gives a file another id, and everything of it is sent once more.
        var node: NodeID?
        var deadline: Instant
        var impatience: Impatience?
        var completion: @Sendable (Errno?) -> Void

        /// When it is over at the latest.
        var end: Instant { impatience?.end.map { min($0, deadline) } ?? deadline }
    }

    private struct State {
        var waits: [Wait] = []
        /// Their owner looks at them with no lock held.
        var isJudging = false
        var isDue = false
        var isStopping = false
    }

    private let database: Database
    private let time: TimeSource
    private let state = Condition(State())

    init(database: Database, time: TimeSource) {
        self.database = database
        self.time = time
    }

    /// Calls back, at once or later and on any thread: nil, or why it is not so and, after `limit`, not to be expected.
    func add(
        _ subject: Subject,
        within limit: Duration,
        _ impatience: Impatience? = nil,
        _ completion: @escaping @Sendable (Errno?) -> Void
    ) {
        var wait = Wait(
            subject: subject,
            place: 0,
            node: nil,
            deadline: time.now + limit,
            impatience: impatience,
            completion: completion
        )
        do throws(Errno) {
            let now = wait
            let begun = try database.reading { db throws -> (place: Int64, node: NodeID?, verdict: Verdict) in
                var begun = now
                begun.place = try JournalTable.lastPlace(in: db)
                if case .node(let inode) = begun.subject { begun.node = try NodeTable.find(inode, in: db)?.id }
                return (begun.place, begun.node, try Self.verdict(on: &begun, db))
            }
            (wait.place, wait.node) = (begun.place, begun.node)
            if case .over(let errno) = begun.verdict { return completion(errno) }
        } catch {
            return completion(error)
        }
        let added = wait
        let isStopping = state.withLock { state in
            if !state.isStopping { state.waits.append(added) }
            return state.isStopping
        }
        // It may have left between looking and waiting.
        if isStopping { completion(.io) } else { look() }
    }

    /// A signal came for who waits with that.
    func interrupt(_ impatience: Impatience) {
        impatience.note(at: time.now)
        look()
    }

    /// Something left the journal, was refused, or came by the feed.
    func look() {
        let isAwaited = state.withLock { state in
            state.isDue = state.isJudging || !state.waits.isEmpty
            return state.isDue
        }
        if isAwaited { state.broadcast() }
    }

    func stop() {
        let left = state.withLock { state in
            state.isStopping = true
            defer { state.waits = [] }
            return state.waits
        }
        state.broadcast()
        for wait in left { wait.completion(.io) }
    }

    func run() {
        while true {
            let next = state.withLock { $0.waits.map(\.end).min() }
            let pause = next.map { max(.milliseconds(1), $0 - time.now) } ?? .seconds(3_600)
            let isStopping = state.wait(timeout: pause) { state -> Bool? in
                if state.isStopping { return true }
                // Another deadline may be nearer than the one that is slept for.
                guard state.isDue else { return nil }
                state.isDue = false
                return false
            }
            if isStopping == true { return }
            for (completion, errno) in judge() { completion(errno) }
        }
    }

    private enum Verdict {
        case waiting
        case over(Errno?)
    }

    /// Takes out those that are over.
    private func judge() -> [(@Sendable (Errno?) -> Void, Errno?)] {
        let waits = state.withLock { state in
            defer { (state.waits, state.isJudging) = ([], true) }
            return state.waits
        }
        let now = time.now
        var over: [(@Sendable (Errno?) -> Void, Errno?)] = []
        var left: [Wait] = []
        do throws(Errno) {
            let judged = try database.reading { db throws -> [(Wait, Verdict)] in
                try waits.map { wait in
                    var wait = wait
                    let verdict = try Self.verdict(on: &wait, db)
                    return (wait, verdict)
                }
            }
            for (wait, verdict) in judged {
                switch verdict {
                case .over(let errno): over.append((wait.completion, errno))
                case .waiting where wait.end <= now: over.append((wait.completion, Self.errno(of: wait)))
                case .waiting: left.append(wait)
                }
            }
        } catch {
            over = waits.map { ($0.completion, error) }
        }
        let kept = left
        let isStopping = state.withLock { state in
            state.isJudging = false
            if !state.isStopping { state.waits += kept }
            return state.isStopping
        }
        if isStopping { over += kept.map { ($0.completion, .io) } }
        return over
    }

    private static func errno(of wait: Wait) -> Errno {
        if wait.end < wait.deadline { return .interrupted }
        return if case .feed = wait.subject { .timedOut } else { .io }
    }

    private static func verdict(on wait: inout Wait, _ db: borrowing Connection) throws -> Verdict {
        let places: [Int64]
        if case .answer(let question) = wait.subject {
            guard let place = question.place else { return .over(nil) }
            return try JournalTable.find(place: place, in: db) == nil ? .over(nil) : .waiting
        }
        switch wait.subject {
        case .node(let inode): places = try JournalTable.places(of: inode, upTo: wait.place, in: db)
        case .names(let folders):
            places = try folders.flatMap { folder in
                try JournalTable.places(in: folder, upTo: wait.place, in: db)
                    + JournalTable.places(of: folder, upTo: wait.place, in: db)
            }
        case .around(let inode, let folders):
            places =
                try JournalTable.places(of: inode, upTo: wait.place, in: db)
                + folders.flatMap { folder in
                    try JournalTable.places(in: folder, upTo: wait.place, in: db)
                        + JournalTable.places(ofFilesIn: folder, upTo: wait.place, in: db)
                }
        case .feed(let cursor):
            guard let here = try MetaTable.text(.cursor, in: db).flatMap({ Cursor($0) }) else { return .waiting }
            let isHere = here.epoch > cursor.epoch || here.epoch == cursor.epoch && here.sequence >= cursor.sequence
            return isHere ? .over(nil) : .waiting
        case .answer: return .waiting
        }
        for place in places {
            guard let refusal = try RefusalTable.find(place, in: db), !RefusalTable.Code.needsBase(refusal.code) else {
                continue
            }
            return .over(Errno(refusal: refusal.code))
        }
        guard places.isEmpty else { return .waiting }
        guard case .node(let inode) = wait.subject, let id = try NodeTable.find(inode, in: db)?.id, id != wait.node
        else {
            return .over(nil)
        }
        (wait.node, wait.place) = (id, try JournalTable.lastPlace(in: db))
        return try JournalTable.places(of: inode, upTo: wait.place, in: db).isEmpty ? .over(nil) : .waiting
    }
}
