import DaleksCore
import DaleksSystem

/// One connection with what it has prepared and the transaction it is in.
///
/// ## Concurrency
/// One thread at a time: the pool hands it to one user through its lock, and nobody keeps a session that was given
/// back. The listener's session never leaves its thread.
final class Session: @unchecked Sendable {
    enum Transaction {
        /// Each statement commits by itself.
        case none
        /// BEGIN travels with the first statement.
        case announced(String)
        case open
        /// The server does nothing more but roll back; this is why.
        case failed(PostgresError)
    }

    private let wire: Wire
    private let statementTimeout: Duration
    private var cache = StatementCache(capacity: Limits.Postgres.statementCountMax)
    /// Prepared at the server, forgotten by the cache, not deallocated yet.
    private var discarded: [String] = []
    private(set) var transaction = Transaction.none
    /// Whether the server answered anything in this transaction.
    private var hasBegun = false
    /// When the caller's own patience ends, in front of the statement's.
    var deadline: Instant?
    let openedAt: Instant
    var idleSince: Instant
    /// Whether it served somebody before, and may so have grown stale without our knowing.
    var isReused = false

    init(wire: Wire, statementTimeout: Duration) {
        self.wire = wire
        self.statementTimeout = statementTimeout
        openedAt = TimeSource.system.now
        idleSince = openedAt
    }

    /// Tries the URL's hosts in turn. A refused password ends it: the others would be told it as well.
    static func open(
        _ url: PostgresURL,
        _ configuration: PostgresConfiguration,
        until end: Instant?
    ) throws(PostgresError) -> Session {
        var failure = PostgresError(.malformedURL, "the database's URL names no host")
        for endpoint in url.endpoints(defaults: defaults(configuration)) {
            do throws(PostgresError) {
                let own = TimeSource.system.now + configuration.connectTimeout
                let deadline = min(own, end ?? own)
                let wire = try Wire.connect(endpoint, deadline: deadline)
                let session = Session(wire: wire, statementTimeout: configuration.statementTimeout)
                try session.prepare(configuration, until: deadline)
                return session
            } catch {
                failure = error
                if error.code == .authenticationFailed { break }
            }
        }
        throw failure
    }

    private static func defaults(_ configuration: PostgresConfiguration) -> [PostgresURL.Setting] {
        [
            ("application_name", configuration.applicationName),
            ("client_encoding", "UTF8"),
            // Asking Kerberos for tickets that nobody has costs milliseconds at each connection.
            ("gssencmode", "disable"),
            // A peer that vanished is noticed within a minute and not within hours.
            ("keepalives_idle", "30"),
            ("keepalives_interval", "10"),
            ("keepalives_count", "3"),
            ("tcp_user_timeout", "30000"),
        ]
    }

    /// One round trip after connecting. The server's limits hold also where this process cannot act any more.
    private func prepare(
        _ configuration: PostgresConfiguration,
        until deadline: Instant
    ) throws(PostgresError) {
        let idle = configuration.idleInTransactionTimeout.milliseconds
        _ = try exchange(
            [
                .command("SET statement_timeout = \(configuration.statementTimeout.milliseconds)"),
                .command("SET idle_in_transaction_session_timeout = \(idle)"),
            ],
            sql: nil,
            Patience(until: deadline, mayCancel: false)
        )
    }

    var descriptor: Int32 { wire.descriptor }
    var serverProcessID: Int32 { wire.serverProcessID }
    var isLost: Bool { wire.isLost }

    /// Whether the next user may have it.
    var isReusable: Bool {
        guard case .none = transaction else { return false }
        return !wire.isLost && !wire.wasCanceled && wire.isOutsideTransaction
    }

    func looksAlive() -> Bool { wire.looksAlive() }
    func readUnasked() -> Bool { wire.readUnasked() }
    func nextNotification() -> (channel: String, payload: String)? { wire.nextNotification() }

    /// Asks the server whether it is there.
    func answers(within timeout: Duration) -> Bool {
        let patience = Patience(until: TimeSource.system.now + timeout, mayCancel: false)
        return (try? wire.exchange([.command("SELECT 1")], until: patience)) != nil
    }

    // MARK: - Statements

