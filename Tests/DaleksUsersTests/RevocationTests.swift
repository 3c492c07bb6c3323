import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPClient
import DaleksHTTPServer
import DaleksJSON
import DaleksPostgres
import DaleksSQLite
import DaleksService
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksUsers

/// A files service that enrolled itself.
struct EnrolledRegion: Sendable {
    let service: TestService
    let answer: EnrolmentAnswer

    init(_ service: TestService, _ admin: Person, code: String, url: String) throws {
        let ticket = try admin.ask(.post, "/v1/admin/regions/\(code)/enrolment", [:])
        let request = EnrolmentRequest(token: try ticket.reader.string("token"), filesURL: url, name: "Region \(code)")
        let enrolled = try service.send(
            .post,
            Routes.Users.enrolments,
            String(decoding: request.jsonBytes, as: UTF8.self)
        )
        guard enrolled.status == .created else { throw TestFailure("not enrolled: \(enrolled.text)") }
        self.service = service
        answer = try EnrolmentAnswer(json: try JSONValue.parse(enrolled.body))
    }

    var authorization: String {
        "Basic " + Base64.encode(Array("\(answer.serviceID):\(answer.secret)".utf8), .standard)
    }

    func send(_ method: HTTPMethod, _ path: String, _ body: JSONObject? = nil) throws -> ClientResponse {
        try service.send(
            method,
            path,
            body.map { String(decoding: $0.jsonBytes, as: UTF8.self) },
            fields: [("Authorization", authorization)]
        )
    }

    func feed(after cursor: String? = nil, wait: Int = 0) throws -> RevocationPage {
        let after = cursor.map { "&after=\($0)" } ?? ""
        let answer = try send(.get, "\(Routes.Users.revocations)?wait=\(wait)\(after)")
        guard answer.status == .ok else { throw TestFailure("no feed: \(answer.text)") }
        return try RevocationPage(json: try JSONValue.parse(answer.body))
    }
}

