import CPostgres
import DaleksCore
import DaleksSystem
import Glibc

/// One libpq connection and nothing else: it sends steps, waits no longer than it may, and collects the answers.
///
/// libpq runs in its non-blocking mode under our own `poll`, because only so can each wait have a deadline. Steps
/// travel in pipeline mode: what belongs together (BEGIN, PREPARE, EXECUTE) costs one round trip.
///
/// ## Concurrency
/// One thread at a time. Whoever has the session has the wire.
final class Wire {
    /// One thing for the server to do.
    enum Step {
        case prepare(name: String, sql: String, types: [UInt32])
        case execute(name: String, sql: String, Parameters)
        /// Without parameters and not worth preparing: BEGIN, COMMIT, DEALLOCATE.
        case command(String)
    }

    /// The connection broke or had to be given up; there is no answer and there will be none.
    struct Loss: Error {
        let code: PostgresError.Code
        var sqlState: String?
        let message: String

        static let closed = Loss(code: .connectionLost, message: "the connection to the database broke")
        static let silent = Loss(code: .timedOut, message: "the database did not answer in time and was given up")
    }

    private let raw: OpaquePointer
    private var isPipelining = false
    private(set) var isLost = false
    /// A cancel request may reach the server late and hit whatever runs then: such a connection is not used again.
    private(set) var wasCanceled = false

    init(owning raw: OpaquePointer) {
        self.raw = raw
        PQsetnonblocking(raw, 1)
    }

    deinit { PQfinish(raw) }

    var descriptor: Int32 { PQsocket(raw) }
    var serverProcessID: Int32 { PQbackendPID(raw) }

    /// Sends the steps in one go and collects one answer for each. Answers after the first error say nothing: the
    /// server skips the rest.
    ///
    /// With `onRow` the last step's rows are not collected but handed over as they come; false ends it by canceling.
    func exchange(
        _ steps: [Step],
        until patience: Patience,
        onRow: ((PostgresRow) -> Bool)? = nil
    ) throws(Loss) -> [PostgresRows] {
        try enterPipeline(true)
        for step in steps where !send(step) { throw lost(.closed) }
        guard PQpipelineSync(raw) == 1 else { throw lost(.closed) }
        var patience = patience
        try flush(&patience)

        var collector = Collector(onRow: onRow)
        while true {
            if onRow != nil, collector.answers.count == steps.count - 1, !collector.isStreaming {
                collector.isStreaming = PQsetSingleRowMode(raw) == 1
            }
            guard let result = try nextResult(&patience) else {
                guard collector.finishStep(), collector.answers.count <= steps.count else { throw lost(.closed) }
                continue
            }
            if result.status == PGRES_PIPELINE_SYNC { break }
            if let loss = Self.loss(ifEndedBy: result) { throw lost(loss) }
            if !collector.receive(result) { cancel(&patience) }
        }
        guard collector.answers.count == steps.count else { throw lost(.closed) }
        return collector.answers
    }

    /// Sends several statements as one text (migrations), and returns the first error or else the last answer.
    func script(_ sql: String, until patience: Patience) throws(Loss) -> PostgresRows? {
        try enterPipeline(false)
        guard PQsendQuery(raw, sql) == 1 else { throw lost(.closed) }
        var patience = patience
        try flush(&patience)
        var answer: PostgresRows?
        while let result = try nextResult(&patience) {
            if let loss = Self.loss(ifEndedBy: result) { throw lost(loss) }
            if answer?.sqlState == nil { answer = result }
        }
        return answer
    }

    /// Whether the server says that no transaction is open; true only between exchanges.
    var isOutsideTransaction: Bool { PQtransactionStatus(raw) == PQTRANS_IDLE }
    var isInsideTransaction: Bool { PQtransactionStatus(raw) == PQTRANS_INTRANS }

    /// Whether the server has not closed an idle connection, as far as can be seen without asking it.
    func looksAlive() -> Bool {
        guard !isLost, PQstatus(raw) == CONNECTION_OK else { return false }
        // Twice is enough for a last message and the end behind it.
        for _ in 0..<3 {
            guard poll(for: Int16(POLLIN), milliseconds: 0) else { return true }
            guard PQconsumeInput(raw) == 1, PQisBusy(raw) == 0 else { return false }
        }
        return false
    }

    /// Reads what came without being asked for, such as notifications. False when the connection is gone.
    func readUnasked() -> Bool {
        guard !isLost, PQconsumeInput(raw) == 1, PQstatus(raw) == CONNECTION_OK else {
            isLost = true
            return false
        }
        return true
    }

    func nextNotification() -> (channel: String, payload: String)? {
        guard let notification = PQnotifies(raw) else { return nil }
        defer { PQfreemem(notification) }
        let payload = notification.pointee.extra.map { String(cString: $0) } ?? ""
        return (String(cString: notification.pointee.relname), payload)
    }

    // MARK: - Sending

    private func enterPipeline(_ wanted: Bool) throws(Loss) {
        guard !isLost, PQstatus(raw) == CONNECTION_OK else { throw lost(.closed) }
        guard wanted != isPipelining else { return }
        guard (wanted ? PQenterPipelineMode(raw) : PQexitPipelineMode(raw)) == 1 else { throw lost(.closed) }
        isPipelining = wanted
    }

