import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksFiles

/// Large files that are read again are sent from where they lie, and each block is still recognised.
struct ReadySpanTests {
    let folder = ScratchFolder()
    let users: TestUsers
    let running: ServiceTests.RunningService
    let client: TestClient

    init() throws {
        users = try TestUsers()
        let settings = FilesSettings(region: "test", stateFolder: folder.path("state"), usersURL: users.url)
        running = try ServiceTests.RunningService(settings)
        let url = running.service.publicURL
        client = TestClient(url, token: try users.token(for: .random(at: .zero), audience: url))
    }

    private func read(_ range: Range<Int>? = nil) throws -> [UInt8] {
        let fields = range.map { [("Range", "bytes=\($0.lowerBound)-\($0.upperBound - 1)")] } ?? []
        let response = try client.send(.get, "/v1/paths/large", fields: fields)
        guard response.status.isSuccess else { throw TestFailure("\(response.status)") }
        return response.body
    }

    @Test(arguments: [Limits.spanBytes, 3 * Limits.spanBytes + 300_077])
    func `whole and in ranges, read once or more often`(size: Int) throws {
        var random = SeededGenerator(for: "ready spans")
        let bytes = random.bytes(count: size)
        #expect(try client.send(.put, "/v1/paths/large", bytes).status == .created)

        for _ in 0..<3 { #expect(try read() == bytes) }
        for _ in 0..<40 {
            let start = Int.random(in: 0..<size, using: &random)
            let range = start..<Int.random(in: start + 1...size, using: &random)
            #expect(try read(range) == Array(bytes[range]), "\(range)")
        }
    }

    @Test func `a byte that changed on the disk after it was proved is not sent`() throws {
        var random = SeededGenerator(for: "changed after it was proved")
        let bytes = random.bytes(count: 2 * Limits.spanBytes)
        #expect(try client.send(.put, "/v1/paths/large", bytes).status == .created)
        for _ in 0..<2 { #expect(try read() == bytes) }

        let chunks = folder.path("state/chunks")
        let segment = try #require(try Files.entries(of: chunks).first)
        let file = try FileDescriptor.open("\(chunks)/\(segment)", O_RDWR)
        // In the second chunk, whose bytes begin behind two headers.
        let position = Int64(Limits.spanBytes + 128 + 700_000)
        let changed = [bytes[Limits.spanBytes + 700_000] ^ 1]
        try changed.withUnsafeBytes { try file.write($0, at: position) }

        #expect(throws: (any Error).self) { try read() }
        #expect(try read(0..<Limits.spanBytes) == Array(bytes[..<Limits.spanBytes]))
        #expect(throws: (any Error).self) { try read(Limits.spanBytes..<Limits.spanBytes + 10) }
        let metrics = try client.send(.get, "/metrics")
        let text = String(decoding: metrics.body, as: UTF8.self)
        #expect(text.contains("daleks_files_chunks_damaged_total") && !text.contains("chunks_damaged_total 0\n"))
    }
}
