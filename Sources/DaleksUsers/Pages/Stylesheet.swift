import DaleksCore
import DaleksCrypto
import DaleksHTTPServer
import DaleksService

/// How the pages look. Its address changes with its text, so browsers may keep it for ever.
enum Stylesheet {
    static let path =
        PagePaths.style + "?" + Hex.encode(Array(SHA256.digest(of: Array(PageStyle.text.utf8)).bytes.prefix(6)))

    static var response: HTTPResponse {
        HTTPResponse.text(PageStyle.text, contentType: "text/css; charset=utf-8")
            .with("Cache-Control", "public, max-age=31536000, immutable")
            .with("Cross-Origin-Resource-Policy", "same-origin")
    }
}
