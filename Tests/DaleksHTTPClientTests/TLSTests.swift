import DaleksCore
import DaleksHTTP
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksHTTPClient

/// Certificates of a little authority of our own, made by the openssl command in a folder that goes with the value.
private final class Authority: Sendable {
    let folder: String
    var caFile: String { folder + "/ca.pem" }

    init() throws {
        var template = Array("/tmp/daleks-tls-XXXXXX".utf8CString)
        folder = try template.withUnsafeMutableBufferPointer { buffer in
            guard let path = buffer.baseAddress, mkdtemp(path) != nil else { throw Errno.last }
            return String(cString: path)
        }
        try openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2"
                + " -subj /CN=Daleks-test-authority"
        )
        try certificate("good", for: "IP:127.0.0.1", days: 1)
        try certificate("other", for: "DNS:other.example", days: 1)
    }

    deinit {
        for name in ["ca.key", "ca.pem", "good.key", "good.pem", "other.key", "other.pem"] {
            unlink(folder + "/" + name)
        }
        rmdir(folder)
    }

    private func certificate(_ name: String, for subject: String, days: Int) throws {
        try openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout \(name).key -out \(name).pem"
                + " -days \(days) -subj /CN=\(name) -addext subjectAltName=\(subject) -CA ca.pem -CAkey ca.key"
                + " -addext basicConstraints=critical,CA:FALSE"
        )
    }

    private func openssl(_ arguments: String) throws {
        let child = try ChildProcess("openssl", arguments.split(separator: " ").map(String.init), folder: folder)
        guard child.wait(within: .seconds(20)) == 0 else {
            throw ChildProcess.Failure(description: child.lines.joined(separator: "\n"))
        }
    }

    /// `openssl s_server` answers every GET with a page about the connection.
    func serve(_ name: String, _ more: [String] = []) throws -> (process: ChildProcess, url: String) {
        let port = try LoopbackSocket.freePort()
        let process = try ChildProcess(
            "openssl",
            ["s_server", "-accept", "127.0.0.1:\(port)", "-cert", "\(name).pem", "-key", "\(name).key", "-www"] + more,
            folder: folder
        )
        try process.listening(on: port, within: .seconds(10))
        return (process, "https://127.0.0.1:\(port)/")
    }
}

/// Real TLS, against `openssl s_server`.
struct TLSTests {
    private let authority: Authority

    init() throws { authority = try Authority() }

    private func isRefused(_ failure: HTTPClientError?) -> Bool {
        if case .tls = failure { true } else { false }
    }

    @Test func `a certificate of an added authority is trusted`() throws {
        let server = try authority.serve("good")
        defer { server.process.stop() }
        let client = HTTPClient.forTests { $0.caFile = authority.caFile }

        let response = try client.send(ClientRequest(.get, server.url))

        #expect(response.status == .ok)
        #expect(String(decoding: response.body, as: UTF8.self).contains("TLSv1.3"))
    }

    @Test func `without the authority the same certificate is refused`() throws {
        let server = try authority.serve("good")
        defer { server.process.stop() }

        #expect(isRefused(HTTPClient.forTests().failure(of: ClientRequest(.get, server.url))))
    }

    @Test func `a certificate for another name is refused`() throws {
        let server = try authority.serve("other")
        defer { server.process.stop() }
        let client = HTTPClient.forTests { $0.caFile = authority.caFile }

        #expect(isRefused(client.failure(of: ClientRequest(.get, server.url))))
    }

    @Test func `a refused certificate is not asked again and again`() throws {
        let server = try authority.serve("good")
        defer { server.process.stop() }
        let proxy = try FaultProxy(upstreamPort: try #require(UInt16(server.url.split(separator: ":")[2].dropLast())))
        defer { proxy.stop() }
        let client = HTTPClient.forTests()

        _ = client.failure(
            of: ClientRequest(.get, "https://127.0.0.1:\(proxy.port)/", retry: .idempotent(maxAttempts: 5))
        )

        #expect(proxy.counters.connections == 1)
    }

    @Test func `TLS 1_2 is good enough and 1_1 is not`() throws {
        let client = HTTPClient.forTests { $0.caFile = authority.caFile }
        let newer = try authority.serve("good", ["-tls1_2"])
        defer { newer.process.stop() }
        let older = try authority.serve("good", ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"])
        defer { older.process.stop() }

        #expect(try client.send(ClientRequest(.get, newer.url)).status == .ok)
        #expect(isRefused(client.failure(of: ClientRequest(.get, older.url))))
    }

    @Test func `an authority's file that is not there is told as such`() throws {
        let server = try authority.serve("good")
        defer { server.process.stop() }
        let client = HTTPClient.forTests { $0.caFile = "/nonexistent/ca.pem" }

        guard case .tls(let detail) = client.failure(of: ClientRequest(.get, server.url)) else {
            Issue.record("it was not needed")
            return
        }
        #expect(detail.contains("/nonexistent/ca.pem"))
    }

    @Test func `a server without TLS is no secure server`() throws {
        let server = try RawServer { _, connection in connection.respond(200) }
        let client = HTTPClient.forTests()

        let failure = client.failure(
            of: ClientRequest(.get, "https://127.0.0.1:\(server.port)/", deadline: .seconds(2))
        )

        #expect(isRefused(failure) || failure == .timedOut)
    }
}
