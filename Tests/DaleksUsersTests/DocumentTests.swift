import DaleksAPI
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksService
import Testing

@testable import DaleksUsers

/// The document says what the service does, all of it and nothing else.
struct DocumentTests {
    @Test func `every route is described, and everything described is there`() throws {
        let service = try TestService()
        let routes = Set(service.service.routes.map { "\($0.method) \($0.pattern)" })
        let described = UsersDocument.document.operations.map { "\($0.method) \($0.pattern)" }

        #expect(Set(described).count == described.count)
        #expect(routes.subtracting(described).sorted() == [])
        #expect(Set(described).subtracting(routes).sorted() == [])
        #expect(Set(UsersDocument.document.operations.map(\.name)).count == described.count)
    }

    @Test func `the document is served for programs and for people`() throws {
        let service = try TestService()
        let document = try service.send(.get, Routes.Users.openAPI)
        let page = try service.send(.get, Routes.Users.documentation)

        #expect(try document.json.string("openapi") == "3.1.0")
        #expect(document.fields["Content-Type"] == "application/json")
        #expect(page.fields["Content-Type"] == "text/html; charset=utf-8")
        let text = String(decoding: page.body, as: UTF8.self)
        for operation in UsersDocument.document.operations { #expect(text.contains("id=\"\(operation.name)\"")) }
        #expect(!text.contains("<script") && !text.contains("http-equiv"))
    }
}
