import DaleksHTTP
import DaleksHTTPServer
import DaleksService

/// The frame that all pages share. They work without scripts, and none would run.
struct Page: Sendable {
    let site: Site
    let title: String
    /// The e-mail address of who is logged in.
    var person: String?
    /// A page that its form may end at besides our own, as the policy spells it.
    var formTarget: String?
    var isWide = false

    func response(_ body: HTML, status: HTTPStatus = .ok) -> HTTPResponse {
        let html: HTML = """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>\(title) – Daleks</title>
            <link rel="stylesheet" href="\(site.path(Stylesheet.path))">
            </head>
            <body>
            <a class="skip" href="#main">Skip to the content</a>
            <header><span class="mark" aria-hidden="true"></span><span class="house">Daleks</span>\(header)</header>
            <main id="main"\(isWide ? " class=\"wide\"" : HTML.empty)>
            <h1>\(title)</h1>
            \(body)
            </main>
            \(insecure)</body>
            </html>

            """
        var response = HTTPResponse.text(html.text, contentType: "text/html; charset=utf-8", status: status)
        for (name, value) in Self.fields { response.fields.set(name, value) }
        response.fields.set("Content-Security-Policy", policy)
        return response
    }

    /// Where the account is, there is the way out.
    private var header: HTML {
        person.map { "<a class=\"person\" href=\"\(site.path(PagePaths.account))\">\($0)</a>" } ?? .empty
    }

    private var insecure: HTML {
        .when(
            !site.isSecure,
            """
            <footer role="note">This service runs without TLS, for development on this machine only. Its cookies lack
            the protection that they have over https.</footer>

            """
        )
    }

    private var policy: String {
        let target = formTarget.map { " \($0)" } ?? ""
        return
            "default-src 'none'; style-src 'self'; form-action 'self'\(target); frame-ancestors 'none'; base-uri 'none'"
    }

    private static let fields = [
        ("Cache-Control", "no-store"),
        // Our own forms still say where they come from; nobody else learns what page somebody was at.
        ("Referrer-Policy", "same-origin"),
        ("X-Frame-Options", "DENY"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("X-Robots-Tag", "noindex"),
    ]

    /// A sentence about what went wrong or well, read out at once by screen readers.
    static func notice(_ text: String?, isError: Bool = true) -> HTML {
        guard let text else { return .empty }
        return isError
            ? "<p class=\"notice error\" role=\"alert\">\(text)</p>" : "<p class=\"notice\" role=\"status\">\(text)</p>"
    }

    static func hidden(_ name: String, _ value: String) -> HTML {
        "<input type=\"hidden\" name=\"\(name)\" value=\"\(value)\">"
    }
}
