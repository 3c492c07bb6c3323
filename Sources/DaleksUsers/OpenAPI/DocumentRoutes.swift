import DaleksAPI
import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON
import DaleksService

/// `/openapi.json`, and the same for people at `/docs`.
struct DocumentRoutes: Sendable {
    let issuer: TokenIssuer

    func add(to router: inout Router) {
        router.on(.get, Routes.Users.openAPI) { [issuer] _, _ in
            let document = UsersDocument.document.json(server: issuer.issuer)
            return HTTPResponse.json(bytes: document.jsonBytes).with("Cache-Control", "public, max-age=300")
        }
        router.on(.get, Routes.Users.documentation) { [issuer] _, _ in
            var page = Page(site: Site(issuer: issuer.issuer), title: UsersDocument.document.title)
            page.isWide = true
            return page.response(DocumentPage(UsersDocument.document).body)
        }
    }
}
