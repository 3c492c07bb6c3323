import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON

extension HTTPResponse {
    static func json(of value: some JSONEncodable, status: HTTPStatus = .ok) -> HTTPResponse {
        .json(bytes: value.jsonBytes, status: status)
    }

    /// For answers with secrets or with what belongs to one person.
    var notStored: HTTPResponse { with("Cache-Control", "no-store") }
}

extension HTTPRequest {
    /// The body as one of the wire's types. Only JSON that says it is JSON is read: a page of another site can make a
    /// browser send anything else.
    func decoded<Body: JSONDecodable>(_ type: Body.Type = Body.self) throws(APIError) -> Body {
        guard fields["Content-Type"].flatMap({ MediaType($0) })?.essence == "application/json" else {
            throw .unsupported("the body must be application/json")
        }
        let bytes = try body.bytes(max: Limits.Users.bodyBytesMax)
        do throws(JSONError) {
            return try Body(json: try JSONValue.parse(bytes))
        } catch {
            throw .malformed("the body cannot be read: \(error)")
        }
    }
}
