import DaleksAPI
import DaleksClient
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPClient
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksUsers

/// The program itself: how it starts, fails, ends, and dies.
struct ProgramTests {
    let folder = ScratchFolder()

    private func arguments(_ more: [String] = [], state: String = "state", port: UInt16 = 0) -> [String] {
        ["--state", folder.path(state), "--port", "\(port)"] + more
    }

    private func withClient<Value>(
        _ url: String,
        ca: String? = nil,
        _ body: (UsersClient) throws -> Value
    ) rethrows -> Value {
        let http = HTTPClient(configuration: HTTPClientConfiguration(caFile: ca))
        defer { http.shutdown() }
        return try body(UsersClient(url: url, http: http))
    }

    private func mode(_ name: String) -> UInt32 {
        var status = stat()
        return stat(folder.path(name), &status) == 0 ? status.st_mode & 0o777 : 0
    }

    @Test func `it says ready with its port, serves, and ends with 0 when told to`() throws {
        let program = try RunningProgram(arguments(["--region", "test-1=http://files.example=The first"]))

        let regions = try withClient(program.url) { try $0.regions() }

        #expect(regions.map(\.name) == ["The first"] && regions.map(\.filesURL) == ["http://files.example"])
        #expect(program.url == "http://127.0.0.1:\(program.port)")
        #expect(mode("state") == 0o700 && mode("state/users.db") == 0o600 && mode("state/keys") == 0o700)
        program.process.send(SIGTERM)
        #expect(program.process.wait(timeout: .seconds(10)) == .exited(0))
    }

