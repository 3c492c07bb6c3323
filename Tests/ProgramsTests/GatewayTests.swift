import DaleksSystem
import DaleksTestSupport
import Testing

/// `deploy/gateway`: what it tells nginx.
struct GatewayTests {
    private func configuration(_ words: [String]) throws -> String {
        let captured = try Subprocess.capture(Command("bash", ["deploy/gateway"] + words), timeout: .seconds(30))
        return String(decoding: captured.output, as: UTF8.self)
    }

    @Test func `each service has a name of its own, and no region sees a cookie`() throws {
        let services = ["users=127.0.0.1:7401", "de=127.0.0.1:7402", "fr=10.0.0.7:7402"]
        let text = try configuration(["daleks.example"] + services)

        var servers: [String: String] = [:]
        for block in text.split(separator: "\nserver {").dropFirst() {
            let name = block.split(separator: "server_name ").dropFirst().first?.prefix { $0 != ";" }
            servers[String(name ?? "")] = String(block)
        }
        let names = ["users.daleks.example", "files-de.daleks.example", "files-fr.daleks.example"]
        #expect(Set(servers.keys) == Set(names))
        for name in names {
            let block = servers[name] ?? ""
            #expect(block.contains("proxy_set_header Cookie \"\";") == name.hasPrefix("files-"), "\(name)")
            #expect(block.contains("proxy_hide_header Set-Cookie;") == name.hasPrefix("files-"), "\(name)")
            #expect(block.contains("client_max_body_size 0;") && block.contains("proxy_request_buffering off;"))
        }
        #expect(servers[names[1]]?.contains("proxy_pass http://daleks_files_de;") == true)
    }

    @Test func `browsers come back over TLS alone`() throws {
        let words = ["daleks.example", "users=127.0.0.1:7401", "de=127.0.0.1:7402"]
        let text = try configuration(words + ["--certificate", "/etc/cert.pem", "--key", "/etc/key.pem"])

        let blocks = text.split(separator: "\nserver {").dropFirst()
        #expect(blocks.count == 2)
        for block in blocks {
            #expect(block.contains("Strict-Transport-Security \"max-age=31536000; includeSubDomains\" always;"))
        }
    }
}