    /// Runs statements in one round trip. Outside a transaction they are one together.
    @discardableResult
    func run(
        _ statements: [PostgresStatement],
        onRow: ((PostgresRow) -> Bool)? = nil
    ) throws(PostgresError) -> [PostgresRows] {
        do throws(PostgresError) {
            return try runOnce(statements, onRow: onRow)
        } catch {
            // Prepared anew it works, and outside a transaction nothing happened yet that would have to be repeated.
            guard error.code == .stalePlan, case .none = transaction else { throw error }
            return try runOnce(statements, onRow: onRow)
        }
    }

    private func runOnce(
        _ statements: [PostgresStatement],
        onRow: ((PostgresRow) -> Bool)?
    ) throws(PostgresError) -> [PostgresRows] {
        if case .failed(let reason) = transaction { throw reason }
        var plan = Plan()
        if case .announced(let begin) = transaction { plan.steps.append(.command(begin)) }
        // All are encoded before the cache hears of any: what throws here leaves nothing half known.
        let parameters = try statements.map { statement throws(PostgresError) in try statement.encoded() }
        for (statement, parameters) in zip(statements, parameters) { add(statement.sql, parameters, to: &plan) }

        let answers: [PostgresRows]
        do throws(Wire.Loss) {
            answers = try wire.exchange(plan.steps, until: patience(), onRow: onRow)
        } catch {
            throw fail(lost(error, sql: statements.count == 1 ? statements[0].sql : nil))
        }
        hasBegun = true
        return try settle(plan, answers)
    }

    private struct Plan {
        var steps: [Wire.Step] = []
        /// Which steps' answers the caller gets.
        var wanted: [Int] = []
        /// Names that this exchange prepares.
        var prepared: Set<String> = []
    }

    private func add(_ sql: String, _ parameters: Parameters, to plan: inout Plan) {
        let name: String
        if let known = cache.find(sql, types: parameters.types) {
            name = known
        } else {
            let (new, evicted) = cache.insert(sql, types: parameters.types)
            if let evicted { discarded.append(evicted) }
            plan.steps += discarded.map { .command("DEALLOCATE \($0)") }
            plan.steps.append(.prepare(name: new, sql: sql, types: parameters.types))
            plan.prepared.insert(new)
            name = new
        }
        plan.wanted.append(plan.steps.count)
        plan.steps.append(.execute(name: name, sql: sql, parameters))
    }

    /// Brings the cache and the transaction's state in line with what the server did.
    private func settle(_ plan: Plan, _ answers: [PostgresRows]) throws(PostgresError) -> [PostgresRows] {
        let failed = answers.firstIndex { $0.sqlState != nil }
        for (index, step) in plan.steps.enumerated() {
            let isDone = failed.map { index < $0 } ?? true
            switch step {
            case .prepare(let name, _, _): if !isDone { cache.remove(name: name) }
            case .command(let text): if isDone { discarded.removeAll { text == "DEALLOCATE \($0)" } }
            case .execute: break
            }
        }
        guard let failed else {
            if case .announced = transaction { transaction = .open }
            return plan.wanted.map { answers[$0] }
        }
        throw fail(error(of: answers[failed], in: plan.steps[failed], prepared: plan.prepared))
    }

    private func error(of answer: PostgresRows, in step: Wire.Step, prepared: Set<String>) -> PostgresError {
        switch step {
        case .prepare(_, let sql, _): return answer.error(sql: sql) ?? Self.unclear(sql)
        case .command(let sql): return answer.error(sql: sql) ?? Self.unclear(sql)
        case .execute(let name, let sql, _):
            let error = answer.error(sql: sql) ?? Self.unclear(sql)
            // "cached plan must not change result type", and a name that the server no longer knows.
            let isStale = error.sqlState == "0A000" || error.sqlState == "26000"
            guard isStale, !prepared.contains(name) else { return error }
            cache.remove(name: name)
            if error.sqlState == "0A000" { discarded.append(name) }
            return PostgresError(.stalePlan, error.message, sqlState: error.sqlState, sql: sql)
        }
    }

    private static func unclear(_ sql: String) -> PostgresError {
        PostgresError(.other, "the database's answer cannot be understood", sql: sql)
    }

