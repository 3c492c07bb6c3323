public import DaleksHTTP
public import DaleksJSON

extension HTTPResponse {
    public static func json(_ value: some JSONEncodable, status: HTTPStatus = .ok) -> HTTPResponse {
        .json(bytes: value.jsonBytes, status: status)
    }
}

extension HTTPRequest {
    /// The body as JSON: 415 where it says that it is something else, 413 beyond `bytesMax`, 400 where it is no JSON.
    public func json(bytesMax: Int) throws(APIError) -> JSONValue {
        let type = fields["Content-Type"].map { MediaType($0) }
        if let type, type?.essence != "application/json" { throw .unsupported("the body must be application/json") }
        let bytes = try body.bytes(max: bytesMax)
        do {
            return try JSONValue.parse(bytes)
        } catch {
            throw .malformed("the body is no JSON: \(error)")
        }
    }

    /// The body as a document of that kind; what does not fit is 400 and named by its path.
    public func json<Document: JSONDecodable>(_ kind: Document.Type, bytesMax: Int) throws(APIError) -> Document {
        let value = try json(bytesMax: bytesMax)
        do {
            return try Document(json: value)
        } catch {
            throw .malformed("the body is not what was expected: \(error)")
        }
    }
}