@Suite(.serialized)
struct RevocationTests {
    @Test(arguments: Backend.allCases)
    func `whatever ends a session or an account is in the feed, in order, for services only`(backend: Backend) throws {
        let service = try TestService(on: backend)
        defer { service.stop() }
        let admin = try Person.admin(service)
        let region = try EnrolledRegion(service, admin, code: "de", url: "https://files.de.example/")
        let (ann, bob) = (try Person(service), try Person(service, "bob@example.com"))
        let (annID, bobID) = (try required(ann.session.user).id, try required(bob.session.user).id)
        func session(of person: Person) throws -> SessionID {
            let claims = try service.verify(person.session.accessToken)
            return try claims.reader.identifier("sid")
        }
        let begin = try region.feed()

        try service.users.revoke(try required(ann.session.refreshToken))
        let lockedAt = service.time.wall
        #expect(try admin.ask(.patch, "/v1/admin/users/\(bobID)", ["is_locked": true]).status == .ok)
        #expect(try admin.ask(.delete, "/v1/admin/users/\(annID)").status == .accepted)
        let page = try region.feed(after: begin.cursor)

        #expect(begin.events.isEmpty && !begin.isRestart)
        #expect(page.events.count == 5)
        #expect(page.events.map(\.number) == page.events.map(\.number).sorted())
        #expect(page.events[0].kind == .session(try session(of: ann), of: annID))
        #expect(page.events[1].kind == .session(try session(of: bob), of: bobID))
        if case .user(bobID, let before) = page.events[2].kind {
            #expect(before >= lockedAt)
        } else {
            Issue.record("the third is \(page.events[2].kind)")
        }
        #expect(page.events[3].kind == .lock(bobID))
        if case .deletion(annID, let after) = page.events[4].kind {
            #expect(after > service.time.wall)
        } else {
            Issue.record("the fifth is \(page.events[4].kind)")
        }
        #expect(try region.feed(after: page.cursor).events.isEmpty)
        #expect(try region.feed().events == page.events)

        for path in [Routes.Users.revocations] {
            #expect(try service.send(.get, path).status == .unauthorized)
            #expect(try admin.ask(.get, path).status == .unauthorized)
            #expect(
                try service.send(.get, path, fields: [("Authorization", region.authorization + "A")]).status
                    == .unauthorized
            )
        }
        #expect(try region.send(.get, Routes.Users.revocations + "?after=nonsense").status == .badRequest)
    }

    @Test(arguments: Backend.allCases)
    func `who waits for the feed hears at once`(backend: Backend) throws {
        let service = try TestService(on: backend)
        defer { service.stop() }
        let region = try EnrolledRegion(service, try Person.admin(service), code: "de", url: "https://de.example")
        let ann = try Person(service)
        let cursor = try region.feed().cursor
        let revoked = Lock<Instant?>(nil)

        // One waits long and hears; the other waits a second, hears nothing, and then ends a session.
        let waiting = try atOnce(2) { index -> (page: RevocationPage, began: Instant, ended: Instant) in
            let began = TimeSource.system.now
            let page = try region.feed(after: cursor, wait: index == 0 ? 20 : 1)
            let ended = TimeSource.system.now
            guard index == 1 else { return (page, began, ended) }
            revoked.withLock { $0 = ended }
            try service.users.revoke(ann.session.refreshToken ?? "")
            return (page, began, ended)
        }.map { try $0.get() }
        let heard = try required(waiting.first { !$0.page.events.isEmpty })
        let nothing = try required(waiting.first { $0.page.events.isEmpty })

        #expect(heard.page.events.count == 1)
        let late = heard.ended - (try required(revoked.withLock { $0 }))
        #expect(late < .seconds(5), "\(late)")
        #expect(nothing.ended - nothing.began >= .milliseconds(900))
    }

    @Test(arguments: Backend.allCases)
    func `numbers are committed in their order, so that a reader in between misses none`(backend: Backend) throws {
        let service = try TestService(on: backend) { $0.attemptRule = AttemptRule(freeCount: 1_000) }
        defer { service.stop() }
        let region = try EnrolledRegion(service, try Person.admin(service), code: "de", url: "https://de.example")
        try service.register()
        let tokens = try (0..<40).map { _ in try required(try service.logIn().refreshToken) }
        let isOver = Lock(false)
        let seen = Lock<[Int64]>([])
        let reader = Thread(name: "reader") {
            var cursor: String?
            while true {
                let wasOver = isOver.withLock { $0 }
                guard let page = try? region.feed(after: cursor) else { return }
                cursor = page.cursor
                seen.withLock { $0 += page.events.map(\.number) }
                if wasOver, page.events.isEmpty { return }
            }
        }

        let revoked = atOnce(tokens.count) { try service.users.revoke(tokens[$0]) }
        isOver.withLock { $0 = true }
        reader.join()

        #expect(revoked.allSatisfy { (try? $0.get()) != nil })
        #expect(seen.withLock { $0 } == Array(1...Int64(tokens.count)))
    }

    @Test(arguments: Backend.allCases)
    func `after a restoration everybody is out, and regions begin anew`(backend: Backend) throws {
        let service = try TestService(on: backend)
        defer { service.stop() }
        let admin = try Person.admin(service)
        let region = try EnrolledRegion(service, admin, code: "de", url: "https://de.example")
        let ann = try Person(service)
        let cursor = try region.feed().cursor

        let restored = try admin.ask(.post, "/v1/admin/restored")
        let page = try region.feed(after: cursor)

        #expect(restored.status == .ok)
        #expect(!ann.isIn && !admin.isIn)
        #expect(page.isRestart)
        if case .everything = page.events.last?.kind {} else { Issue.record("\(page.events)") }
        #expect(try region.feed(after: page.cursor).isRestart == false)
        #expect(throws: Never.self) { try service.logIn() }
    }

    /// As a service of before `user_locked` left it: one is locked whom no region heard of, one is not locked, and of
    /// one it is known, by the number that was taken last.
    private static func leaveLocks(of ids: [String], _ folder: ScratchFolder, _ url: String?) throws {
        let migrations = Array(UsersSchema.migrations.prefix(5))
        let statements =
            ids.enumerated().map { index, id in
                let (blob, locked) = (url == nil ? "x'\(id)'" : "'\\x\(id)'", index == 1 ? "NULL" : "5")
                return "INSERT INTO accounts (id, email, name, password, created, locked)"
                    + " VALUES (\(blob), 'p\(index)@example.com', 'P', 'x', 1, \(locked))"
            } + [
                "INSERT INTO revocations (number, time, kind, account) SELECT 7, 5, 'user_locked', id FROM accounts"
                    + " WHERE email = 'p2@example.com'",
                "UPDATE service_numbers SET value = 7 WHERE name = 'revocation'",
            ]
        guard let url else {
            guard mkdir(folder.path("state"), 0o700) == 0 else { throw TestFailure("no folder") }
            let database = try Database.open(
                path: folder.path("state/users.db"),
                configuration: DatabaseConfiguration(applicationID: UsersSchema.applicationID),
                migrations: migrations
            )
            defer { database.close() }
            try database.write { db in for text in statements { try db.execute(SQL(text)) } }
            return
        }
        let pool = try PostgresPool.open(
            url: url,
            configuration: PostgresConfiguration(applicationName: "daleks-users"),
            migrations: migrations.map(Dialect.postgres),
            logger: .silent
        )
        defer { pool.close() }
        try pool.withConnection { db in for text in statements { try db.execute(text) } }
    }

    @Test(arguments: Backend.allCases)
    func `regions hear of who was locked before locks were told`(backend: Backend) throws {
        let (folder, url) = (ScratchFolder(), try backend.makeURL())
        let ids = (0..<3).map { index in String(repeating: "0", count: 31) + "\(index + 1)" }
        try Self.leaveLocks(of: ids, folder, url)

        let service = try TestService(folder: folder) { $0.database = url }
        defer { service.stop() }
        let region = try EnrolledRegion(service, try Person.admin(service), code: "de", url: "https://de.example")
        let events = try region.feed().events

        #expect(events.map(\.number) == [7, 8])
        #expect(events.map(\.kind) == [.lock(try required(UserID(ids[2]))), .lock(try required(UserID(ids[0])))])
        // The next one does not take a number that is taken.
        try service.users.revoke(try required(try service.newcomer().refreshToken))
        #expect(try region.feed().events.map(\.number) == [7, 8, 9])
    }
}
