import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPClient
import DaleksHTTPServer
import DaleksJSON
import DaleksService
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksUsers

@Suite(.serialized)
struct DirectoryTests {
    private func region(_ service: TestService, _ code: String) throws -> RegionRecord? {
        try service.users.regions().first { $0.code == code }
    }

    @Test(arguments: Backend.allCases)
    func `a files service enrols itself with a token that is good once`(backend: Backend) throws {
        let service = try TestService(on: backend)
        defer { service.stop() }
        let admin = try Person.admin(service)
        let ticket = try admin.ask(.post, "/v1/admin/regions/fr/enrolment", ["name": "France"]).reader.string("token")
        func enrol(_ token: String, _ url: String) throws -> (Int, String?) {
            let answer = try service.json(
                .post,
                Routes.Users.enrolments,
                ["token": .string(token), "files_url": .string(url)]
            )
            return (answer.status.code, answer.code)
        }

        #expect(try enrol("dle_" + String(repeating: "A", count: 43), "https://x.example") == (403, "forbidden"))
        // What is refused does not use the token up.
        #expect(try enrol(ticket, TestService.here.filesURL) == (409, "already_exists"))
        #expect(try enrol(ticket, "ftp://x.example") == (422, "invalid"))
        #expect(try enrol(ticket, "https://files.fr.example/").0 == 201)
        #expect(try enrol(ticket, "https://files.fr.example/") == (403, "forbidden"))

        let known = try required(try region(service, "fr"))
        #expect(known.name == "France" && known.filesURL == "https://files.fr.example" && known.status == "open")
        try service.register()
        let session = try service.logIn(region: "fr")
        #expect(throws: Never.self) { try service.verify(session.accessToken, audience: known.filesURL) }

        // Enrolling again makes the former secret void; so does closing.
        let first = try EnrolledRegion(service, admin, code: "fr", url: known.filesURL)
        let second = try EnrolledRegion(service, admin, code: "fr", url: known.filesURL)
        #expect(throws: (any Error).self) { try first.feed() }
        #expect(throws: Never.self) { try second.feed() }
        #expect(try admin.ask(.patch, "/v1/admin/regions/fr", ["status": "closed"]).status == .ok)
        #expect(throws: (any Error).self) { try second.feed() }
    }

    @Test(arguments: Backend.allCases)
    func `a region that is drained serves who lives there and takes nobody new`(backend: Backend) throws {
        let service = try TestService(on: backend)
        defer { service.stop() }
        let admin = try Person.admin(service)
        try service.register()
        let ann = try service.logIn(region: "there")
        try service.register("bob@example.com")

        #expect(try admin.ask(.patch, "/v1/admin/regions/there", ["status": "draining"]).status == .ok)

        #expect(try region(service, "there")?.status == "draining")
        #expect(try service.logIn().region?.code == "there")
        #expect(throws: Never.self) {
            try service.users.refresh(ann.refreshToken ?? "", requestID: "0123456789abcdef", resource: nil)
        }
        #expect(throws: (any Error).self) { try service.logIn("bob@example.com", region: "there") }
        #expect(try service.logIn("bob@example.com").region?.code == "here")
        #expect(try admin.ask(.delete, "/v1/admin/regions/there").code == "not_empty")
        #expect(
            try admin.ask(.post, "/v1/admin/regions", ["code": "there", "files_url": "https://x.example"]).code
                == "already_exists"
        )
        #expect(
            try admin.ask(.post, "/v1/admin/regions", ["code": "auto", "files_url": "https://x.example"]).code
                == "invalid"
        )
        #expect(
            try admin.ask(.post, "/v1/admin/regions", ["code": "nz", "files_url": "https://nz.example"]).status
                == .created
        )
        #expect(try admin.ask(.delete, "/v1/admin/regions/nz").status == .noContent)
        #expect(try region(service, "nz") == nil)
    }

    @Test func `what an administrator changed is not undone by a start`() throws {
        let service = try TestService()
        let admin = try Person.admin(service)
        #expect(
            try admin.ask(.patch, "/v1/admin/regions/there", ["name": "Elsewhere", "status": "draining"]).status == .ok
        )
        service.stop()

        let again = try TestService(folder: service.folder)
        defer { again.stop() }

        #expect(try region(again, "there")?.name == "Elsewhere")
        #expect(try region(again, "there")?.status == "draining")
        #expect(again.service.firstAdminToken == nil)
    }

    @Test func `files services are asked how they are`() throws {
        var router = Router()
        router.on(.get, "/livez", runs: .event) { _, _ in .text("ok\n") }
        let files = try HTTPServer(
            HTTPServerConfiguration(address: "127.0.0.1", port: 0),
            router: router,
            logger: .silent
        )
        try files.start()
        let up = RegionRecord(code: "up", name: "Up", filesURL: "http://127.0.0.1:\(files.port)", status: "open")
        let down = RegionRecord(code: "down", name: "Down", filesURL: "http://127.0.0.1:9", status: "open")
        let service = try TestService { $0.regions = [up, down] }
        defer {
            service.stop()
            files.stop()
        }

        let isKnown = eventually(within: .seconds(10)) {
            let regions = (try? service.users.regions()) ?? []
            return regions.map(\.isUp) == [true, false] && regions.allSatisfy { $0.checked != nil }
        }

        #expect(isKnown)
    }
}