    private func send(_ step: Step) -> Bool {
        switch step {
        case .prepare(let name, let sql, let types):
            PQsendPrepare(raw, name, sql, Int32(types.count), types) == 1
        case .execute(let name, _, let parameters):
            parameters.withPointers { count, values, lengths, formats in
                PQsendQueryPrepared(raw, name, count, values, lengths, formats, 1)
            } == 1
        case .command(let sql):
            PQsendQueryParams(raw, sql, 0, nil, nil, nil, nil, 1) == 1
        }
    }

    /// Reads while it writes: a server whose answers nobody takes stops reading questions.
    private func flush(_ patience: inout Patience) throws(Loss) {
        while true {
            switch PQflush(raw) {
            case 0: return
            case 1:
                try wait(for: Int16(POLLIN | POLLOUT), &patience)
                if poll(for: Int16(POLLIN), milliseconds: 0), PQconsumeInput(raw) != 1 { return }
            default: return  // What the server said last is still to be read; then reading fails too.
            }
        }
    }

    // MARK: - Receiving

    private func nextResult(_ patience: inout Patience) throws(Loss) -> PostgresRows? {
        while PQisBusy(raw) != 0 {
            try wait(for: Int16(POLLIN), &patience)
            if PQconsumeInput(raw) != 1 {
                // The last words, such as "terminating connection", may have come before the end.
                guard PQisBusy(raw) == 0, let result = PQgetResult(raw) else { throw lost(.closed) }
                throw lost(Self.loss(PostgresRows(owning: result)))
            }
        }
        guard let result = PQgetResult(raw) else {
            if PQstatus(raw) == CONNECTION_BAD { throw lost(.closed) }
            return nil
        }
        let rows = PostgresRows(owning: result)
        if PQstatus(raw) == CONNECTION_BAD { throw lost(Self.loss(rows)) }
        return rows
    }

    /// Nil where the connection goes on. COPY leaves it in a state of its own, out of which only closing leads here.
    private static func loss(ifEndedBy result: PostgresRows) -> Loss? {
        if [PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH].contains(result.status) {
            return Loss(code: .other, message: "COPY from or to the client is not supported")
        }
        return result.isFatal ? loss(result) : nil
    }

    private static func loss(_ rows: PostgresRows) -> Loss {
        guard let error = rows.error(sql: nil), error.sqlState != nil else { return .closed }
        return Loss(code: .connectionLost, sqlState: error.sqlState, message: error.message)
    }

    private func lost(_ loss: Loss) -> Loss {
        isLost = true
        return loss
    }

    // MARK: - Waiting

    private func wait(for events: Int16, _ patience: inout Patience) throws(Loss) {
        while true {
            let rest = patience.deadline - TimeSource.system.now
            if rest > .zero {
                // Rounded up, so as not to spin through the last fraction; a signal only makes it go round again.
                if poll(for: events, milliseconds: Int32(clamping: rest.milliseconds + 1)) { return }
            } else if patience.mayCancel {
                cancel(&patience)
            } else {
                throw lost(.silent)
            }
        }
    }

    private func poll(for events: Int16, milliseconds: Int32) -> Bool {
        var descriptor = pollfd(fd: PQsocket(raw), events: events, revents: 0)
        return Glibc.poll(&descriptor, 1, milliseconds) > 0
    }

    /// Asks the server, over a connection of its own, to stop what this one waits for. Connecting may block for long
    /// when the server is out of reach, so a thread of its own does it.
    private func cancel(_ patience: inout Patience) {
        guard patience.mayCancel else { return }
        patience = Patience(until: TimeSource.system.now + Limits.Postgres.cancelGrace, mayCancel: false)
        wasCanceled = true
        guard let request = CancelRequest(of: raw) else { return }
        _ = Thread(name: "pg-cancel") { request.send() }
    }
}

/// Until when to wait, and whether the server may be told to stop then. A commit is never canceled: it would be no
/// clearer what became of it.
struct Patience {
    let deadline: Instant
    let mayCancel: Bool

    init(until deadline: Instant, mayCancel: Bool = true) {
        self.deadline = deadline
        self.mayCancel = mayCancel
    }
}

/// Sorts results into one answer for each step.
private struct Collector {
    let onRow: ((PostgresRow) -> Bool)?
    var answers: [PostgresRows] = []
    var isStreaming = false
    private var current: PostgresRows?
    private var isRefused = false

    init(onRow: ((PostgresRow) -> Bool)?) { self.onRow = onRow }

    /// False once, when whoever takes the rows wants no more.
    mutating func receive(_ result: PostgresRows) -> Bool {
        guard result.status == PGRES_SINGLE_TUPLE, let onRow else {
            current = result
            return true
        }
        guard !isRefused else { return true }
        for row in result where !onRow(row) {
            isRefused = true
            return false
        }
        return true
    }

    /// False when the server ended a step without a word.
    mutating func finishStep() -> Bool {
        guard let current else { return false }
        answers.append(current)
        self.current = nil
        return true
    }
}

/// The right to cancel what a connection does. `raw` never changes, and libpq allows PQcancel on any thread.
private final class CancelRequest: @unchecked Sendable {
    private let raw: OpaquePointer

    init?(of connection: OpaquePointer) {
        guard let raw = PQgetCancel(connection) else { return nil }
        self.raw = raw
    }

    deinit { PQfreeCancel(raw) }

    func send() {
        var complaint = [CChar](repeating: 0, count: 256)
        // Where it fails the waiting thread's grace runs out, and the connection is given up.
        _ = PQcancel(raw, &complaint, Int32(complaint.count))
    }
}
