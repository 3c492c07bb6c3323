import DaleksCore
import DaleksHTTP
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

@testable import DaleksHTTPClient

#if DALEKS_SANITIZE
private let isMeasurable = false
#else
private let isMeasurable = true
#endif

/// A body of 256 MiB passes through, and the process grows by little. Other tests run in this process too, so the bound
/// is half of the body: whoever held it whole would break it at once.
@Suite(.serialized, .enabled(if: isMeasurable, "a sanitizer keeps freed memory for a while"))
struct MemoryTests {
    private static let bodyBytes = 256 << 20
    private static let growthBytesMax = 128 << 20
    private let client = HTTPClient.forTests()

    /// Samples the resident size until the body returns; the growth over what it was.
    private func growth(while body: () throws -> Void) rethrows -> Int {
        let before = Self.residentBytes()
        let (isDone, peak) = (Gate(), Lock(0))
        let sampler = Thread(name: "sampler") {
            while !isDone.wait(timeout: .milliseconds(2)) {
                let now = Self.residentBytes()
                peak.withLock { $0 = max($0, now) }
            }
        }
        defer {
            isDone.open()
            sampler.join()
        }
        try body()
        return peak.withLock { $0 } - before
    }

    private static func residentBytes() -> Int {
        guard let file = try? FileDescriptor.open("/proc/self/statm", 0) else { return 0 }
        var buffer = [UInt8](repeating: 0, count: 200)
        let count = buffer.withUnsafeMutableBytes { (try? file.read(into: $0)) ?? 0 }
        let words = String(decoding: buffer[..<count], as: UTF8.self).split(separator: " ")
        return (words.count > 1 ? Int(words[1]) ?? 0 : 0) * 4_096
    }

    private func receiving() throws -> RawServer {
        try RawServer { request, connection in
            let count = request.field("Content-Length").flatMap { Int($0) } ?? 0
            connection.respond(200, body: "\(connection.discard(count: count))")
        }
    }

    @Test func `an upload from a file`() throws {
        let server = try receiving()
        // A hole reads like any file.
        let descriptor = try FileDescriptor.open("/tmp", O_RDWR | unnamedFile)
        try descriptor.truncate(to: Int64(Self.bodyBytes))
        let file = FileSource(descriptor)

        let growth = try growth {
            let response = try client.send(
                ClientRequest(.put, server.url, body: .file(file, offset: 0, count: Int64(Self.bodyBytes)))
            )
            #expect(String(decoding: response.body, as: UTF8.self) == "\(Self.bodyBytes)")
        }

        #expect(growth < Self.growthBytesMax)
        print("upload of 256 MiB: memory grew by \(growth >> 10) KiB")
    }

    @Test func `a download to a slow sink`() throws {
        let piece = [UInt8](repeating: 1, count: 1 << 20)
        let server = try RawServer { _, connection in
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(Self.bodyBytes)\r\n\r\n")
            for _ in 0..<(Self.bodyBytes >> 20) { connection.send(piece) }
        }
        let received = Lock(0)
        let sink = ClientRequest.Sink.stream { buffer in
            usleep(100)
            received.withLock { $0 += buffer.count }
            return true
        }

        let growth = try growth { _ = try client.send(ClientRequest(.get, server.url, sink: sink)) }

        #expect(received.withLock { $0 } == Self.bodyBytes)
        #expect(growth < Self.growthBytesMax)
        print("download of 256 MiB: memory grew by \(growth >> 10) KiB")
    }
}
