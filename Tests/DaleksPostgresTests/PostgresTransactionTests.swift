import DaleksCore
import DaleksPostgres
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@Suite(.needs(.postgres))
struct PostgresTransactionTests {
    private struct Refusal: Error {}

    private func makeCounters(_ configure: (inout PostgresConfiguration) -> Void = { _ in }) throws -> PostgresPool {
        let pool = try makePool(configure)
        _ = try pool.query("CREATE TABLE counter (name text PRIMARY KEY, value int8 NOT NULL)")
        _ = try pool.query("INSERT INTO counter VALUES ('a', 0), ('b', 0)")
        return pool
    }

    private func value(_ name: String, _ pool: PostgresPool) throws -> Int64 {
        try pool.query("SELECT value FROM counter WHERE name = $1", [.text(name)])[0].int64(0)
    }

    @Test func `a body that throws leaves nothing behind`() throws {
        let pool = try makeCounters()
        #expect(throws: Refusal.self) {
            try pool.transaction { connection in
                #expect(try connection.execute("UPDATE counter SET value = 5") == 2)
                throw Refusal()
            }
        }
        #expect(try value("a", pool) == 0)
        #expect(pool.statistics.idleCount == pool.statistics.openCount)

        let returned = try pool.transaction { connection in
            try connection.execute("UPDATE counter SET value = 6")
            return "done"
        }
        #expect(returned == "done")
        #expect(try value("a", pool) == 6)
    }

    @Test func `an error that the body overlooks fails the transaction all the same`() throws {
        let pool = try makeCounters()
        let error = postgresError {
            try pool.transaction { connection in
                try connection.execute("UPDATE counter SET value = 5")
                _ = try? connection.query("SELECT 1 / 0")
            }
        }
        #expect(error?.sqlState == "22012")
        #expect(try value("a", pool) == 0)
    }

    @Test func `a read-only transaction cannot write, and an empty one costs nothing`() throws {
        let pool = try makeCounters()
        let error = postgresError {
            _ = try pool.transaction(readOnly: true) { try $0.execute("DELETE FROM counter") }
        }
        #expect(error?.code == .readOnly)
        #expect(try pool.transaction { _ in 7 } == 7)
    }

    @Test(arguments: PostgresIsolation.allCases)
    func `the isolation level is the one asked for`(isolation: PostgresIsolation) throws {
        let level = try makePool().transaction(isolation: isolation) { connection in
            try connection.query("SELECT current_setting('transaction_isolation')")[0].text(0)
        }
        #expect(level == "\(isolation)".reduce(into: "") { $0 += $1.isUppercase ? " \($1.lowercased())" : "\($1)" })
    }

    @Test func `eight threads that add at SERIALIZABLE lose nothing`() throws {
        let pool = try makeCounters { $0.attemptCountMax = 200 }
        let attempts = Collected<Int>()
        let errors = onThreads(8) { _ in
            for _ in 0..<25 {
                try pool.transaction(isolation: .serializable) { connection in
                    attempts.append(1)
                    let row = try connection.query("SELECT value FROM counter WHERE name = 'a'")[0]
                    let next = try row.int64(0) + 1
                    try connection.execute("UPDATE counter SET value = $1 WHERE name = 'a'", [.integer(next)])
                }
            }
        }
        #expect(errors.isEmpty)
        #expect(try value("a", pool) == 200)
        // Otherwise there was no contention and the test proved nothing.
        #expect(attempts.all.count > 200)
        print("200 serializable increments by 8 threads took \(attempts.all.count) attempts")
    }

    @Test func `write skew, which only SERIALIZABLE sees, is seen also where the body hides the error`() throws {
        let pool = try makeCounters()
        let arrivals = Lock(0)
        let bothRead = Gate()
        let errors = onThreads(2) { index in
            try pool.transaction(isolation: .serializable) { connection in
                do {
                    let sum = try connection.query("SELECT sum(value)::int8 FROM counter")[0].int64(0)
                    let isSecond = arrivals.withLock { count in
                        count += 1
                        return count >= 2
                    }
                    if isSecond { bothRead.open() } else { bothRead.wait(timeout: .seconds(5)) }
                    if sum == 0 {
                        let name = index == 0 ? "a" : "b"
                        try connection.execute("UPDATE counter SET value = 1 WHERE name = $1", [.text(name)])
                    }
                } catch {
                    throw Refusal()
                }
            }
        }
        #expect(errors.isEmpty)
        #expect(try value("a", pool) + value("b", pool) == 1)
    }

    @Test func `a deadlock is resolved and tried again`() throws {
        let pool = try makeCounters()
        let firstLocks = Lock(0)
        let bothLocked = Gate()
        let attempts = Collected<Int>()
        let errors = onThreads(2) { index in
            let names = index == 0 ? ["a", "b"] : ["b", "a"]
            try pool.transaction { connection in
                attempts.append(index)
                for name in names {
                    try connection.execute("UPDATE counter SET value = value + 1 WHERE name = $1", [.text(name)])
                    let isSecond = firstLocks.withLock { count in
                        count += 1
                        return count >= 2
                    }
                    if isSecond { bothLocked.open() } else { bothLocked.wait(timeout: .seconds(5)) }
                }
            }
        }
        #expect(errors.isEmpty)
        #expect(try value("a", pool) == 2)
        #expect(try value("b", pool) == 2)
        #expect(attempts.all.count >= 3)
    }

    @Test func `attempts are counted, and the last error is the caller's`() throws {
        let pool = try makeCounters()
        var attempts = 0
        let error = postgresError {
            try pool.transaction(isolation: .serializable, attemptCountMax: 4) { connection in
                attempts += 1
                _ = try connection.query("SELECT * FROM counter")
                // Another always comes first.
                _ = try pool.query("UPDATE counter SET value = value + 1 WHERE name = 'a'")
                try connection.execute("UPDATE counter SET value = 0 WHERE name = 'a'")
            }
        }
        #expect(error?.code == .serializationFailure)
        #expect(error?.sqlState == "40001")
        #expect(attempts == 4)
    }

    @Test func `what cannot succeed is not tried again`() throws {
        let pool = try makeCounters()
        var attempts = 0
        let error = postgresError {
            try pool.transaction { connection in
                attempts += 1
                try connection.execute("INSERT INTO counter VALUES ('a', 1)")
            }
        }
        #expect(error?.code == .uniqueViolation)
        #expect(attempts == 1)
    }

    @Test func `a deferred constraint that fails at commit is an error and not applied`() throws {
        let pool = try makeCounters()
        _ = try pool.query("CREATE TABLE child (parent text REFERENCES counter DEFERRABLE INITIALLY DEFERRED)")
        let error = postgresError {
            _ = try pool.transaction { try $0.execute("INSERT INTO child VALUES ('nobody')") }
        }
        #expect(error?.code == .foreignKeyViolation)
        #expect(error?.outcome == .notApplied)
        #expect(try pool.query("SELECT * FROM child").isEmpty)
    }

    @Test func `a statement past its deadline is canceled and its connection is not used again`() throws {
        let pool = try makeCounters()
        let start = TimeSource.system.now
        let error = postgresError {
            try pool.transaction(deadline: .milliseconds(200)) { connection in
                try connection.execute("UPDATE counter SET value = 9")
                _ = try connection.query("SELECT pg_sleep(20)")
            }
        }
        #expect(error?.code == .timedOut)
        #expect(secondsSince(start) < 2)
        #expect(try value("a", pool) == 0)
        let running = """
            SELECT count(*) FROM pg_stat_activity
            WHERE query LIKE '%pg_sleep(20)%' AND state = 'active'
                AND pid <> pg_backend_pid()
            """
        #expect(try pool.query(running)[0].int64(0) == 0)
    }

    @Test func `a transaction that idles too long is undone by the server, and says so`() throws {
        let pool = try makePool { $0.idleInTransactionTimeout = .milliseconds(50) }
        _ = try pool.query("CREATE TABLE thing (x int8)")
        for isAsked in [true, false] {
            let error = postgresError {
                try pool.transaction { connection in
                    try connection.execute("INSERT INTO thing VALUES (1)")
                    usleep(250_000)
                    if isAsked { _ = try connection.query("SELECT 1") }
                }
            }
            #expect(error?.code == .connectionLost)
            #expect(error?.outcome == .notApplied)
        }
        #expect(try pool.query("SELECT * FROM thing").isEmpty)
    }

    @Test func `a connection that is found dead before anything was done is replaced`() throws {
        let pool = try makeCounters()
        var attempts = 0
        try pool.transaction { connection in
            attempts += 1
            if attempts == 1 {
                _ = try pool.query("SELECT pg_terminate_backend($1)", [.int4(connection.serverProcessID)])
            }
            try connection.execute("UPDATE counter SET value = value + 1")
        }
        #expect(attempts == 2)
        #expect(try value("a", pool) == 1)
    }

    @Test func `the server ends a statement that runs past the configured time`() throws {
        let pool = try makePool { $0.statementTimeout = .milliseconds(150) }
        let start = TimeSource.system.now
        let error = postgresError { _ = try pool.query("SELECT pg_sleep(19)") }
        #expect(error?.code == .timedOut)
        #expect(error?.sqlState == "57014")
        #expect(secondsSince(start) < 2)
    }
}
