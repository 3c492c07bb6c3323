import DaleksHTTP
import DaleksHTTPServer
import DaleksSystem

/// Answers each request with the next status of a list, and remembers what came.
final class FlakyService: Sendable {
    private struct State {
        var statuses: [Int] = []
        var length = 0
        var requests: [HTTPFields] = []
    }

    private let state: Lock<State>
    private let server: HTTPServer

    init() throws {
        let state = Lock(State())
        self.state = state
        var router = Router()
        for method in [HTTPMethod.get, .put, .head] {
            router.on(method, "/:bucket/:key", body: .limited(to: 1 << 20)) { request, _ in
                let (status, length) = state.withLock { state in
                    state.requests.append(request.fields)
                    return (state.statuses.isEmpty ? 200 : state.statuses.removeFirst(), state.length)
                }
                return .bytes([UInt8](repeating: 0, count: length), status: HTTPStatus(status))
            }
        }
        server = try HTTPServer(HTTPServerConfiguration(), router: router, logger: .silent)
        try server.start()
    }

    var port: UInt16 { server.port }
    var requests: [HTTPFields] { state.withLock { $0.requests } }

    func answer(_ statuses: [Int], length: Int = 0) {
        state.withLock { state in
            state.statuses = statuses
            state.length = length
            state.requests = []
        }
    }

    func stop() { server.stop() }
}
