import DaleksSystem
import Testing

@testable import DaleksService

struct ServingSettingsTests {
    private static let schema = SettingsSchema(
        program: "service",
        about: "Serves.",
        options: ServingSettings.options(port: 7_000, stateFolder: "/var/lib/service", holding: "everything")
    )

    private func settings(_ arguments: [String] = []) throws -> ServingSettings {
        let outcome = try Settings.load(Self.schema, arguments: arguments, environment: [:])
        guard case .run(let settings) = outcome else { throw SettingsError("nothing to run") }
        return try ServingSettings(settings)
    }

    @Test func `nothing said, a service listens on this machine only and logs each request`() throws {
        let settings = try settings()

        #expect(settings.address == "127.0.0.1" && settings.port == 7_000 && !settings.isAnyAddress)
        #expect(settings.stateFolder == "/var/lib/service" && settings.tlsCertificate == nil)
        #expect(settings.accessLog == .all && settings.logLevel == .notice && settings.drainTimeout == .seconds(10))
    }

    @Test(arguments: [
        (["--tls-key", "/k"], "tls-key"), (["--tls-certificate", "/c"], "tls-key"),
        (["--trusted-proxy", "everybody"], "trusted-proxy"), (["--access-log", "some"], "access-log"),
        (["--port", "65536"], "port"), (["--drain-timeout", "soon"], "drain-timeout"),
    ])
    func `what makes no sense is refused by the flag's name`(arguments: [String], flag: String) {
        let error = #expect(throws: SettingsError.self) { try settings(arguments) }
        #expect(error?.message.contains("--\(flag)") == true)
    }

    @Test func `its URL has the scheme and the address that it listens at`() throws {
        #expect(try settings().url(port: 80) == "http://127.0.0.1:80")
        #expect(try settings(["--listen", "::1"]).url(port: 80) == "http://[::1]:80")
        #expect(try settings(["--listen", "[::1]"]).url(port: 80) == "http://[::1]:80")
        let secure = ["--tls-key", "/k", "--tls-certificate", "/c"]
        #expect(try settings(secure).url(port: 443) == "https://127.0.0.1:443")
    }
}
