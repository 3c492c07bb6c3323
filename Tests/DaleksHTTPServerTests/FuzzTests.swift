import DaleksHTTP
import DaleksHTTPServer
import DaleksSystem
import Glibc
import Testing

/// Requests that are wrong in every way we could think of, and mutations of them.
private struct RequestMaker {
    private var state: UInt64

    /// The case of that number under that seed, always the same.
    init(seed: UInt64, index: UInt64) {
        state = seed &+ index &* 0x9e37_79b9_7f4a_7c15
        for _ in 0..<3 { _ = word() }
    }

    private mutating func word() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    private mutating func number(below bound: Int) -> Int { Int(word() % UInt64(bound)) }
    private mutating func chance(_ one: Int) -> Bool { number(below: one) == 0 }
    private mutating func pick(_ texts: [String]) -> String { texts[number(below: texts.count)] }
    private mutating func noise(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: word()) } }

    mutating func request() -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0...(chance(4) ? number(below: 3) : 0) { bytes += one() }
        if chance(3) { mutate(&bytes) }
        return bytes
    }

    private mutating func one() -> [UInt8] {
        let end = chance(12) ? pick(["\n", "\r", "\r\r\n", "\n\r", ""]) : "\r\n"
        var bytes = Array(
            pick([
                "GET", "GET", "GET", "PUT", "PUT", "POST", "HEAD", "DELETE", "OPTIONS", "BREW", "get", "G@T", "",
                "CONNECT",
            ]).utf8
        )
        bytes += Array((chance(15) ? pick(["  ", "\t", ""]) : " ").utf8)
        bytes += target()
        bytes += Array(
            (chance(2)
                ? " HTTP/1.1"
                : pick([
                    " HTTP/1.1", " HTTP/1.1", " HTTP/1.1", " HTTP/1.0", " HTTP/2.0", " HTTP/0.9", " HTTP/1.9",
                    " http/1.1", "", " HTTP/1.1 ", " HTTP/11",
                ])).utf8
        )
        bytes += Array(end.utf8)
        if !chance(8) { bytes += Array("Host: a\(end)".utf8) }
        for _ in 0..<number(below: 5) { bytes += field() + Array(end.utf8) }
        bytes += body(end)
        return bytes
    }

    private mutating func target() -> [UInt8] {
        if chance(2) {
            return Array(pick(["/event", "/file", "/echo", "/ignores", "/rest/a/b?c=d", "/file?%20"]).utf8)
        }
        var bytes: [UInt8] = chance(10) ? [] : [UInt8(ascii: "/")]
        for _ in 0..<number(below: 5) {
            if chance(8) {
                bytes += noise(1 + number(below: 6))
            } else {
                bytes += Array(
                    pick([
                        "event", "file", "echo", "rest", "..", ".", "%2e%2e", "%2E", "%00", "%ff", "%c3%28", "%2f",
                        "%", "%zz", "é", "\u{0}", "http://", "*", "#", "?q=%", "?a=b&a=c", "?\u{0}", " ", "\\", ";x",
                        String(repeating: "a", count: 300), String(repeating: "../", count: 50),
                    ]).utf8
                )
            }
            if chance(2) { bytes.append(UInt8(ascii: "/")) }
        }
        if chance(60) { bytes += [UInt8](repeating: UInt8(ascii: "a"), count: 4_000 + number(below: 20_000)) }
        return bytes
    }

    private mutating func field() -> [UInt8] {
        if chance(20) { return noise(1 + number(below: 40)) }
        if chance(80) { return Array("X: ".utf8) + [UInt8](repeating: 97, count: number(below: 20_000)) }
        let isOdd = chance(12)
        let name =
            isOdd
            ? pick(["", "X Y", "Content-Length ", " X", "X\u{0}Y", "é", "Host"])
            : pick([
                "Range", "Range", "Range", "Range", "If-Range", "If-None-Match", "If-Match", "If-Modified-Since",
                "Content-Length",
                "Transfer-Encoding", "Expect", "Connection", "Cookie", "X-Forwarded-For", "Accept",
            ])
        let value = pick([
            "bytes=0-1", "bytes=-1", "bytes=5-1", "bytes=0-0,1-1,2-2", "bytes=99999999999999999999-", "bytes=",
            "bytes=0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-", "\"x\"", "W/\"x\"", "*", "\"", "5", "0",
            "-1", "+5",
            "18446744073709551616", "9223372036854775807", "5, 5", "0x5", "chunked", "gzip, chunked",
            "chunked, chunked",
            "identity", "100-continue", "close", "keep-alive, upgrade", "a=b; c=\"d", "Sun, 06 Nov 1994 08:49:37 GMT",
            "\u{0}", "é",
            "", "a\tb", "a\u{1}b", "127.0.0.1, ::1, x", String(repeating: ",", count: 100),
        ])
        let colon = chance(10) ? pick([":", " : ", "", ":\t"]) : ": "
        return Array((name + colon + value + (chance(20) ? "\r\n folded: more" : "")).utf8)
    }

    private mutating func body(_ end: String) -> [UInt8] {
        switch number(below: 6) {
        case 0: return Array(end.utf8)
        case 1: return Array("Content-Length: 5\(end)\(end)hello".utf8)
        case 2: return Array("Content-Length: 5\(end)\(end)hel".utf8)
        case 3:
            return Array("Content-Length: 100\(end)Expect: 100-continue\(end)\(end)".utf8) + noise(number(below: 100))
        case 4: return Array("Transfer-Encoding: chunked\(end)\(end)".utf8) + chunks()
        default: return Array("\(end)".utf8) + (chance(4) ? noise(number(below: 50)) : [])
        }
    }

    private mutating func chunks() -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<number(below: 5) {
            let size = number(below: 50)
            let text =
                chance(6)
                ? pick(["zz", "-1", "", "ffffffffffffffffff", "7fffffffffffffff", "0x5", " 5", "5 "])
                : String(size, radix: 16)
            bytes += Array(
                (text + (chance(4) ? ";ext=\"\u{1}\"" : "") + pick(["\r\n", "\r\n", "\r\n", "\n", "\r"])).utf8
            )
            bytes += noise(size)
            bytes += Array(pick(["\r\n", "\r\n", "\r\n", "\n", "", "x"]).utf8)
        }
        return bytes + Array(pick(["0\r\n\r\n", "0\r\nTrailer: x\r\n\r\n", "0\r\n", "", "0\r\nno colon\r\n\r\n"]).utf8)
    }

    private mutating func mutate(_ bytes: inout [UInt8]) {
        for _ in 0...number(below: 4) where !bytes.isEmpty {
            let position = number(below: bytes.count)
            switch number(below: 5) {
            case 0: bytes[position] = UInt8(truncatingIfNeeded: word())
            case 1: bytes.insert(contentsOf: noise(1 + number(below: 3)), at: position)
            case 2: bytes.removeSubrange(position..<min(bytes.count, position + 1 + number(below: 8)))
            case 3: bytes[position] = 0
            default:
                bytes.insert(contentsOf: bytes[position..<min(bytes.count, position + number(below: 30))], at: position)
            }
        }
    }
}

