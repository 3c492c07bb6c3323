import DaleksHTTP
import DaleksSystem
import Testing

@testable import DaleksHTTPClient

struct RedirectTests {
    private let client = HTTPClient.forTests()

    private func redirecting(_ location: @escaping @Sendable (RawRequest) -> String?) throws -> RawServer {
        try RawServer { request, connection in
            if let location = location(request) {
                connection.respond(307, "Location: \(location)\r\n")
            } else {
                connection.respond(200, body: request.target)
            }
        }
    }

    @Test func `a redirect is an answer unless it is asked to be followed`() throws {
        let server = try redirecting { $0.target == "/" ? "/there" : nil }

        let response = try client.send(ClientRequest(.get, server.url + "/"))

        #expect(response.status == .temporaryRedirect)
        #expect(response.fields["Location"] == "/there")
    }

    @Test func `within its origin a redirect is followed`() throws {
        let server = try redirecting { $0.target == "/" ? "there?x=1" : nil }

        let response = try client.send(ClientRequest(.get, server.url + "/", redirects: .sameOrigin(max: 3)))

        #expect(String(decoding: response.body, as: UTF8.self) == "/there?x=1")
        #expect(response.attempts == 1)
    }

    @Test func `credentials never follow a redirect to another origin`() throws {
        let other = try RawServer { _, connection in connection.respond(200) }
        let server = try redirecting { _ in "http://127.0.0.1:\(other.port)/" }

        let response = try client.send(
            ClientRequest(.get, server.url, fields: ["Authorization": "Bearer t"], redirects: .sameOrigin(max: 3))
        )

        #expect(response.status == .temporaryRedirect)
        #expect(other.counts.connections == 0)
    }

    @Test(arguments: ["https://127.0.0.1/", "http://localhost/", "ftp://127.0.0.1/", "http://u:p@127.0.0.1/"])
    func `another scheme, host or port is another origin`(location: String) throws {
        let server = try redirecting { _ in location }

        let response = try client.send(ClientRequest(.get, server.url, redirects: .sameOrigin(max: 3)))

        #expect(response.status == .temporaryRedirect)
        #expect(server.counts.requests == 1)
    }

    @Test func `a circle ends at the bound`() throws {
        let server = try redirecting { _ in "/" }

        let response = try client.send(ClientRequest(.get, server.url, redirects: .sameOrigin(max: 3)))

        #expect(response.status == .temporaryRedirect)
        #expect(server.counts.requests == 4)
    }

    @Test func `a redirect of what changes something is an answer`() throws {
        let server = try redirecting { $0.target == "/" ? "/there" : nil }

        let response = try client.send(
            ClientRequest(.put, server.url + "/", body: .bytes([1]), redirects: .sameOrigin(max: 3))
        )

        #expect(response.status == .temporaryRedirect)
        #expect(server.counts.requests == 1)
    }
}
