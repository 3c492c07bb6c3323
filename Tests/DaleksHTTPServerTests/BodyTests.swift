import DaleksCore
import DaleksHTTP
import DaleksHTTPServer
import DaleksSystem
import Glibc
import Testing

@Suite struct BodyTests {
    @Test func `a long upload reaches the handler whole, however it is cut`() throws {
        let server = try TestServer { router in
            router.on(.put, "/sum", body: .unlimited) { request, _ throws(APIError) in
                var (count, sum) = (0, 0)
                try request.body.forEach { chunk throws(APIError) in
                    count += chunk.count
                    for byte in chunk { sum &+= Int(byte) }
                }
                return .text("\(count) \(sum)")
            }
        }
        let bytes = seededBytes(3_000_000)
        let expected = "\(bytes.count) \(bytes.reduce(0) { $0 + Int($1) })"

        let client = try server.connect()
        client.send("PUT /sum HTTP/1.1\r\nHost: a\r\nContent-Length: \(bytes.count)\r\n\r\n")
        client.send(bytes)
        #expect(client.readReply()?.text == expected)

        client.send("PUT /sum HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        var offset = 0
        for size in [1, 15, 16, 4_095, 4_096, 100_000, 1_000_000, bytes.count] where offset < bytes.count {
            let piece = Array(bytes[offset..<min(bytes.count, offset + size)])
            client.send("\(String(piece.count, radix: 16));ext=1\r\n")
            client.send(piece)
            client.send("\r\n")
            offset += piece.count
        }
        client.send("0\r\nTrailer: x\r\n\r\n")
        #expect(client.readReply()?.text == expected)
    }

    @Test func `a handler that does not read makes its client wait`() throws {
        let go = Gate()
        let server = try TestServer { router in
            router.on(.put, "/slow", body: .unlimited) { request, _ throws(APIError) in
                go.wait(timeout: .seconds(10))
                var count = 0
                try request.body.forEach { chunk throws(APIError) in count += chunk.count }
                return .text("\(count)")
            }
        }
        let client = try server.connect()
        let total = 64 << 20
        client.send("PUT /slow HTTP/1.1\r\nHost: a\r\nContent-Length: \(total)\r\n\r\n")

        client.setTimeout(milliseconds: 300)
        let sent = client.send([UInt8](repeating: 7, count: total))
        #expect(sent < 32 << 20)
        go.open()
        client.setTimeout(milliseconds: 5_000)
        client.send([UInt8](repeating: 7, count: total - sent))
        #expect(client.readReply()?.text == "\(total)")
    }

    @Test func `a client that asks first is told to go on when the handler reads, and not before`() throws {
        let server = try TestServer { router in
            router.on(.put, "/takes") { request, _ throws(APIError) in .bytes(try request.body.bytes(max: 100)) }
            router.on(.put, "/refuses") { _, _ throws(APIError) in throw .forbidden("no") }
        }
        let head = "HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"

        let taken = try server.connect()
        taken.send("PUT /takes \(head)")
        #expect(taken.readReply()?.status == 100)
        taken.send("hello")
        #expect(taken.readReply()?.text == "hello")

        let refused = try server.connect()
        refused.send("PUT /refuses \(head)")
        #expect(refused.readReply()?.status == 403)
        #expect(refused.seesEnd())

        let unknown = try server.connect()
        unknown.send("PUT /unknown \(head)")
        #expect(unknown.readReply()?.status == 404)
    }

    @Test func `who is refused while still sending gets to read why`() throws {
        let server = try TestServer { router in
            router.on(.put, "/refuses", body: .limited(to: 16 << 20)) { _, _ throws(APIError) in
                throw .forbidden("no")
            }
        }
        let bytes = [UInt8](repeating: 7, count: 8 << 20)
        for path in ["refuses", "unknown"] {
            let client = try server.connect()
            client.send("PUT /\(path) HTTP/1.1\r\nHost: a\r\nContent-Length: \(bytes.count)\r\n\r\n")
            client.send(bytes)
            #expect(client.readReply()?.status == (path == "refuses" ? 403 : 404))
        }
    }

    @Test func `chunks beyond the route's limit are 413`() throws {
        let server = try TestServer { router in
            router.on(.put, "/small", body: .limited(to: 1_000)) { request, _ throws(APIError) in
                var count = 0
                try request.body.forEach { chunk throws(APIError) in count += chunk.count }
                return .text("\(count)")
            }
        }
        let client = try server.connect()

        client.send("PUT /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in 0..<3 { client.send("200\r\n\(String(repeating: "a", count: 512))\r\n") }
        client.send("0\r\n\r\n")

        #expect(client.readReply()?.status == 413)
    }

    @Test func `a handler learns that its client went away in the middle`() throws {
        let seen = Lock<String?>(nil)
        let server = try TestServer { router in
            router.on(.put, "/cut") { request, _ throws(APIError) in
                do throws(APIError) {
                    _ = try request.body.bytes(max: 1 << 20)
                } catch {
                    seen.withLock { $0 = error.detail }
                    throw error
                }
                return .empty()
            }
        }
        do {
            let client = try server.connect()
            client.send("PUT /cut HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nonly this")
            usleep(50_000)
        }

        #expect(eventually { seen.withLock { $0 } != nil })
        #expect(eventually { server.server.connectionCount == 0 })
    }

    @Test func `files are sent whole, in one range and in several`() throws {
        let folder = try TestFolder()
        let bytes = seededBytes(1_000_000)
        let path = try folder.write("content", bytes)
        let file = try FileSource(FileDescriptor.open(path, O_RDONLY))
        let server = try TestServer { router in
            router.on(.get, "/file") { _, _ throws(APIError) in
                .file(file, contentType: "image/png").with("ETag", "\"1\"")
            }
        }
        let client = try server.connect()

        let whole = client.get("/file")
        #expect(whole?.body == bytes)
        #expect(whole?.fields["Accept-Ranges"] == "bytes")
        #expect(client.get("/file", "Range: bytes=1000-1999\r\n")?.body == Array(bytes[1_000..<2_000]))
        #expect(client.get("/file", "Range: bytes=-1\r\n")?.body == Array(bytes.suffix(1)))
        #expect(client.get("/file", "If-None-Match: \"1\"\r\n")?.status == 304)
        #expect(client.get("/file", "Range: bytes=1000000-\r\n")?.status == 416)
        let parts = try #require(client.get("/file", "Range: bytes=0-99999,500000-999999\r\n"))
        #expect(parts.status == 206)
        let boundary = try #require(parts.fields["Content-Type"]).split(separator: "boundary=")[1]
        let expected =
            Array("--\(boundary)\r\nContent-Type: image/png\r\nContent-Range: bytes 0-99999/1000000\r\n\r\n".utf8)
            + bytes[..<100_000]
            + Array(
                "\r\n--\(boundary)\r\nContent-Type: image/png\r\nContent-Range: bytes 500000-999999/1000000\r\n\r\n"
                    .utf8
            )
            + bytes[500_000...] + Array("\r\n--\(boundary)--\r\n".utf8)
        #expect(parts.body == expected)
    }

    @Test func `a stream comes in its pieces, and breaks where it fails`() throws {
        let server = try TestServer { router in
            router.on(.get, "/stream/:count") { _, context throws(APIError) in
                let count = try context.parameters.integer("count")
                let position = Lock(Int64(0))
                return .stream { () throws(APIError) in
                    let index = position.withLock { position in
                        position += 1
                        return position
                    }
                    if index > count { return nil }
                    if index == 100 { throw .internalError("the store is gone") }
                    return [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: 10_000)
                }
            }
        }

        let whole = try server.get("/stream/50")
        #expect(whole.fields["Transfer-Encoding"] == "chunked")
        #expect(whole.body == (1...50).flatMap { [UInt8](repeating: UInt8($0), count: 10_000) })
        #expect(try server.connect().get("/stream/200") == nil)
        let old = try server.connect()
        old.send("GET /stream/3 HTTP/1.0\r\n\r\n")
        #expect(old.readReply()?.body.count == 30_000)
    }

    /// Bytes that are at hand now and then.
    private struct Fickle: ReadyContent {
        let bytes: ArraySlice<UInt8>
        let calls = Lock(0)

        var count: Int { bytes.count }

        func copy(into buffer: UnsafeMutableRawBufferPointer, from start: Int) -> Int? {
            let call = calls.withLock { calls in
                calls += 1
                return calls
            }
            guard call % 3 != 0 else { return nil }
            let count = min(buffer.count, bytes.count - start, 100_000)
            bytes.withUnsafeBytes { source in
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[start..<start + count]))
            }
            return count
        }

        func read(from start: Int) throws(APIError) -> [UInt8] {
            guard bytes.count > 1 else { throw .internalError("this one is damaged") }
            return Array(bytes.dropFirst(start))
        }
    }

