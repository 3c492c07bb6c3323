import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON
import DaleksService
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksUsers

/// The programs that others wrote, against the service over TLS: Tests/interop.
@Suite(.enabled(if: PythonTools.unavailability == nil, "the tests' virtual environment cannot be made"))
struct InteropTests {
    @Test func `programs that know the standards and not us find what they expect`() throws {
        let folder = ScratchFolder()
        let authority = try CertificateAuthority(
            name: "Interop",
            validFrom: TimeSource.system.wall - .seconds(60),
            validity: .seconds(86_400)
        )
        try folder.write(authority.certificatePEM, to: "ca.pem")
        let service = try Self.start(folder, "main", authority) { settings in
            settings.attemptRule.freeCount = 1_000
            settings.oauthRule.devicePause = .seconds(1)
        }
        let rotating = try Self.start(folder, "rotating", authority) { settings in
            // Each key takes two seconds; with DALEKS_ROTATION_SECONDS=40 the libraries need no haste.
            let seconds = Environment.current["DALEKS_ROTATION_SECONDS"].flatMap { Int64($0) } ?? 2
            settings.keySchedule.period = .seconds(seconds)
            settings.keySchedule.announce = .seconds(seconds)
            settings.keySchedule.retire = .seconds(max(11, seconds))
            settings.accessLifetime = .seconds(10)
        }
        // For requests that anything may come of.
        let fuzzed = try Self.start(folder, "fuzzed", authority) { $0.attemptRule.freeCount = 1_000_000 }
        try folder.write(try Self.place(folder, service, rotating, fuzzed), to: "place.json")

        let captured = try Subprocess.capture(
            Command(
                "\(try PythonTools.programs.get())/python",
                [
                    "-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=12", "-s",
                    "\(PythonTools.tests)/interop",
                ],
                environment: Environment.current.merging([
                    "DALEKS_INTEROP": folder.path("place.json"), "PYTHONDONTWRITEBYTECODE": "1",
                ]) { $1 },
                deathSignal: 9
            ),
            timeout: .seconds(7_200)
        )

        // What took how long, and how many tokens were checked.
        if Environment.current["DALEKS_ROTATIONS"] != nil { print(captured.outputText.suffix(4_000)) }
        #expect(captured.ending.isSuccess, "\(captured.outputText.suffix(8_000))\(captured.errorText.suffix(2_000))")
    }

    /// Addresses of the service as its certificate names it.
    private static func start(
        _ folder: ScratchFolder,
        _ name: String,
        _ authority: CertificateAuthority,
        _ change: (inout UsersSettings) -> Void
    ) throws -> TestService {
        let identity = try authority.issue(
            for: [.host("localhost"), .address("127.0.0.1")],
            validFrom: TimeSource.system.wall - .seconds(60),
            validity: .seconds(86_400)
        )
        try folder.write(identity.certificatePEM, to: "\(name).crt")
        try folder.write(identity.keyPEM, to: "\(name).key")
        return try TestService(certificateAuthority: folder.path("ca.pem")) { settings in
            settings.serving.tlsCertificate = folder.path("\(name).crt")
            settings.serving.tlsKey = folder.path("\(name).key")
            change(&settings)
        }
    }

    /// What Tests/interop/conftest.py reads.
    private static func place(
        _ folder: ScratchFolder,
        _ service: TestService,
        _ rotating: TestService,
        _ fuzzed: TestService
    ) throws -> String {
        let ann = try service.register()
        let web = try Program(service, id: "web")
        let rsa = try Program(service, id: "rsa", idTokenAlgorithm: .rs256)
        let native = try Program(
            service,
            id: "native",
            isPublic: true,
            redirects: ["http://127.0.0.1/back"],
            grants: [.authorizationCode, .deviceCode, .refreshToken]
        )
        let robots = try [service, rotating].map {
            try Program($0, id: "robot", redirects: [], grants: [.clientCredentials], scope: "files:read files:write")
        }
        func client(_ program: Program, _ redirect: String = Program.redirect) -> JSONValue {
            var client: JSONObject = ["id": .string(program.id), "redirect": .string(redirect)]
            if let secret = program.secret { client["secret"] = .string(secret) }
            return .object(client)
        }
        let clients: JSONObject = [
            "web": client(web), "rsa": client(rsa), "native": client(native, "http://127.0.0.1:4711/back"),
            "robot": client(robots[0]),
            "rotating_robot": client(robots[1]),
        ]
        let place: JSONObject = [
            "url": .string(service.url), "rotating_url": .string(rotating.url), "ca": .string(folder.path("ca.pem")),
            "email": .string(ann.email), "password": .string(TestService.password), "clients": .object(clients),
            "fuzzed": ["url": .string(fuzzed.url), "people": .object(try people(of: fuzzed))],
        ]
        return JSONValue.object(place).text
    }

    private static func people(of service: TestService) throws -> JSONObject {
        let root = try Person.admin(service).email
        let ann = try service.register().email
        func person(_ email: String) -> JSONValue {
            ["email": .string(email), "password": .string(TestService.password)]
        }
        return ["ann": person(ann), "root": person(root)]
    }
}
