import DaleksCore
import DaleksHTTP
import DaleksHTTPServer

/// The form of an OAuth request. One that two readers could understand differently is refused.
struct OAuthForm: Sendable {
    private let items: QueryItems

    init(_ request: HTTPRequest) throws(OAuthFailure) {
        let type = request.fields["Content-Type"].flatMap { MediaType($0) }
        guard type?.essence == "application/x-www-form-urlencoded" else {
            throw .refused(OAuthError(.invalidRequest, "the body must be application/x-www-form-urlencoded"))
        }
        let body: [UInt8]
        do throws(APIError) { body = try request.body.bytes(max: Limits.Users.bodyBytesMax) } catch {
            throw .api(error)
        }
        guard let text = String(validating: body, as: UTF8.self), let items = try? QueryItems(parsing: text) else {
            throw .refused(OAuthError(.invalidRequest, "the form is not valid percent-encoded UTF-8"))
        }
        try self.init(items)
    }

    init(_ items: QueryItems) throws(OAuthFailure) {
        guard Set(items.all.map(\.name)).count == items.all.count else {
            throw .refused(OAuthError(.invalidRequest, "a parameter stands more than once"))
        }
        self.items = items
    }

    /// What was asked, to be asked again.
    var encoded: String { items.encoded }

    /// Nil where it is absent; empty counts as absent (RFC 6749, 3.2).
    subscript(name: String) -> String? { items[name].flatMap { $0.isEmpty ? nil : $0 } }

    func required(_ name: String) throws(OAuthFailure) -> String {
        guard let value = self[name] else {
            throw .refused(OAuthError(.invalidRequest, "the parameter \(name) is missing"))
        }
        return value
    }
}

/// Why an OAuth endpoint does not do what it was asked: by the protocol's words, or ours.
enum OAuthFailure: Error, Sendable {
    case refused(OAuthError)
    case api(APIError)
}
