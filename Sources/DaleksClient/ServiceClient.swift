import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksSystem

/// Sends one request to one of the services and reads what it says, in our own error vocabulary.
struct ServiceClient: Sendable {
    /// Without a slash at its end.
    let baseURL: String
    let http: HTTPClient

    init(baseURL: String, http: HTTPClient) {
        self.baseURL = baseURL.hasSuffix("/") ? String(baseURL.dropLast()) : baseURL
        self.http = http
    }

    func send(_ request: ClientRequest) throws(ClientFailure) -> ClientResponse {
        let response: ClientResponse
        do throws(HTTPClientError) {
            response = try http.send(request)
        } catch {
            if error == .canceled { throw .canceled }
            if error == .unprotected { throw .unprotected(url: baseURL) }
            throw .unreachable("\(baseURL) cannot be reached: \(error)")
        }
        return try Self.check(response)
    }

    /// The same of what may be ended from elsewhere; `began` is given how.
    func send(
        _ request: ClientRequest,
        began: (@escaping @Sendable () -> Void) -> Void
    ) throws(ClientFailure) -> ClientResponse {
        let outcome = Condition<Result<ClientResponse, HTTPClientError>?>(nil)
        let exchange = http.start(request) { result in
            outcome.withLock { $0 = result }
            outcome.broadcast()
        }
        began { exchange.cancel() }
        // It has a deadline, so there is an outcome.
        let result = outcome.waitThrowing(until: { $0 != nil }) { $0 } ?? .failure(.canceled)
        switch result {
        case .success(let response): return try Self.check(response)
        case .failure(.canceled): throw .canceled
        case .failure(.unprotected): throw .unprotected(url: baseURL)
        case .failure(let error): throw .unreachable("\(baseURL) cannot be reached: \(error)")
        }
    }

    private static func check(_ response: ClientResponse) throws(ClientFailure) -> ClientResponse {
        if (200..<300).contains(response.status.code) { return response }
        throw failure(response)
    }

    func decode<Body: JSONDecodable>(_ response: ClientResponse) throws(ClientFailure) -> Body {
        do throws(JSONError) {
            return try Body(json: try JSONValue.parse(response.body))
        } catch {
            throw .malformed("\(error)")
        }
    }

    private static func failure(_ response: ClientResponse) -> ClientFailure {
        let (code, detail) = problem(response.body)
        switch response.status.code {
        case 408, 429, 502, 503, 504: return .unreachable("the service asks to come again later: \(detail)")
        case 500...506, 508...: return .unreachable("the service failed: \(detail)")
        default: return .refused(status: response.status.code, code: code, detail: detail)
        }
    }

    /// Code and sentence of a problem (RFC 9457) or of an OAuth error; both may be absent.
    private static func problem(_ body: [UInt8]) -> (code: String, detail: String) {
        guard let json = try? JSONValue.parse(body) else { return ("", "") }
        let reader = JSONReader(json)
        let code = (try? reader.optionalString("code")) ?? (try? reader.optionalString("error")) ?? ""
        let detail =
            (try? reader.optionalString("detail")) ?? (try? reader.optionalString("error_description")) ?? code
        return (code, detail)
    }
}
