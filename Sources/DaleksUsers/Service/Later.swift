import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON

/// Answers of requests that wait for something: a turn of the hasher, an event of the feed.
enum Later {
    /// Parks the request until `begin`'s closure is called. What is refused before that is refused at once.
    static func answer<Value: Sendable>(
        _ response: @escaping @Sendable (Value) -> HTTPResponse,
        _ begin: (@escaping @Sendable (Result<Value, APIError>) -> Void) throws(APIError) -> Void
    ) throws(APIError) -> HTTPResponse {
        let answer = LaterAnswer()
        try begin { result in
            switch result {
            case .success(let value): answer.give { $0.complete(response(value).notStored) }
            case .failure(let error): answer.give { $0.fail(error) }
            }
        }
        return .parked { answer.park($0) }
    }
}

extension HTTPResponse {
    /// An object whose members `body` writes.
    static func object(_ status: HTTPStatus = .ok, _ body: (inout JSONWriter) -> Void) -> HTTPResponse {
        var json = JSONWriter()
        json.object { body(&$0) }
        return .json(bytes: json.bytes, status: status)
    }
}

extension HTTPRequest {
    /// The body's members, of a request whose every field is checked where it is read.
    func members() throws(APIError) -> JSONReader {
        let value = try json(bytesMax: Limits.Users.bodyBytesMax)
        guard case .object = value else { throw .malformed("the body must be an object") }
        return JSONReader(value)
    }
}

/// Reads members with the service's own words for what is wrong.
func reading<Value>(_ body: () throws(JSONError) -> Value) throws(APIError) -> Value {
    do throws(JSONError) { return try body() } catch { throw .malformed("the body is not what was expected: \(error)") }
}
