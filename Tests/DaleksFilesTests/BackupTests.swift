import DaleksAPI
import DaleksCore
import DaleksCrypto
import DaleksHTTP
import DaleksHTTPClient
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksFiles

/// A copy of a region that is made while it works, and what comes back from it.
struct BackupTests {
    let folder = ScratchFolder()
    let users: TestUsers
    let user = UserID.random(at: .zero)

    init() throws { users = try TestUsers() }

    /// It collects all the time, and gives up soon what it may: not before an upload had the time to end.
    private func start(_ state: String) throws -> FilesService {
        var settings = FilesSettings(region: "test", stateFolder: folder.path(state), usersURL: users.url)
        settings.publicURL = "http://region.test"
        settings.collectInterval = .milliseconds(10)
        settings.removedGrace = .seconds(2)
        return try FilesService.start(settings, logger: .silent)
    }

    private func client(_ service: FilesService) throws -> TestClient {
        TestClient("http://127.0.0.1:\(service.port)", token: try users.token(for: user, audience: service.publicURL))
    }

    private func backUp(_ state: String, to target: String) -> (code: Int32, said: String) {
        var said = ""
        let arguments = ["--state", folder.path(state), "--to", folder.path(target)]
        let code = FilesAdmin.run(.backup, arguments: arguments, environment: [:]) { said += $0 }
        return (code, said)
    }

    @Test func `a copy made under load is sound, and a region restored from it serves what it had`() throws {
        let service = try start("state")
        let client = try client(service)
        var random = SeededGenerator(for: "backups")
        var files: [String: [UInt8]] = [:]
        for index in 0..<6 {
            files["kept \(index)"] = random.bytes(count: index.isMultiple(of: 2) ? Limits.spanBytes + index : 300)
        }
        for (name, bytes) in files {
            let path = "/v1/paths/\(name.replacing(" ", with: "%20"))"
            #expect(try client.send(.put, path, bytes).status == .created)
        }
        // Somebody goes on writing and replacing, so that there is garbage all the time.
        let isDone = Lock(false)
        let isBusy = Gate()
        let seed = random.bytes(count: 200_000)
        let writer = Thread(name: "load") {
            var round: UInt8 = 0
            while !isDone.withLock({ $0 }) {
                round &+= 1
                let bytes = seed.map { $0 &+ round }
                let answer = try? client.send(.put, "/v1/paths/busy", bytes)
                isBusy.open()
                guard let answer, answer.status.isSuccess else { return }
            }
        }
        isBusy.wait()
        let first = backUp("state", to: "backup")
        #expect(first.code == 0, "\(first.said)")
        #expect(try client.send(.put, "/v1/paths/later", [1]).status == .created)
        let second = backUp("state", to: "backup")
        isDone.withLock { $0 = true }
        writer.join()
        #expect(second.code == 0, "\(second.said)")
        service.stop()

        // The restored region says first that it came back, as docs/backup.md has it.
        let restored = FilesAdmin.run(.restored, arguments: ["--state", folder.path("backup")], environment: [:]) { _ in
        }
        #expect(restored == 0)
        let again = try start("backup")
        defer { again.stop() }
        let other = try self.client(again)
        for (name, bytes) in files {
            #expect(try other.send(.get, "/v1/paths/\(name.replacing(" ", with: "%20"))").body == bytes)
        }
        #expect(try other.send(.get, "/v1/paths/later").body == [1])
        let busy = try other.send(.get, "/v1/paths/busy")
        #expect(busy.status == .ok && busy.body.count == seed.count)
        #expect(try other.tree().epoch > 1)
        // What was forgotten is taken again, not believed to be there.
        #expect(try other.send(.put, "/v1/paths/new", seed).status == .created)
        #expect(try other.send(.get, "/v1/paths/new").body == seed)
    }

    @Test func `a backup needs to know where to, and is no way for what has its own`() {
        var said = ""
        let nowhere = FilesAdmin.run(.backup, arguments: ["--state", folder.path("s")], environment: [:]) { said += $0 }
        #expect(nowhere == 2 && said.contains("to"))
        let arguments = ["--state", folder.path("s"), "--to", folder.path("b"), "--database", "postgres://localhost/x"]
        let shared = FilesAdmin.run(.backup, arguments: arguments, environment: [:]) { said += $0 }
        #expect(shared == 1 && said.contains("docs/backup.md"))
    }
}