    /// A statement without values that is not worth preparing.
    func command(_ sql: String) throws(PostgresError) {
        _ = try exchange([.command(sql)], sql: sql, patience())
    }

    // MARK: - Transactions

    func announce(_ begin: String) {
        precondition(isReusable, "a transaction begins on an idle connection")
        transaction = .announced(begin)
        hasBegun = false
    }

    /// The transaction took effect when this returns.
    func commit() throws(PostgresError) {
        switch transaction {
        case .none: preconditionFailure("a commit needs a transaction")
        case .announced: transaction = .none
        case .failed(let reason): throw reason
        case .open:
            // The server's own statement timeout bounds it as well.
            let patience = Patience(
                until: TimeSource.system.now + statementTimeout + Limits.Postgres.cancelGrace,
                mayCancel: false
            )
            let answer: PostgresRows
            do throws(Wire.Loss) {
                answer = try wire.exchange([.command("COMMIT")], until: patience)[0]
            } catch {
                transaction = .none
                // A transaction that idled for too long was rolled back before the COMMIT came.
                let isUndone = error.sqlState == "25P03"
                throw lost(error, sql: "COMMIT").with(outcome: isUndone ? .notApplied : .unknown)
            }
            transaction = .none
            if let error = answer.error(sql: "COMMIT") { throw error }
            guard answer.commandTag == "COMMIT" else {
                throw PostgresError(.other, "the database rolled back what was to be committed")
            }
        }
    }

    /// Undoes what the transaction did. Where that cannot be said to the server the session is lost, and losing it
    /// undoes it too.
    func rollback() {
        switch transaction {
        case .none, .announced: break
        case .open, .failed:
            let patience = Patience(
                until: TimeSource.system.now + Limits.Postgres.cleanUpTimeout,
                mayCancel: false
            )
            _ = try? wire.exchange([.command("ROLLBACK")], until: patience)
        }
        transaction = .none
    }

    /// Several statements as one text, inside the transaction that is open.
    func script(_ sql: String, timeout: Duration) throws(PostgresError) {
        let answer: PostgresRows?
        do throws(Wire.Loss) {
            answer = try wire.script(sql, until: Patience(until: TimeSource.system.now + timeout))
        } catch {
            throw fail(lost(error, sql: sql))
        }
        if let error = answer?.error(sql: sql) { throw fail(error) }
        guard wire.isInsideTransaction else {
            throw fail(PostgresError(.other, "the script ended the transaction that it runs in", sql: sql))
        }
    }

    // MARK: - Failures

    /// Why the transaction cannot go on, whatever its body made of it.
    var causeOfFailure: PostgresError? {
        guard case .failed(let cause) = transaction else { return nil }
        return cause
    }

    /// Whether the connection turned out to be dead when the transaction was to begin. It did nothing then, and
    /// deserves another connection.
    func wasStale(_ error: PostgresError) -> Bool {
        isReused && error.code == .connectionLost && error.outcome == .notApplied && !hasBegun
    }

    /// Remembers what failed a transaction: every later statement of it fails for the same reason.
    private func fail(_ error: PostgresError) -> PostgresError {
        switch transaction {
        case .none: break
        case .announced, .open, .failed: transaction = .failed(error)
        }
        return error
    }

    private func lost(_ loss: Wire.Loss, sql: String?) -> PostgresError {
        let outcome: PostgresError.Outcome
        switch transaction {
        // Nobody said COMMIT, and the server rolls back what ends without it.
        case .announced, .open, .failed: outcome = .notApplied
        case .none: outcome = .unknown
        }
        return PostgresError(loss.code, loss.message, sqlState: loss.sqlState, sql: sql, outcome: outcome)
    }

    private func exchange(
        _ steps: [Wire.Step],
        sql: String?,
        _ patience: Patience
    ) throws(PostgresError) -> [PostgresRows] {
        let answers: [PostgresRows]
        do throws(Wire.Loss) {
            answers = try wire.exchange(steps, until: patience)
        } catch {
            throw lost(error, sql: sql)
        }
        for answer in answers { if let error = answer.error(sql: sql) { throw error } }
        return answers
    }

    private func patience() -> Patience {
        let own = TimeSource.system.now + statementTimeout + Limits.Postgres.cancelGrace
        return Patience(until: min(own, deadline ?? own))
    }
}
