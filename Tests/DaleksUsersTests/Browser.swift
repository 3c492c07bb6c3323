import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksSystem

/// Somebody at the pages: keeps cookies as browsers do, fills in forms, and follows where they lead within the service.
final class Browser: Sendable {
    private let service: TestService
    private let cookies = Lock([String: String]())
    /// What the browser sends for `Origin` with its forms.
    private let origin: String?

    init(_ service: TestService, origin: String? = nil) {
        self.service = service
        self.origin = origin
    }

    struct Shown {
        let status: Int
        let text: String
        let fields: HTTPFields
        /// Where the last redirect led that was not followed: to somebody else's.
        let left: String?

        /// The form that is sent to this path, with what it holds already.
        func form(_ action: String) throws -> [String: String] {
            guard let start = text.range(of: "action=\"\(action)\""),
                let end = text.range(of: "</form>", in: start.upperBound..<text.endIndex)
            else { throw TestFailure("the page has no form for \(action): \(text)") }
            var fields: [String: String] = [:]
            for tag in text[start.upperBound..<end.lowerBound].split(separator: "<") where tag.hasPrefix("input") {
                guard let name = Shown.attribute("name", tag) else { continue }
                fields[name] = Shown.attribute("value", tag) ?? ""
            }
            return fields
        }

        private static func attribute(_ name: String, _ tag: Substring) -> String? {
            guard let start = tag.range(of: " \(name)=\"") ?? tag.range(of: "\n\(name)=\"") else { return nil }
            let value = tag[start.upperBound...].prefix { $0 != "\"" }
            let entities = [("&quot;", "\""), ("&#39;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")]
            return entities.reduce(String(value)) { $0.replacing($1.0, with: $1.1) }
        }

        /// A parameter of the address that the browser was sent away to.
        func answer(_ name: String) -> String? {
            guard let left, let query = left.split(separator: "?", maxSplits: 1).last else { return nil }
            return (try? QueryItems(parsing: String(query)))?[name]
        }
    }

    var cookieNames: Set<String> { Set(cookies.withLock { $0 }.keys) }

    func cookie(_ name: String) -> String? { cookies.withLock { $0[name] } }

    /// As somebody does who got a cookie of their own into another's browser.
    func plant(_ name: String, _ value: String) { cookies.withLock { $0[name] = value } }

    func forgetCookies() { cookies.withLock { $0 = [:] } }

    func get(_ path: String) throws -> Shown { try follow(.get, path, nil) }

    func post(_ path: String, _ form: [String: String]) throws -> Shown { try follow(.post, path, form) }

    /// Opens a page that needs somebody, and logs in on the way.
    func logIn(at path: String, email: String = "ann@example.com") throws -> Shown {
        var form = try get(path).form("/login")
        form["email"] = email
        form["password"] = TestService.password
        return try post("/login", form)
    }

    private func follow(_ method: HTTPMethod, _ path: String, _ form: [String: String]?) throws -> Shown {
        var (method, path, form) = (method, path, form)
        for _ in 0..<8 {
            let response = try send(method, path, form)
            guard let location = response.fields["Location"] else {
                return Shown(
                    status: response.status.code,
                    text: String(decoding: response.body, as: UTF8.self),
                    fields: response.fields,
                    left: nil
                )
            }
            guard location.hasPrefix("/") else {
                return Shown(status: response.status.code, text: "", fields: response.fields, left: location)
            }
            (method, path, form) = (.get, location, nil)
        }
        throw TestFailure("the pages lead in a circle: \(path)")
    }

    private func send(_ method: HTTPMethod, _ path: String, _ form: [String: String]?) throws -> ClientResponse {
        let cookie = cookies.withLock { $0 }.map { "\($0.key)=\($0.value)" }.joined(separator: "; ")
        var fields = cookie.isEmpty ? [] : [("Cookie", cookie)]
        let body = form.map { form in
            form.map { "\($0.key)=\(PercentEncoding.encode($0.value))" }.joined(separator: "&")
        }
        if form != nil { fields.append(("Origin", origin ?? service.url)) }
        let response = try service.send(
            method,
            path,
            body,
            type: "application/x-www-form-urlencoded",
            fields: fields
        )
        for text in response.fields.values("Set-Cookie") {
            let pair = text.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            cookies.withLock { $0[String(pair[0])] = text.contains("Max-Age=0") ? nil : String(pair[1]) }
        }
        return response
    }
}

extension String {
    func range(of text: String, in range: Range<Index>? = nil) -> Range<Index>? {
        self[range ?? startIndex..<endIndex].firstRange(of: text)
    }
}

extension Substring {
    func range(of text: String) -> Range<Index>? { firstRange(of: text) }
}
