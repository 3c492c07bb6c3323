import DaleksCore
import DaleksPostgres
import DaleksSystem
import DaleksTestSupport
import Testing

@Suite(.needsPostgres)
struct PostgresTLSTests {
    @Test func `verify-full takes the server it knows and refuses every other`() throws {
        let server = try PostgresServer(isEncrypted: true)
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

    @Test func `a server without TLS is refused where TLS is asked for`() throws {
        let url = try PostgresServer.shared().networkURL(query: "sslmode=require")
        let error = postgresError { _ = try makePool(url: url) }
        #expect(error?.code == .cannotConnect)
        #expect(error?.message.contains("server does not support SSL") == true)
    }
}
