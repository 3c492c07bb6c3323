import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksSystem
import Glibc
import Testing

@Suite struct LifeTests {
    private func hello(_ router: inout Router) {
        router.on(.get, "/", runs: .event) { _, _ throws(APIError) in .text("hello") }
        router.on(.put, "/") { request, _ throws(APIError) in .text("\(try request.body.bytes(max: 1 << 20).count)") }
    }

    @Test func `a port in use, a bad address and a missing certificate are told in one line`() throws {
        let server = try TestServer(routes: hello)
        func failure(_ configuration: HTTPServerConfiguration) -> HTTPServerError? {
            do throws(HTTPServerError) {
                _ = try HTTPServer(configuration, router: Router(), logger: .silent)
                return nil
            } catch {
                return error
            }
        }

        #expect(failure(.init(port: server.port)) == .addressInUse("127.0.0.1", port: server.port))
        #expect(failure(.init(address: "localhost")) == .badAddress("localhost"))
        var secure = HTTPServerConfiguration()
        secure.tls = TLSFiles(certificateChain: "/nonexistent", privateKey: "/nonexistent")
        #expect(failure(secure)?.description.contains("/nonexistent: No such file") == true)
    }

    @Test func `a client that dawdles over its header is shut out`() throws {
        let server = try TestServer({ $0.grants.headerTimeout = .milliseconds(300) }, routes: hello)
        let silent = try server.connect()
        let dribbling = try server.connect()
        let before = TimeSource.system.now

        dribbling.send("GET / HTTP/1.1\r\n")
        #expect(silent.seesEnd())
        dribbling.send("Host: a\r\n")
        #expect(dribbling.seesEnd())
        #expect(TimeSource.system.now - before < .seconds(3))
        #expect(eventually { server.server.connectionCount == 0 })
    }

    @Test func `an idle connection is closed after its time`() throws {
        let server = try TestServer({ $0.grants.keepAliveTimeout = .milliseconds(300) }, routes: hello)
        let client = try server.connect()

        #expect(client.get("/")?.status == 200)
        #expect(client.seesEnd())
    }

    @Test func `a body that trickles is given up, a steady one is not`() throws {
        let server = try TestServer {
            $0.grants.uploadGrace = .milliseconds(500)
            $0.grants.uploadRateMin = 1_000
        } routes: {
            hello(&$0)
        }
        let head = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n"
        let (trickling, steady) = (try server.connect(), try server.connect())
        trickling.send(head)
        steady.send(head)

        for _ in 0..<10 {
            trickling.send("a")
            steady.send(String(repeating: "a", count: 200))
            usleep(100_000)
        }

        #expect(trickling.seesEnd())
        #expect(steady.readReply()?.text == "2000")
    }

    @Test func `one client gets no more connections than it may`() throws {
        let server = try TestServer({ $0.grants.connectionsPerClientMax = 3 }, routes: hello)
        let clients = try (0..<3).map { _ in try server.connect() }
        for client in clients { #expect(client.get("/")?.status == 200) }

        let fourth = try server.connect()
        #expect(fourth.seesEnd())

        clients[0].endSending()
        #expect(eventually { server.server.connectionCount == 2 })
        #expect(try server.get("/").status == 200)
    }

    @Test func `draining finishes what runs, answers who waits and takes nobody new`() throws {
        let parked = Lock<[Parked]>([])
        let sinks = Lock<[EventSink]>([])
        let server = try TestServer { router in
            hello(&router)
            router.on(.get, "/slow") { _, _ throws(APIError) in
                usleep(300_000)
                return .text("slow")
            }
            router.on(.get, "/park") { _, _ throws(APIError) in .parked { one in parked.withLock { $0.append(one) } } }
            router.on(.get, "/feed") { _, _ throws(APIError) in .events { one in sinks.withLock { $0.append(one) } } }
        }
        let (slow, waiting, feed, idle) = (
            try server.connect(), try server.connect(), try server.connect(), try server.connect()
        )
        #expect(idle.get("/")?.status == 200)
        slow.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        waiting.send("GET /park HTTP/1.1\r\nHost: a\r\n\r\n")
        feed.send("GET /feed HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(feed.readHead()?.status == 200)
        #expect(eventually { parked.withLock { $0.count } == 1 })

        let port = server.port
        let before = TimeSource.system.now
        server.server.drain(timeout: .seconds(5))

        #expect(TimeSource.system.now - before < .seconds(3))
        let answer = slow.readReply()
        #expect(answer?.text == "slow")
        #expect(answer?.fields["Connection"] == "close")
        #expect(waiting.readReply()?.status == 503)
        #expect(feed.read(through: "0\r\n\r\n") != nil)
        #expect(idle.seesEnd())
        #expect(throws: Errno.self) { try RawClient(port: port) }
    }

    @Test func `draining is over in its time whatever handlers do`() throws {
        let server = try TestServer { router in
            router.on(.get, "/block") { _, _ throws(APIError) in
                usleep(1_500_000)
                return .text("late")
            }
        }
        let client = try server.connect()
        client.send("GET /block HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(eventually { server.server.activeCount == 1 })

        let before = TimeSource.system.now
        server.server.drain(timeout: .milliseconds(200))

        #expect(TimeSource.system.now - before < .seconds(4))
        #expect(client.seesEnd())
    }

    @Test func `a server stops in the middle of everything`() throws {
        let parked = Lock<[Parked]>([])
        for _ in 0..<5 {
            let server = try TestServer { router in
                hello(&router)
                router.on(.get, "/park", runs: .event) { _, _ throws(APIError) in
                    .parked { one in parked.withLock { $0.append(one) } }
                }
            }
            let clients = try (0..<20).map { _ in try server.connect() }
            for (index, client) in clients.enumerated() {
                switch index % 4 {
                case 0: client.send("GET /park HTTP/1.1\r\nHost: a\r\n\r\n")
                case 1: client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
                case 2: client.send("GET / HT")
                default: _ = client.get("/")
                }
            }
            server.server.stop()
            for client in clients { #expect(client.seesEnd()) }
        }
        for one in parked.withLock({ $0 }) { one.complete(.text("nobody hears this")) }
    }
}
