import DaleksAPI
import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

/// What a region tells about itself to those who watch over it.
struct MeasureTests {
    @Test(.needs(.program("promtool", package: "prometheus")))
    func `everything that operators watch is told, and promtool has nothing against it`() throws {
        let folder = ScratchFolder()
        let users = try TestUsers()
        var settings = FilesSettings(region: "test", stateFolder: folder.path("state"), usersURL: users.url)
        settings.collectInterval = .milliseconds(20)
        let service = try FilesService.start(settings, logger: .silent)
        defer { service.stop() }
        let url = service.publicURL
        let client = TestClient(url, token: try users.token(for: .random(at: .zero), audience: url))
        // Twice the same, well compressed; and one that is removed.
        let bytes = [UInt8](repeating: 65, count: 2 << 20)
        for name in ["a", "b", "c"] {
            #expect(try client.send(.put, "/v1/paths/\(name)", bytes).status == .created)
        }
        #expect(try client.send(.get, "/v1/paths/a").body == bytes)
        #expect(try client.send(.delete, "/v1/paths/b").status.isSuccess)
        #expect(try client.send(.get, "/v1/paths/nothing").status == .notFound)

        func metrics() throws -> String { String(decoding: try client.send(.get, "/metrics").body, as: UTF8.self) }
        let trash = "daleks_files_owned_bytes{of=\"trash\"} \(bytes.count)\n"
        #expect(eventually { (try? metrics().contains(trash)) == true })
        // That page may have been written while the sums changed under it, one line after the other; the next was not.
        let text = try metrics()

        for line in [
            "daleks_http_requests_total{route=\"/v1/paths/*path\",status=\"201\"} 3",
            "daleks_http_requests_total{route=\"/v1/paths/*path\",status=\"404\"} 1",
            "daleks_files_owned_bytes{of=\"files\"} \(2 * bytes.count)", "daleks_files_files 2",
            "daleks_files_trees 1", "daleks_files_chunks 1", "daleks_files_chunk_bytes{as=\"raw\"} \(1 << 20)",
            "daleks_files_chunk_bytes{as=\"garbage\"} 0", "daleks_files_deduplication_ratio 6",
        ] { #expect(text.contains(line + "\n"), "\(line)") }
        for name in [
            "daleks_http_received_bytes_total", "daleks_http_sent_bytes_total", "daleks_http_request_seconds_count",
            "daleks_files_storage_seconds_count", "daleks_http_workers_waiting", "daleks_http_workers_busy",
            "daleks_files_unpacked_chunks", "daleks_files_open_uploads", "daleks_files_feed_readers",
            "daleks_files_compression_ratio", "daleks_files_pending_erasures", "process_resident_memory_bytes",
        ] { #expect(text.contains("\n\(name)"), "\(name)") }
        let received = text.split(separator: "\n").first { $0.hasPrefix("daleks_http_received_bytes_total ") }
        #expect(received.flatMap { Double($0.split(separator: " ")[1]) }.map { $0 >= Double(3 * bytes.count) } == true)
        let result = try Subprocess.capture(
            Command("promtool", ["check", "metrics"], input: .bytes(Array(text.utf8))),
            timeout: .seconds(30)
        )
        #expect(result.ending == .exited(0), "\(result.outputText)\(result.errorText)")
        #expect(result.outputText.isEmpty && result.errorText.isEmpty)
    }
}
