import DaleksHTTP
import DaleksHTTPServer
import DaleksPostgres
import DaleksSQLite
import DaleksSystem
import Testing

@testable import DaleksService

struct RequestTests {
    private func request(_ authorization: [String]) throws -> HTTPRequest {
        var fields = HTTPFields()
        for value in authorization { fields.append("Authorization", value) }
        return try HTTPRequest(.get, "/", fields: fields)
    }

    @Test func `a bearer token is taken from its field, whatever the case of the scheme`() throws {
        #expect(try request(["Bearer abc"]).bearerToken() == "abc")
        #expect(try request(["bEARER abc.d"]).bearerToken() == "abc.d")
    }

    @Test(arguments: [[], ["Basic abc"], ["Bearer"], ["Bearer a", "Bearer b"]])
    func `no token, another scheme or two tokens are 401 with a challenge`(authorization: [String]) throws {
        let error = #expect(throws: APIError.self) { try request(authorization).bearerToken() }
        #expect(error?.status == .unauthorized && error?.fields["WWW-Authenticate"]?.hasPrefix("Bearer") == true)
    }

    @Test func `every service has its operators' three paths`() throws {
        let metrics = Metrics()
        metrics.addProcess()
        let isReady = Lock(true)
        var router = Router()
        router.addOperations(metrics: metrics) { () throws(APIError) in
            if !isReady.withLock({ $0 }) { throw .unavailable("not yet") }
        }
        let status = { path in router.respond(to: try HTTPRequest(.get, path)).status }

        #expect(try status("/livez") == .ok && status("/readyz") == .ok && status("/metrics") == .ok)
        isReady.withLock { $0 = false }
        #expect(try status("/livez") == .ok && status("/readyz") == .serviceUnavailable)
    }

    @Test func `a database's failure says who failed and nothing about how, but to the log`() {
        let lines = Lock<[String]>([])
        let logger = Logger(level: .error, style: .text) { line in lines.withLock { $0.append(line) } }
        let failure = DatabaseFailure(of: "the region")

        let gone = failure.apiError(PostgresError(.cannotConnect, "host db.internal refused"), logger)
        let odd = failure.apiError(PostgresError(.uniqueViolation, "key x"), logger)
        let ours = failure.apiError(APIError.notFound("no such thing"), logger)

        #expect(gone.status == .serviceUnavailable && gone.fields["Retry-After"] == "5")
        #expect(odd.status == .internalServerError && ours == .notFound("no such thing"))
        #expect(!gone.detail.contains("db.internal") && lines.withLock { $0.first?.contains("db.internal") } == true)
        #expect(gone.detail.hasPrefix("the region") && lines.withLock { $0.count } == 2)
    }
}
