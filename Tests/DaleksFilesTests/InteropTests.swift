import DaleksCore
import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// Programs that others wrote, against the whole service: Tests/interop/files.
@Suite(.enabled(if: PythonTools.unavailability == nil, "the tests' virtual environment cannot be made"))
struct InteropTests {
    @Test func `uploads of others' clients survive a wire that is cut again and again`() throws {
        let folder = ScratchFolder()
        let users = try TestUsers()
        let settings = FilesSettings(region: "test", stateFolder: folder.path("state"), usersURL: users.url)
        let running = try ServiceTests.RunningService(settings)
        let url = running.service.publicURL
        let token = try users.token(for: .random(at: .zero), audience: url, expiresIn: .seconds(3_600))
        let place: JSONObject = [
            "url": .string(url), "headers": .object(["Authorization": .string("Bearer \(token)")]),
        ]
        try folder.write(place.jsonBytes, to: "place.json")

        let captured = try Subprocess.capture(
            Command(
                "\(try PythonTools.programs.get())/python",
                ["-m", "pytest", "-q", "-p", "no:cacheprovider", "\(PythonTools.tests)/interop/files"],
                environment: Environment.current.merging([
                    "DALEKS_FILES_INTEROP": folder.path("place.json"), "PYTHONDONTWRITEBYTECODE": "1",
                ]) { $1 },
                deathSignal: 9
            ),
            timeout: .seconds(500)
        )

        #expect(captured.ending.isSuccess, "\(captured.outputText.suffix(8_000))\(captured.errorText.suffix(2_000))")
    }
}
