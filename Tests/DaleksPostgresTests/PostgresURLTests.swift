import DaleksCore
import DaleksSystem
import Testing

@testable import DaleksPostgres

struct PostgresURLTests {
    @Test(arguments: [
        "postgres://eve:hunter2@db.example:5433/files?sslmode=verify-full&sslrootcert=/etc/ca.pem",
        "postgres://eve@db.example/files?password=hunter2",
        "postgresql://eve:hunter2@a:1,b:2/files",
        "postgres://eve:hunter2@[::1]/files?sslpassword=hunter2",
        "host=db.example user=eve password=hunter2",
        "host=db.example user=eve password='hunter2 with spaces'",
        // libpq's own complaints about these quote them.
        "postgres://eve:hunter2@[::1/files", "postgres://eve:hunter2@db/files?nonsense=1", "hunter2",
        "postgres://eve:hunter2@db/files?sslmode", "postgres://eve:hunter2%zz@db/files",
    ])
    func `a password is never shown`(text: String) {
        #expect(!PostgresURL.redacted(text).contains("hunter2"))
        do throws(PostgresError) {
            #expect(!"\(try PostgresURL(text))".contains("hunter2"))
        } catch {
            #expect(error.code == .malformedURL)
            #expect(!"\(error)".contains("hunter2"))
        }
    }

    @Test func `what is not secret is shown, and reads as the same URL`() throws {
        let text = "postgres://eve:x@a:1,b:2/files?sslmode=verify-full&sslrootcert=/etc/ca.pem"
        let shown = PostgresURL.redacted(text)
        #expect(shown == "postgres://eve@a:1,b:2/files?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem")
        #expect(PostgresURL.redacted(shown) == shown)
        #expect(PostgresURL.redacted("host=/run/postgresql dbname=x") == "postgres://%2Frun%2Fpostgresql/x")
        #expect(PostgresURL.redacted("postgres://[::1]:9/x") == "postgres://[::1]:9/x")
        #expect(PostgresURL.redacted("postgres:///x") == "postgres:///x")
    }

    @Test func `each host gets a connection attempt of its own`() throws {
        let endpoints = try PostgresURL("postgres://eve:x@a:1,b:2/files").endpoints(defaults: [("user", "nobody")])
        #expect(endpoints.map { $0.filter { $0.keyword == "host" }.map(\.value) } == [["a"], ["b"]])
        #expect(endpoints.map { $0.filter { $0.keyword == "port" }.map(\.value) } == [["1"], ["2"]])
        #expect(endpoints[0].filter { $0.keyword == "user" }.map(\.value) == ["eve"])
        #expect(endpoints[0].contains { $0.keyword == "target_session_attrs" && $0.value == "read-write" })
        let one = try PostgresURL("postgres://a,b:7/x").endpoints(defaults: [])
        #expect(one.map { $0.filter { $0.keyword == "port" }.map(\.value) } == [[""], ["7"]])
        #expect(try PostgresURL("postgres:///x").endpoints(defaults: []).count == 1)
    }

    @Test func `only a way through a network counts as remote`() throws {
        let near = ["postgres:///x", "postgres://localhost/x", "postgres://127.0.0.1/x", "postgres://%2Frun/x"]
        for text in near { #expect(try !PostgresURL(text).isRemote) }
        #expect(try PostgresURL("postgres://db.example/x").isRemote)
        #expect(try PostgresURL("postgres://localhost,db/x").isRemote)
        #expect(try PostgresURL("postgres://db/x?sslmode=verify-full").isVerified)
        #expect(try !PostgresURL("postgres://db/x?sslmode=require").isVerified)
    }
}