    @Test func `killed at any moment it has whoever was told of his account and session`() throws {
        let known = Lock<[(email: String, token: String)]>([])
        let checked = Lock(0)
        for round in 0..<3 {
            let program = try RunningProgram(
                arguments([
                    "--region", "local=http://files.example", "--registration", "open", "--registrations-per-hour",
                    "100000",
                ])
            )
            // Whoever heard yes before is still here, and his session goes on.
            try withClient(program.url) { users in
                let some = known.withLock { known in
                    defer { known.removeLast(min(4, known.count)) }
                    return Array(known.suffix(4))
                }
                for (email, token) in some {
                    _ = try users.refresh(token, requestID: Hex.encode(Random.bytes(count: 16)), resource: nil)
                    let again = #expect(throws: ClientFailure.self) {
                        try users.register(RegistrationRequest(email: email, password: "a good password", name: "x"))
                    }
                    #expect(again?.code == "already_exists")
                    checked.withLock { $0 += 1 }
                }
            }
            let people = (0..<3).map { person in
                Thread(name: "person") {
                    withClient(program.url) { users in
                        for count in 0..<1_000 {
                            let email = "p\(round)-\(person)-\(count)@example.com"
                            let request = RegistrationRequest(email: email, password: "a good password", name: "x")
                            let login = LoginRequest(
                                email: email,
                                password: "a good password",
                                region: nil,
                                device: "x"
                            )
                            guard (try? users.register(request)) != nil, let session = try? users.logIn(login),
                                let token = session.refreshToken
                            else { return }
                            known.withLock { $0.append((email, token)) }
                        }
                    }
                }
            }
            // Some at least must have heard yes, which takes a busy machine longer; then at any moment.
            _ = eventually(within: .seconds(10)) { known.withLock { $0.count } >= 4 }
            usleep(UInt32.random(in: 0...100_000))
            program.process.send(SIGKILL)
            for person in people { person.join() }
        }
        #expect(checked.withLock { $0 } >= 2)
    }

    @Test func `wrong usage is 2 and one line, help is 0`() throws {
        for (arguments, message) in [
            (["--no-such-flag"], "no-such-flag"), (["--issuer", "nonsense"], "issuer"), (["--port", "x"], "port"),
            (["--region", "nonsense"], "region"), (["--region", "Not A Code=http://a"], "region"),
            (["--region", "a=ftp://a"], "region"), (["--region", "auto=http://a"], "region"),
            (["--region", "a=http://a", "--region", "a=http://b"], "stands twice"),
            (["--region", "a=http://a", "--region", "b=http://a/"], "another region"),
            (["--tls-key", "/k"], "tls-key"), (["--trusted-proxy", "x"], "trusted-proxy"),
            (["--listen", "0.0.0.0"], "--issuer"), (["--key-retire", "5m"], "key-retire"),
            (["--key-announce", "2d"], "key-announce"), (["--key-period", "10ms"], "key-period"),
            (["--access-lifetime", "0s"], "access-lifetime"), (["--session-idle", "1s"], "session-idle"),
            (["--key-period", "1s", "--key-announce", "1s", "--key-retire", "2h"], "key-retire"),
        ] {
            let result = try RunningProgram.run(["--state", folder.path("unused")] + arguments)
            #expect(result.ending == .exited(2), "\(arguments)")
            #expect(result.errorText.contains(message) && result.errorText.split(separator: "\n").count == 1)
            #expect(result.errorText.hasPrefix("daleks-users: "))
        }
        let help = try RunningProgram.run(["--help"])
        #expect(help.ending == .exited(0) && help.outputText.contains("--region") && help.errorText.isEmpty)
        let printed = try RunningProgram.run(["--print-config"])
        #expect(printed.ending == .exited(0) && printed.outputText.contains("key-period = 1d"))
    }

    @Test func `a port or a state folder that another process has is 1 and says what to do`() throws {
        let program = try RunningProgram(arguments())

        let samePort = try RunningProgram.run(arguments(state: "other", port: program.port))
        let sameState = try RunningProgram.run(arguments())

        #expect(samePort.ending == .exited(1) && samePort.errorText.contains("port \(program.port)"))
        #expect(sameState.ending == .exited(1) && sameState.errorText.contains("process \(program.process.processID)"))
        for text in [samePort.errorText, sameState.errorText] {
            let lines = text.split(separator: "\n").filter { $0.hasPrefix("daleks-users: ") }
            #expect(lines.count == 1)
        }
    }

    @Test func `a state folder that is a file, or is open to others and full of other things, is refused`() throws {
        try folder.write("text", to: "file")
        try Files.createPrivateDirectory(folder.path("open"), durable: false)
        try folder.write("text", to: "open/letter")
        #expect(chmod(folder.path("open"), 0o755) == 0)

        for state in ["file", "open"] {
            let result = try RunningProgram.run(arguments(state: state))
            #expect(result.ending == .exited(1) && result.errorText.contains("--state"))
        }
        #expect(mode("open") == 0o755)
    }

    @Test func `it serves TLS with the certificate that it is given, and reads it again on SIGHUP`() throws {
        let now = TimeSource.system.wall
        let authority = try CertificateAuthority(name: "a test", validFrom: now, validity: .seconds(3_600))
        let write = {
            let leaf = try authority.issue(for: [.address("127.0.0.1")], validFrom: now, validity: .seconds(3_600))
            try folder.write(leaf.certificatePEM, to: "tls.pem")
            try folder.write(leaf.keyPEM, to: "tls.key")
        }
        try write()
        let ca = try folder.write(authority.certificatePEM, to: "ca.pem")
        let program = try RunningProgram(
            arguments([
                "--tls-certificate", folder.path("tls.pem"), "--tls-key", folder.path("tls.key"), "--region",
                "local=https://files.example",
            ])
        )

        #expect(program.url == "https://127.0.0.1:\(program.port)")
        #expect(try withClient(program.url, ca: ca) { try $0.regions() }.count == 1)
        try write()
        program.process.send(SIGHUP)
        #expect(try withClient(program.url, ca: ca) { try $0.regions() }.count == 1)
        program.process.send(SIGINT)
        #expect(program.process.wait(timeout: .seconds(10)) == .exited(0))
    }

    @Test func `regions follow the configuration, and one that went is closed to everybody`() throws {
        let state = ScratchFolder()
        let before = try TestService(folder: state)
        let session = try before.newcomer()
        before.stop()

        let after = try TestService(folder: state) { settings in
            var moved = TestService.there
            moved.filesURL = "https://new.there.example"
            settings.regions = [moved]
        }

        #expect(try after.users.regions().map(\.filesURL) == ["https://new.there.example"])
        let token = try required(session.refreshToken)
        let refused = try after.form(Routes.Users.token, [("grant_type", "refresh_token"), ("refresh_token", token)])
        #expect(refused.code == "invalid_target")
        let moved = try after.users.refresh(token, requestID: "0123456789abcdef", resource: "https://new.there.example")
        #expect(moved.region?.code == "there")
        // His home is closed, so he goes to the first that is open.
        #expect(try after.logIn().region?.code == "there")
    }
}
