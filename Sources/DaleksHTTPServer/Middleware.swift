public import DaleksHTTP

/// Something that stands around handlers: it may answer instead, change the request, or change the answer.
///
/// It runs on the thread of the route behind it: around an event route it must not block.
public protocol Middleware: Sendable {
    func respond(
        to request: HTTPRequest,
        next: (HTTPRequest) throws(APIError) -> HTTPResponse
    ) throws(APIError) -> HTTPResponse
}
