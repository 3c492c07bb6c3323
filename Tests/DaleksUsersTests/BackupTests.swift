import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksSQLite
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksUsers

@Suite(.serialized)
struct BackupTests {
    @Test func `a service restored from a backup lets nobody in by what was good then`() throws {
        let service = try TestService()
        let admin = try Person.admin(service)
        let region = try EnrolledRegion(service, admin, code: "de", url: "https://de.example")
        let (ann, bob) = (try Person(service), try Person(service, "bob@example.com"))
        let made = try ann.ask(
            .post,
            "/v1/me/app-passwords",
            ["name": "a robot", "password": .string(TestService.password)]
        ).reader
        let (secret, id) = (try made.string("secret"), try made.string("id"))
        let backup = service.folder.path("backup.db")
        #expect(try service.service.backup(to: backup))

        // After the backup: one is revoked, and an app password is taken back.
        try service.users.revoke(try required(bob.session.refreshToken))
        #expect(try ann.ask(.delete, "/v1/me/app-passwords/\(id)").status == .noContent)
        let cursor = try region.feed().cursor
        service.stop()
        let state = service.folder.path("state")
        for name in ["users.db", "users.db-wal", "users.db-shm"] { unlink("\(state)/\(name)") }
        #expect(rename(backup, "\(state)/users.db") == 0)
        let restored = try TestService(folder: service.folder)
        defer { restored.stop() }

        // Nobody had to say that it was restored: what lies beside the database knows better.
        for person in [ann, bob, admin] {
            #expect(throws: (any Error).self) {
                try restored.users.refresh(
                    person.session.refreshToken ?? "",
                    requestID: Hex.encode(Random.bytes(count: 16)),
                    resource: nil
                )
            }
            let me = try restored.send(
                .get,
                Routes.Users.me,
                fields: [("Authorization", "Bearer \(person.own)")]
            )
            #expect(me.status == .unauthorized)
        }
        #expect(throws: (any Error).self) { try Person(loggingIn: "ann@example.com", password: secret, at: restored) }
        // By password everybody comes back, and the regions are told to forget what they believed.
        #expect(throws: Never.self) { try restored.logIn() }
        let answer = try restored.send(
            .get,
            Routes.Users.revocations + "?after=\(cursor)",
            fields: [("Authorization", region.authorization)]
        )
        let page = try RevocationPage(json: try JSONValue.parse(answer.body))
        #expect(page.isRestart)
        #expect(page.events.contains { if case .everything = $0.kind { true } else { false } })
    }

    @Test func `a start on what was there goes on, and one on a database from elsewhere does not`() throws {
        let service = try TestService()
        let ann = try Person(service)
        service.stop()

        let again = try TestService(folder: service.folder)
        #expect(throws: Never.self) {
            try again.users.refresh(ann.session.refreshToken ?? "", requestID: "0123456789abcdef", resource: nil)
        }
        again.stop()
        let elsewhere = ScratchFolder()
        #expect(mkdir(elsewhere.path("state"), 0o700) == 0)
        for name in ["users.db", "users.db-wal"] {
            guard let bytes = try? Files.readAll(service.folder.path("state/\(name)"), max: 64 << 20) else { continue }
            try Files.writeAtomically(elsewhere.path("state/\(name)"), bytes, mode: 0o600, durable: false)
        }
        let copy = try TestService(folder: elsewhere)
        defer { copy.stop() }

        #expect(throws: (any Error).self) {
            try copy.users.refresh(ann.session.refreshToken ?? "", requestID: "0123456789abcdef", resource: nil)
        }
        #expect(throws: Never.self) { try copy.logIn() }
    }

    @Test func `a dump of PostgreSQL, restored, is noticed as well`() throws {
        let url = try required(try Backend.postgres.makeURL())
        let service = try TestService { $0.database = url }
        let (ann, bob) = (try Person(service), try Person(service, "bob@example.com"))
        let backup = try Self.copyTables(of: service)
        try service.users.revoke(try required(bob.session.refreshToken))
        service.stop()
        try backup(url)

        let restored = try TestService(folder: service.folder) { $0.database = url }
        defer { restored.stop() }

        for person in [ann, bob] {
            #expect(throws: (any Error).self) {
                try restored.users.refresh(
                    person.session.refreshToken ?? "",
                    requestID: Hex.encode(Random.bytes(count: 16)),
                    resource: nil
                )
            }
        }
        #expect(throws: Never.self) { try restored.logIn() }
    }

    /// What `pg_dump` would keep of the tables that this is about; the closure puts it back.
    private static func copyTables(of service: TestService) throws -> (String) throws -> Void {
        { url in
            let store = try UsersStore(url: url, logger: .silent)
            defer { store.close() }
            _ = try store.write { db in
                try db.execute("UPDATE sessions SET ended = NULL, reason = NULL")
                try db.execute("DELETE FROM revocations")
                try db.execute("UPDATE service_numbers SET value = 0 WHERE name = 'revocation'")
            }
        }
    }
}
