import DaleksAPI
import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON
import DaleksService
import Testing

@testable import DaleksFiles

/// The document says what the service does, all of it and nothing else.
struct DocumentTests {
    @Test func `every route is described, and everything described is there`() throws {
        let surfaces = try TestSurfaces(try TestRegion())
        let routes = Set(surfaces.routes)
        let described = FilesDocument.document.operations.map { "\($0.method) \($0.pattern)" }

        #expect(Set(described).count == described.count)
        #expect(routes.subtracting(described).sorted() == [])
        #expect(Set(described).subtracting(routes).sorted() == [])
        #expect(Set(FilesDocument.document.operations.map(\.name)).count == described.count)
    }

    @Test func `the document is served for programs and for people`() throws {
        let surfaces = try TestSurfaces(try TestRegion())
        let document = try surfaces.send(.get, Routes.Files.openAPI, as: nil)
        let page = try surfaces.send(.get, Routes.Files.documentation, as: nil)

        #expect(document.member("openapi") == "3.1.0")
        #expect(document.fields["Content-Type"] == "application/json")
        #expect(page.fields["Content-Type"] == "text/html; charset=utf-8")
        for operation in FilesDocument.document.operations {
            #expect(page.text.contains("id=\"\(operation.name)\""))
        }
        #expect(!page.text.contains("<script") && !page.text.contains("http-equiv"))
        #expect(page.fields["Content-Security-Policy"]?.hasPrefix("default-src 'none'; style-src 'sha256-") == true)
    }
}
