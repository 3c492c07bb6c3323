import DaleksCore
import DaleksPostgres
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// These share a server to mistreat, one after the other; each leaves it running.
@Suite(.needs(.postgres), .serialized)
struct PostgresOutageTests {
    private static let victim = Result { try PostgresServer(isEncrypted: true) }

    @Test func `a crash in the middle of work loses nothing that was confirmed and keeps nothing that was refused`()
        throws
    {
        let server = try Self.victim.get()
        let pool = try makePool(url: server.makeSchema())
        _ = try pool.query("CREATE TABLE work (id bytea PRIMARY KEY)")
        let outcomes = Collected<(id: NodeID, error: PostgresError?)>()
        let isOver = Gate()
        let workers = Thread(name: "workers") {
            _ = onThreads(4) { _ in
                while !isOver.isOpen {
                    let id = NodeID.random(at: TimeSource.system.wall)
                    let error = postgresError {
                        _ = try pool.transaction { try $0.execute("INSERT INTO work VALUES ($1)", [.id(id)]) }
                    }
                    outcomes.append((id, error))
                    if error != nil { usleep(5_000) }
                }
            }
        }
        #expect(outcomes.wait { $0.count >= 200 })
        try server.restart(.immediate)
        let countBefore = outcomes.all.count
        #expect(outcomes.wait { $0.dropFirst(countBefore).filter { $0.error == nil }.count >= 50 })
        isOver.open()
        workers.join()

        let kept = Set(
            try pool.query("SELECT id FROM work").map { row throws(PostgresError) -> NodeID in
                try row.identifier(0)
            }
        )
        let all = outcomes.all
        #expect(all.filter { $0.error == nil }.allSatisfy { kept.contains($0.id) })
        #expect(all.filter { $0.error?.outcome == .notApplied }.allSatisfy { !kept.contains($0.id) })
        #expect(kept.isSubset(of: Set(all.map(\.id))))
        #expect(all.contains { $0.error != nil })
        let codes = Set(all.compactMap { $0.error?.code })
        #expect(codes.isSubset(of: [.connectionLost, .cannotConnect]))
    }

    @Test func `while the server is down callers hear so at once, and no longer once it is up`() throws {
        let server = try Self.victim.get()
        let pool = try makePool(url: server.makeSchema())
        try server.stop(.fast)

        let start = TimeSource.system.now
        let error = postgresError { _ = try pool.transaction { try $0.query("SELECT 1") } }
        #expect(error?.code == .cannotConnect)
        #expect(secondsSince(start) < 1)
        #expect(pool.statistics.openCount == 0)

        try server.start()
        #expect(try pool.query("SELECT 1")[0].int64(0) == 1)
    }

    @Test func `a connection lost in a transaction is not applied, and one lost by itself is unknown`() throws {
        let server = try Self.victim.get()
        let pool = try makePool(url: server.makeSchema())
        _ = try pool.query("CREATE TABLE thing (x int8)")
        let kill = "SELECT pg_terminate_backend($1)"

        let inside = postgresError {
            try pool.transaction { connection in
                try connection.execute("INSERT INTO thing VALUES (1)")
                _ = try pool.query(kill, [.int4(connection.serverProcessID)])
                try connection.execute("INSERT INTO thing VALUES (2)")
            }
        }
        #expect(inside?.code == .connectionLost)
        #expect(inside?.outcome == .notApplied)
        #expect(try pool.query("SELECT * FROM thing").isEmpty)

        // The connection breaks between the last statement and the COMMIT: nobody can know.
        let atCommit = postgresError {
            try pool.transaction { connection in
                try connection.execute("INSERT INTO thing VALUES (3)")
                _ = try pool.query(kill, [.int4(connection.serverProcessID)])
            }
        }
        #expect(atCommit?.code == .connectionLost)
        #expect(atCommit?.outcome == .unknown)
        #expect(atCommit?.description.contains("whether it took effect is not known") == true)

        let alone = postgresError {
            try pool.withConnection { connection in
                _ = try connection.query("SELECT pg_terminate_backend(pg_backend_pid())")
            }
        }
        #expect(alone?.code == .connectionLost)
        #expect(alone?.outcome == .unknown)
        #expect(try pool.query("SELECT 1")[0].int64(0) == 1)
    }

