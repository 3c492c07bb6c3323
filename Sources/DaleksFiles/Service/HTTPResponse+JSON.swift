import DaleksHTTP
import DaleksHTTPServer
import DaleksJSON

extension HTTPResponse {
    static func json(of value: some JSONEncodable, status: HTTPStatus = .ok) -> HTTPResponse {
        .json(bytes: value.jsonBytes, status: status)
    }
}
