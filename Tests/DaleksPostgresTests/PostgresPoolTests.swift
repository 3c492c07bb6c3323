import DaleksCore
import DaleksPostgres
import DaleksSystem
import DaleksTestSupport
import Testing

@Suite(.needs(.postgres))
struct PostgresPoolTests {
    @Test func `a pool that is used up says so after its deadline, and serves again afterwards`() throws {
        let pool = try makePool {
            $0.connectionCountMax = 2
            $0.waitTimeout = .milliseconds(200)
        }
        let held = Collected<Int>()
        let release = Gate()
        let holder = Thread(name: "holder") {
            _ = onThreads(2) { index in
                try pool.withConnection { _ in
                    held.append(index)
                    release.wait()
                }
            }
        }
        #expect(held.wait { $0.count == 2 })

        let start = TimeSource.system.now
        let error = postgresError { _ = try pool.query("SELECT 1") }
        #expect(error?.code == .poolExhausted)
        #expect((0.19..<2).contains(secondsSince(start)))
        let sooner = TimeSource.system.now
        #expect(postgresError { _ = try pool.query("SELECT 1", deadline: .milliseconds(20)) }?.code == .poolExhausted)
        #expect(secondsSince(sooner) < 0.19)
        #expect(pool.statistics.waitingCount == 0)

        release.open()
        holder.join()
        #expect(try pool.query("SELECT 1")[0].int64(0) == 1)
        #expect(pool.statistics.openCount == 2)
    }

    @Test func `many more threads than connections all get their turn`() throws {
        let pool = try makePool { $0.connectionCountMax = 3 }
        let served = Collected<Int64>()
        let errors = onThreads(24) { index in
            for _ in 0..<20 { served.append(try pool.query("SELECT $1", [.integer(index)])[0].int64(0)) }
        }
        #expect(errors.isEmpty)
        #expect(served.all.count == 480)
        #expect(pool.statistics.openCount <= 3)
        #expect(pool.statistics.idleCount == pool.statistics.openCount)
    }

    @Test func `whoever came first is served first`() throws {
        let pool = try makePool { $0.connectionCountMax = 1 }
        let order = Collected<Int>()
        let threads = try pool.withConnection { _ in
            (0..<8).map { index in
                let thread = Thread(name: "waiter") {
                    _ = try? pool.withConnection { _ in order.append(index) }
                }
                _ = eventually { pool.statistics.waitingCount > index }
                return thread
            }
        }
        for thread in threads { thread.join() }
        #expect(order.all == Array(0..<8))
    }

    @Test func `a closed pool lends nothing, also to those who wait, and leaves no connection`() throws {
        let url = try PostgresServer.shared().makeSchema()
        let pool = try makePool(url: url) { $0.connectionCountMax = 1 }
        let failures = Collected<PostgresError.Code>()
        let waiter = try pool.withConnection { _ in
            let waiter = Thread(name: "waiter") {
                if let error = postgresError({ _ = try pool.query("SELECT 1") }) { failures.append(error.code) }
            }
            _ = eventually { pool.statistics.waitingCount > 0 }
            pool.close()
            waiter.join()
            return waiter
        }
        waiter.join()
        #expect(failures.all == [.closed])
        #expect(postgresError { _ = try pool.query("SELECT 1") }?.code == .closed)
        #expect(pool.statistics.openCount == 0)
    }

    @Test func `a transaction left open by hand does not reach the next user`() throws {
        let pool = try makePool { $0.connectionCountMax = 1 }
        try pool.withConnection { connection in
            _ = try connection.query("BEGIN")
            _ = try connection.query("CREATE TABLE ghost (x int8)")
        }
        #expect(try pool.query("SELECT to_regclass('ghost') IS NULL")[0].bool(0))
    }

    @Test func `connections that are old or long idle are closed`() throws {
        let pool = try makePool { $0.idleLifetime = .milliseconds(50) }
        let held = Collected<Int>()
        _ = onThreads(4) { _ in
            try pool.withConnection { _ in
                held.append(1)
                #expect(held.wait { $0.count == 4 })
            }
        }
        _ = try pool.query("SELECT pg_sleep(0.1)")
        #expect(pool.statistics.openCount == 1)

        let aging = try makePool { $0.lifetime = .zero }
        let first = try aging.withConnection { $0.serverProcessID }
        let second = try aging.withConnection { $0.serverProcessID }
        #expect(first != second)
    }

    @Test func `the server knows us by the application's name, or by the URL's`() throws {
        let sql = "SELECT current_setting('application_name'), current_setting('client_encoding')"
        let url = try PostgresServer.shared().makeSchema()
        let row = try makePool(url: url).query(sql)[0]
        #expect(try row.text(0) == "daleks-tests")
        #expect(try row.text(1) == "UTF8")
        let named = try makePool(url: "\(url)&application_name=other").query(sql)[0]
        #expect(try named.text(0) == "other")
    }

    @Test func `a refused connection says why and holds no password`() throws {
        let server = try PostgresServer.shared()
        let lines = Collected<String>()
        let logger = Logger(level: .debug, style: .text) { lines.append($0) }

        _ = try makePool(url: server.networkURL(), logger: logger).query("SELECT 1")
        let wrong = "postgres://daleks:wrongsecret@127.0.0.1:\(server.port)/postgres"
        let refused = postgresError { _ = try makePool(url: wrong, logger: logger) }
        #expect(refused?.code == .authenticationFailed)
        #expect(refused?.sqlState == "28P01")
        let missing = server.networkURL(database: "nowhere")
        let absent = postgresError { _ = try makePool(url: missing, logger: logger) }
        #expect(absent?.code == .cannotConnect)
        #expect(absent?.sqlState == "3D000")
        #expect(absent?.message.contains("database \"nowhere\" does not exist") == true)
        let nobody = postgresError { _ = try makePool(url: "postgres://x:wrongsecret@127.0.0.1:1/x", logger: logger) }
        #expect(nobody?.code == .cannotConnect)
        #expect(nobody?.message.contains("Connection refused") == true)

        let said = lines.all.joined() + "\(String(describing: [refused, absent, nobody]))"
        #expect(!said.contains("wrongsecret"))
        #expect(!said.contains(PostgresServer.password) && !said.contains("exterminate"))
        #expect(said.contains("postgres://daleks@127.0.0.1:\(server.port)/postgres"))
    }

    @Test func `with several hosts the first that answers is used`() throws {
        let server = try PostgresServer.shared()
        let url =
            "postgres://daleks:\(PostgresServer.password.replacing(" ", with: "%20"))"
            + "@127.0.0.1:1,127.0.0.1:\(server.port)/postgres"
        #expect(try makePool(url: url).query("SELECT 1")[0].int64(0) == 1)
    }

    @Test func `a server without TLS is refused where TLS is asked for`() throws {
        let url = try PostgresServer.shared().networkURL(query: "sslmode=require")
        let error = postgresError { _ = try makePool(url: url) }
        #expect(error?.code == .cannotConnect)
        #expect(error?.message.contains("server does not support SSL") == true)
    }

    @Test func `whoever begins to listen is not told of losses`() throws {
        for _ in 0..<25 {
            let pool = try makePool()
            let heard = Collected<PostgresNotification>()
            let subscription = try pool.listen("quiet") { heard.append($0) }
            try pool.transaction { try $0.notify("quiet", "x") }
            #expect(heard.wait { $0.last == .payload("x") })
            #expect(heard.all == [.payload("x")])
            subscription.cancel()
        }
    }
}
