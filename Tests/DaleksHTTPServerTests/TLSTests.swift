import DaleksHTTP
import DaleksHTTPServer
import DaleksSystem
import Glibc
import Testing

/// Runs a program with arguments, its input given, and returns its output; nil where it does not exist.
private func output(_ program: String, _ arguments: [String], input: String = "") throws -> String {
    var (inPipe, outPipe): ([Int32], [Int32]) = ([0, 0], [0, 0])
    pipe(&inPipe)
    pipe(&outPipe)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, inPipe[0], 0)
    posix_spawn_file_actions_adddup2(&actions, outPipe[1], 1)
    posix_spawn_file_actions_adddup2(&actions, outPipe[1], 2)
    for descriptor in inPipe + outPipe { posix_spawn_file_actions_addclose(&actions, descriptor) }
    var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var process: pid_t = 0
    let result = posix_spawnp(&process, program, &actions, nil, &words, environ)
    close(inPipe[0])
    close(outPipe[1])
    try #require(result == 0, "\(program) is needed for this test")
    _ = input.withCString { write(inPipe[1], $0, strlen($0)) }
    var collected: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4_096)
    // The answer closes the connection, which ends the program; its input stays open until then.
    while case let count = read(outPipe[0], &chunk, chunk.count), count > 0 { collected += chunk[..<count] }
    close(inPipe[1])
    close(outPipe[0])
    waitpid(process, nil, 0)
    return String(decoding: collected, as: UTF8.self)
}

@Suite struct TLSTests {
    private func makeCertificate(_ folder: TestFolder, _ name: String) throws {
        _ = try output(
            "openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj",
                "/CN=\(name)", "-keyout", "\(folder.path)/key", "-out", "\(folder.path)/chain",
            ]
        )
    }

    private func ask(_ port: UInt16, _ options: [String] = []) throws -> String {
        try output(
            "timeout",
            ["10", "openssl", "s_client", "-connect", "127.0.0.1:\(port)", "-ign_eof"] + options,
            input: "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        )
    }

    @Test func `a secure server speaks TLS 1.2 and 1.3 and shows a renewed certificate without a restart`() throws {
        let folder = try TestFolder()
        try makeCertificate(folder, "first")
        let server = try TestServer {
            $0.tls = TLSFiles(certificateChain: "\(folder.path)/chain", privateKey: "\(folder.path)/key")
        } routes: { router in
            router.on(.get, "/") { request, _ throws(APIError) in .text("over \(request.scheme)") }
        }

        let newest = try ask(server.port)
        #expect(newest.contains("TLSv1.3") && newest.contains("over https") && newest.contains("CN = first"))
        #expect(try ask(server.port, ["-tls1_2"]).contains("over https"))
        #expect(try !ask(server.port, ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]).contains("over https"))

        try makeCertificate(folder, "second")
        try server.server.reloadCertificates()
        #expect(try ask(server.port).contains("CN = second"))

        // A broken renewal changes nothing.
        _ = try folder.write("chain", Array("nonsense".utf8))
        #expect(throws: HTTPServerError.self) { try server.server.reloadCertificates() }
        #expect(try ask(server.port).contains("CN = second"))

        // Neither does a key of another certificate.
        try makeCertificate(folder, "third")
        let key = try output("cat", ["\(folder.path)/key"])
        try makeCertificate(folder, "fourth")
        _ = try folder.write("key", Array(key.utf8))
        #expect(throws: HTTPServerError.tls("the key does not belong to the certificate")) {
            try server.server.reloadCertificates()
        }
    }

    private func secureServer(_ folder: TestFolder) throws -> TestServer {
        try makeCertificate(folder, "here")
        return try TestServer {
            $0.tls = TLSFiles(certificateChain: "\(folder.path)/chain", privateKey: "\(folder.path)/key")
        } routes: { router in
            router.on(.get, "/") { request, _ throws(APIError) in .text("over \(request.scheme)") }
        }
    }

    @Test func `a secure server tells browsers to come back over TLS alone`() throws {
        let folder = try TestFolder()
        let server = try secureServer(folder)

        #expect(try ask(server.port).contains("Strict-Transport-Security: max-age=31536000; includeSubDomains"))
        let plain = try TestServer { router in
            router.on(.get, "/") { _, _ throws(APIError) in .text("here") }
        }
        #expect(try plain.connect().get("/")?.fields["Strict-Transport-Security"] == nil)
    }

    @Test(arguments: [
        ("ECDHE-ECDSA-AES128-GCM-SHA256", true), ("ECDHE-ECDSA-CHACHA20-POLY1305", true),
        ("ECDHE-ECDSA-AES256-SHA", false), ("ECDHE-ECDSA-AES128-SHA256", false),
    ])
    func `a secure server takes no suite that does not notice changes`(suite: String, isGood: Bool) throws {
        let folder = try TestFolder()
        let server = try secureServer(folder)

        let said = try ask(server.port, ["-tls1_2", "-cipher", "\(suite):@SECLEVEL=0"])

        #expect(said.contains("over https") == isGood)
    }

    @Test func `who does not finish the handshake is shut out`() throws {
        let folder = try TestFolder()
        try makeCertificate(folder, "name")
        let server = try TestServer {
            $0.tls = TLSFiles(certificateChain: "\(folder.path)/chain", privateKey: "\(folder.path)/key")
            $0.grants.headerTimeout = .milliseconds(300)
        } routes: { _ in
        }
        let silent = try server.connect()

        #expect(silent.seesEnd())
    }
}
