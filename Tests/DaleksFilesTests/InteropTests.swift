import DaleksCore
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// The programs that others wrote, against the service: Tests/interop/files.
@Suite(.enabled(if: PythonTools.unavailability == nil, "the tests' virtual environment cannot be made"))
struct InteropTests {
    @Test func `programs that know the standards and not us find what they expect`() throws {
        let folder = ScratchFolder()
        let users = try TestUsers()
        // The region is known by the address of the proxy, so that uploads go on through it.
        let proxy = try FaultProxy(upstreamPort: 0)
        defer { proxy.stop() }
        var settings = FilesSettings(region: "test", stateFolder: folder.path("state"), usersURL: users.url)
        settings.publicURL = "http://127.0.0.1:\(proxy.port)"
        let service = try FilesService.start(settings, logger: .silent)
        defer { service.stop() }
        proxy.setUpstream(service.port)
        let resetBytes = 128 << 10
        proxy.set { $0.toServer.resetAfterBytes = resetBytes }
        let place: JSONObject = [
            "url": .string(service.publicURL), "direct_url": .string("http://127.0.0.1:\(service.port)"),
            "reset_bytes": .integer(Int64(resetBytes)),
            "token": .string(try users.token(for: .random(at: .zero), audience: service.publicURL)),
        ]
        try folder.write(JSONValue.object(place).text, to: "place.json")

        let captured = try Subprocess.capture(
            Command(
                "\(try PythonTools.programs.get())/python",
                [
                    "-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=8",
                    "\(PythonTools.tests)/interop/files",
                ],
                environment: Environment.current.merging([
                    "DALEKS_FILES_INTEROP": folder.path("place.json"), "PYTHONDONTWRITEBYTECODE": "1",
                ]) { $1 },
                deathSignal: 9
            ),
            timeout: .seconds(1_800)
        )

        #expect(captured.ending.isSuccess, "\(captured.outputText.suffix(8_000))\(captured.errorText.suffix(2_000))")
        // Both clients of tus had theirs.
        let disconnects = Environment.current["DALEKS_DISCONNECTS"].flatMap { Int($0) } ?? 20
        #expect(proxy.counters.connections >= 2 * disconnects)
    }
}