    @Test func `what is ready is sent from where it lies, and what turns out not to be is read`() throws {
        let bytes = seededBytes(5 << 20)
        let server = try TestServer { router in
            router.on(.get, "/ready/:count") { _, context throws(APIError) in
                let size = Int64(try context.parameters.integer("count"))
                return .source(
                    ContentSource(
                        size: size,
                        read: { offset, count throws(APIError) in Array(bytes[Int(offset)...].prefix(min(count, 77))) },
                        ready: { offset, count throws(APIError) in
                            // Every second piece is read.
                            offset % 2 == 0 ? Fickle(bytes: bytes[Int(offset)...].prefix(min(count, 300_001))) : nil
                        }
                    )
                )
            }
        }

        for size in [0, 1, 2, 77, 300_000, 1_000_000, 5 << 20] {
            #expect(try server.get("/ready/\(size)").body == Array(bytes[..<size]), "\(size)")
        }
        let part = try server.get("/ready/1000000", "Range: bytes=12345-999998\r\n")
        #expect(part.status == 206 && part.body == Array(bytes[12_345..<999_999]))
    }

    @Test func `a slow reader holds neither a worker nor much memory`() throws {
        let made = Lock(0)
        let server = try TestServer {
            $0.workers = 1
        } routes: { router in
            router.on(.get, "/long") { _, _ throws(APIError) in
                let source = ContentSource(size: 64 << 20) { _, count throws(APIError) in
                    made.withLock { $0 += count }
                    return [UInt8](repeating: 1, count: count)
                }
                return .source(source)
            }
            router.on(.get, "/other") { _, _ throws(APIError) in .text("other") }
        }
        let slow = try server.connect(receiveBufferBytes: 4_096)
        slow.send("GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(slow.readHead()?.status == 200)

        usleep(200_000)
        #expect(made.withLock { $0 } < 16 << 20)
        #expect(try server.get("/other").text == "other")
        slow.setTimeout(milliseconds: 5_000)
        #expect(slow.read(count: 8 << 20)?.count == 8 << 20)
    }
}
