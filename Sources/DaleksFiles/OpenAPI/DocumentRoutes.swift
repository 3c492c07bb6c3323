import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON
import DaleksService

/// `/openapi.json`, and the same for people at `/docs`.
extension FilesRouter {
    func addDocument(to router: inout Router) {
        router.on(.get, Routes.Files.openAPI) { [visitors] _, _ in
            let document = FilesDocument.document.json(server: visitors.baseURL)
            return HTTPResponse.json(bytes: document.jsonBytes).with("Cache-Control", "public, max-age=300")
        }
        router.on(.get, Routes.Files.documentation) { _, _ in Self.page }
    }

    /// A page without scripts, and with no style but the one it brings.
    private static let page: HTTPResponse = {
        let document = FilesDocument.document
        let style = PageStyle.text
        let html: HTML = """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>\(document.title)</title>
            <style>\(HTML(trusted: style))</style>
            </head>
            <body>
            <header><span class="mark" aria-hidden="true"></span><span class="house">Daleks</span></header>
            <main id="main" class="wide">
            <h1>\(document.title)</h1>
            \(DocumentPage(document).body)
            </main>
            </body>
            </html>

            """
        let digest = Base64.encode(SHA256.digest(of: Array(style.utf8)).bytes, .standard)
        return HTTPResponse.text(html.text, contentType: "text/html; charset=utf-8")
            .with(
                "Content-Security-Policy",
                "default-src 'none'; style-src 'sha256-\(digest)'; base-uri 'none'; frame-ancestors 'none'"
            )
            .with("Cache-Control", "public, max-age=300")
            .with("X-Frame-Options", "DENY")
            .with("Referrer-Policy", "no-referrer")
    }()
}