    @Test func `a server that is there and silent costs no more than the deadline and the grace`() throws {
        let server = try Self.victim.get()
        let pool = try makePool(url: server.makeSchema()) {
            $0.connectTimeout = .milliseconds(300)
            $0.healthCheckAfter = .seconds(60)
        }
        try server.freeze(true)
        let start = TimeSource.system.now
        let silent = postgresError { _ = try pool.query("SELECT 1", deadline: .milliseconds(100)) }
        #expect(silent?.code == .timedOut)
        #expect(silent?.outcome == .unknown)
        #expect(secondsSince(start) < 3)

        let again = TimeSource.system.now
        #expect(postgresError { _ = try pool.query("SELECT 1") }?.code == .cannotConnect)
        #expect(secondsSince(again) < 1)
        try server.freeze(false)
        #expect(try pool.query("SELECT 1")[0].int64(0) == 1)
    }

    @Test func `a listener hears, tells of what it may have missed after a restart, and hears again`() throws {
        let server = try Self.victim.get()
        let pool = try makePool(url: server.makeSchema())
        let heard = Collected<PostgresNotification>()
        let subscription = try pool.listen("changes") { heard.append($0) }

        try pool.transaction { connection in
            try connection.notify("changes", "one")
            try connection.notify("changes", "two")
        }
        #expect(heard.wait { $0 == [.payload("one"), .payload("two")] })

        try server.restart()
        #expect(heard.wait { $0.last == .mayHaveMissed })
        try pool.transaction { try $0.notify("changes", "three") }
        #expect(heard.wait { $0.last == .payload("three") })
        #expect(heard.all.count == 4)

        subscription.cancel()
        let other = Collected<PostgresNotification>()
        let second = try pool.listen("other") { other.append($0) }
        try pool.transaction { connection in
            try connection.notify("changes", "four")
            try connection.notify("other")
        }
        #expect(other.wait { $0 == [.payload("")] })
        #expect(heard.all.count == 4)
        second.cancel()
        pool.close()
        #expect(postgresError { _ = try pool.listen("late") { _ in } }?.code == .closed)
    }

    @Test func `verify-full takes the server it knows and refuses every other`() throws {
        let server = try Self.victim.get()
        func url(_ host: String, _ file: String) -> String {
            server.networkURL(host: host, query: "sslmode=verify-full&sslrootcert=\(file)")
        }

        let pool = try makePool(url: url("localhost", server.authorityFile))
        let sql = "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        let row = try pool.query(sql)[0]
        #expect(try row.bool(0))
        #expect(try row.text(1).hasPrefix("TLSv1."))
        // The listener goes the same way.
        let heard = Collected<PostgresNotification>()
        let subscription = try pool.listen("tls") { heard.append($0) }
        try pool.transaction { try $0.notify("tls", "hello") }
        #expect(heard.wait { $0 == [.payload("hello")] })
        subscription.cancel()
        // And so does what a deadline cancels.
        let late = postgresError { _ = try pool.query("SELECT pg_sleep(9)", deadline: .milliseconds(50)) }
        #expect(late?.code == .timedOut)

        let stranger = postgresError { _ = try makePool(url: url("localhost", server.strangerFile)) }
        #expect(stranger?.code == .cannotConnect)
        #expect(stranger?.message.contains("certificate verify failed") == true)
        let otherName = postgresError { _ = try makePool(url: url("127.0.0.1", server.authorityFile)) }
        #expect(otherName?.code == .cannotConnect)
        #expect(otherName?.message.contains("does not match host name \"127.0.0.1\"") == true)
        let noFile = postgresError { _ = try makePool(url: url("localhost", "/nowhere.pem")) }
        #expect(noFile?.code == .cannotConnect)
    }
}