@Suite struct FuzzTests {
    @Test func `malformed requests neither crash the server nor make it fail`() throws {
        let environment = ["DALEKS_FUZZ_COUNT", "DALEKS_FUZZ_SEED"].map { (name: String) in
            getenv(name).flatMap { UInt64(String(cString: $0)) }
        }
        let count = environment[0] ?? 3_000
        let seed = environment[1] ?? Random.word() >> 1
        let folder = try TestFolder()
        let path = try folder.write("content", seededBytes(10_000))
        let file = try FileSource(FileDescriptor.open(path, O_RDONLY))
        let server = try TestServer {
            $0.grants.connectionsPerClientMax = 10_000
            $0.trustedProxies = [CIDR("127.0.0.1")].compactMap { $0 }
        } routes: { router in
            router.on(.get, "/event", runs: .event) { _, _ throws(APIError) in .text("event") }
            router.on(.post, "/event", runs: .event) { request, _ throws(APIError) in
                .bytes(try request.body.bytes(max: 1_000))
            }
            router.on(.get, "/file", runs: .event) { _, _ throws(APIError) in .file(file).with("ETag", "\"x\"") }
            router.on(.put, "/echo") { request, _ throws(APIError) in .bytes(try request.body.bytes(max: 1_000)) }
            router.on(.put, "/ignores") { _, _ throws(APIError) in .empty() }
            router.on(.get, "/rest/*all") { request, context throws(APIError) in
                .text("\(context.parameters.rest) \(request.query.all.count)")
            }
        }
        let port = server.port

        let statuses = Lock<[Int: Int]>([:])
        let failures = Lock<[String]>([])
        let threads = (0..<4).map { worker in
            Thread(name: "fuzz-\(worker)") {
                for index in stride(from: UInt64(worker), to: count, by: 4) {
                    if let failure = Self.run(port, seed, index, statuses) { failures.withLock { $0.append(failure) } }
                }
            }
        }
        for thread in threads { thread.join() }

        let seen = statuses.withLock { $0 }.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
        #expect(failures.withLock { $0 }.isEmpty, "replay with DALEKS_FUZZ_SEED=\(seed)")
        #expect(try server.get("/event").text == "event")
        #expect(eventually { server.server.connectionCount <= 1 }, "replay with DALEKS_FUZZ_SEED=\(seed)")
        print("fuzz: seed \(seed), \(count) requests, answers \(seen.joined(separator: ", "))")
    }

    private static func run(_ port: UInt16, _ seed: UInt64, _ index: UInt64, _ statuses: Lock<[Int: Int]>) -> String? {
        var maker = RequestMaker(seed: seed, index: index)
        let request = maker.request()
        guard let client = try? RawClient(port: port) else { return "case \(index): cannot connect" }
        client.send(request)
        client.endSending()
        let (answers, hasEnded) = client.readAnswers()
        statuses.withLock { statuses in
            for answer in answers { statuses[answer, default: 0] += 1 }
            if answers.isEmpty { statuses[0, default: 0] += 1 }
        }
        if let bad = answers.first(where: { $0 >= 500 && $0 != 501 && $0 != 505 }) {
            return "case \(index): status \(bad)"
        }
        let shown = String(decoding: request.prefix(600), as: UTF8.self).debugDescription
        return hasEnded ? nil : "case \(index): no end, answers \(answers): \(shown)"
    }
}

extension RawClient {
    /// The status of every answer until the connection ends, and whether it did.
    func readAnswers() -> (statuses: [Int], hasEnded: Bool) {
        var statuses: [Int] = []
        let hasEnded = seesEnd()
        for line in unread.split(separator: UInt8(ascii: "\n")) {
            // A body of ours never has such a line, and after a body of unknown end nothing follows.
            guard let start = line.lastRange(of: Array("HTTP/1.1 ".utf8)) else { continue }
            let digits = line[start...].prefix(3)
            if let status = Int(String(decoding: digits, as: UTF8.self)) { statuses.append(status) }
        }
        return (statuses, hasEnded)
    }
}

extension ArraySlice<UInt8> {
    /// Where the last occurrence ends.
    fileprivate func lastRange(of mark: [UInt8]) -> Int? {
        guard count >= mark.count else { return nil }
        for start in (startIndex...endIndex - mark.count).reversed()
        where self[start..<start + mark.count].elementsEqual(mark) { return start + mark.count }
        return nil
    }
}
