import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPServer
import DaleksService

/// What a person gets to see who follows a link, or the address of something public, in a browser; programs get JSON
/// from the same addresses. It works without scripts, and none would run.
///
/// All addresses in it are relative, so that a region may stand behind a gateway at any path.
struct LinkPage {
    /// Browsers name HTML; programs name JSON, or take anything.
    static func isWanted(_ request: HTTPRequest) -> Bool {
        request.fields["Accept"]?.lowercased().contains("text/html") == true
    }

    /// The page of a link: its file, its folder, or the question for its password.
    static func front(
        _ visit: PublicAccess.Visit,
        token: String,
        ticket: String?,
        _ entries: ChildrenPage?
    ) -> HTTPResponse {
        let node = visit.node
        let name = visit.name?.description ?? "Files"
        let mayTakeAll = visit.link.record.kind == .download
        if let entries {
            let zip = address([token, "zip"], ticket)
            let all: HTML = .when(mayTakeAll, "<p><a href=\"\(zip)\">Download all, as a zip</a></p>")
            return page(name, "\(all)\(list(entries, below: [token, "content"], ticket))")
        }
        let word = mayTakeAll ? "Download" : "Look at it"
        return page(
            name,
            """
            <p>\(size(node.attributes.size))</p>
            <p><a href="\(address([token, "content"], ticket))">\(word)</a></p>
            """
        )
    }

    static func question(token: String, wrong: APIError? = nil) -> HTTPResponse {
        page(
            "This link has a password",
            """
            \(notice(wrong?.detail))<form method="post" action="\(address([token, "open"], nil))">
            <div class="field"><label for="password">Password</label>
            <input id="password" name="password" type="password" required
            maxlength="\(Limits.Wire.linkPasswordBytesMax)" autofocus></div>
            <div class="buttons"><button>Open</button></div>
            </form>
            """,
            status: wrong.map(\.status) ?? .ok
        )
    }

    /// A folder below a link or a public one; its own address ends with `here`.
    static func folder(_ name: String, _ entries: ChildrenPage, here: String, ticket: String?) -> HTTPResponse {
        page(name, list(entries, below: [here], ticket))
    }

    /// Why there is nothing to see.
    static func failure(_ error: APIError) -> HTTPResponse {
        let title = error.status == .notFound ? "There is nothing here" : "This cannot be shown"
        return page(title, notice(error.detail), status: error.status)
    }

    // MARK: Parts

    private static func list(_ page: ChildrenPage, below: [String], _ ticket: String?) -> HTML {
        if page.entries.isEmpty { return "<p>This folder is empty.</p>" }
        let rows = page.entries.map { entry -> HTML in
            let isFolder = entry.node.attributes.kind == .folder
            let address = address(below, [entry.name.bytes], ticket)
            let name = "\(entry.name)" + (isFolder ? "/" : "")
            let shown: HTML =
                isFolder || entry.node.attributes.kind == .file ? "<a href=\"\(address)\">\(name)</a>" : "\(name)"
            return "<tr><td>\(shown)</td><td>\(isFolder ? HTML.empty : size(entry.node.attributes.size))</td></tr>\n"
        }
        let more = page.next.map { name -> HTML in
            let after = "after=\(Base64.encode(name.bytes, .url))" + (ticket.map { "&ticket=\($0)" } ?? "")
            return "<p><a href=\"?\(after)\">More</a></p>"
        }
        return """
            <table>
            <thead><tr><th>Name</th><th>Size</th></tr></thead>
            <tbody>
            \(rows)</tbody>
            </table>
            \(more ?? .empty)
            """
    }

    private static func address(_ parts: [String], _ ticket: String?) -> String { address(parts, [], ticket) }

    /// Relative to the folder that the page's own address lies in. A name with a colon in front must not be taken for a
    /// scheme.
    private static func address(_ parts: [String], _ names: [[UInt8]], _ ticket: String?) -> String {
        let above = parts.filter { !$0.isEmpty }.map { PercentEncoding.encode($0) }
        let path = above + names.map { PercentEncoding.encode(bytes: $0) }
        return "./" + path.joined(separator: "/") + (ticket.map { "?ticket=\(PercentEncoding.encode($0))" } ?? "")
    }

    private static func notice(_ text: String?) -> HTML {
        text.map { "<p class=\"notice error\" role=\"alert\">\($0)</p>\n" } ?? .empty
    }

    private static func size(_ bytes: Int64) -> HTML {
        var (value, unit) = (Double(bytes), 0)
        let units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
        while value >= 1_024, unit + 1 < units.count { (value, unit) = (value / 1_024, unit + 1) }
        let tenths = Int64((value * 10).rounded())
        return unit == 0 ? "\(Int(bytes)) bytes" : "\(Int(tenths / 10)).\(Int(tenths % 10)) \(units[unit])"
    }

    private static let styleHash = Base64.encode(SHA256.digest(of: Array(PageStyle.text.utf8)).bytes, .standard)

    private static func page(_ title: String, _ body: HTML, status: HTTPStatus = .ok) -> HTTPResponse {
        let html: HTML = """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>\(title) – Daleks</title>
            <style>\(HTML(trusted: PageStyle.text))</style>
            </head>
            <body>
            <header><span class="mark" aria-hidden="true"></span><span class="house">Daleks</span></header>
            <main id="main" class="wide">
            <h1>\(title)</h1>
            \(body)
            </main>
            </body>
            </html>

            """
        let policy =
            "default-src 'none'; style-src 'sha256-\(styleHash)'; form-action 'self'; frame-ancestors 'none'; "
            + "base-uri 'none'"
        return HTTPResponse.text(html.text, contentType: "text/html; charset=utf-8", status: status)
            .with("Cache-Control", "no-store")
            .with("Content-Security-Policy", policy)
            // The address is the key: no other site may learn it.
            .with("Referrer-Policy", "no-referrer")
            .with("X-Content-Type-Options", "nosniff")
            .with("X-Robots-Tag", "noindex")
            .with("Vary", "Accept")
    }
}
