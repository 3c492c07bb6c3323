import DaleksSystem
import DaleksTestSupport
import Glibc

/// A request as it came over the wire.
struct RawRequest: Sendable {
    let method: String
    let target: String
    let fields: [(name: String, value: String)]
    /// Requests that came before it on its connection.
    let earlierCount: Int

    func field(_ name: String) -> String? { fields.first { $0.name.lowercased() == name.lowercased() }?.value }
}

/// A server whose handler writes raw bytes, so that it can misbehave in every way. One thread for each connection.
///
/// ## Concurrency
/// `state` has a lock; handlers run on their connection's thread.
final class RawServer: Sendable {
    struct Counts: Sendable {
        var connections = 0
        var requests = 0
        var running = 0
        var runningMax = 0
    }

    typealias Handler = @Sendable (RawRequest, RawConnection) -> Void

    let port: UInt16
    private let handler: Handler
    private let state = Lock(Counts())
    private let listener: Int32

    init(_ handler: @escaping Handler) throws {
        let listener = try LoopbackSocket.listen()
        port = try LoopbackSocket.port(of: listener)
        self.handler = handler
        self.listener = listener.release()
        let raw = self.listener
        _ = Thread(name: "raw-accept") { [weak self] in
            while let connection = try? LoopbackSocket.accept(from: raw) {
                guard let self else { return }
                state.withLock { $0.connections += 1 }
                let descriptor = connection.release()
                _ = Thread(name: "raw-serve") { [weak self] in
                    let connection = RawConnection(descriptor)
                    while let request = connection.readHead(), let self, serve(request, connection) {}
                }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    var url: String { "http://127.0.0.1:\(port)" }
    var counts: Counts { state.withLock { $0 } }

    private func serve(_ request: RawRequest, _ connection: RawConnection) -> Bool {
        state.withLock { counts in
            counts.requests += 1
            counts.running += 1
            counts.runningMax = max(counts.runningMax, counts.running)
        }
        handler(request, connection)
        state.withLock { $0.running -= 1 }
        return !connection.isClosed
    }
}

/// The server's end of one connection. It belongs to its thread.
final class RawConnection {
    private let descriptor: Int32
    private var buffered: [UInt8] = []
    private(set) var isClosed = false
    private var requestCount = 0

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { if !isClosed { Glibc.close(descriptor) } }

    /// Nil at the end of the connection.
    func readHead() -> RawRequest? {
        guard !isClosed else { return nil }
        while true {
            if let end = endOfHead() {
                let head = String(decoding: buffered[..<end], as: UTF8.self)
                buffered.removeFirst(end + 4)
                defer { requestCount += 1 }
                return parse(head)
            }
            guard receive() else { return nil }
        }
    }

    /// The body that the head announces. Nil when it broke off.
    func readBody(of request: RawRequest) -> [UInt8]? {
        if request.field("Transfer-Encoding") == "chunked" { return readChunks() }
        let count = request.field("Content-Length").flatMap { Int($0) } ?? 0
        return read(count: count)
    }

    /// Reads and forgets; says how many came.
    func discard(count: Int) -> Int {
        var done = min(count, buffered.count)
        buffered.removeFirst(done)
        var scratch = [UInt8](repeating: 0, count: 256 << 10)
        while done < count {
            let got = recv(descriptor, &scratch, min(scratch.count, count - done), 0)
            guard got > 0 else { break }
            done += got
        }
        return done
    }

    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    func respond(_ status: Int, _ fields: String = "", body: String = "") {
        send("HTTP/1.1 \(status) Some\r\nContent-Length: \(body.utf8.count)\r\n\(fields)\r\n\(body)")
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        Glibc.close(descriptor)
    }

    func reset() {
        LoopbackSocket.resetOnClose(descriptor)
        close()
    }

    /// Returns when the client closed, or after the time.
    func waitForEnd(milliseconds: Int32 = 20_000) {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        _ = poll(&entry, 1, milliseconds)
    }

    /// Reads nothing for so long.
    func waitForSilence(milliseconds: Int) {
        usleepMilliseconds(milliseconds)
        close()
    }

    private func read(count: Int) -> [UInt8]? {
        while buffered.count < count { guard receive() else { return nil } }
        defer { buffered.removeFirst(count) }
        return Array(buffered[..<count])
    }

    private func readChunks() -> [UInt8]? {
        var body: [UInt8] = []
        while true {
            while endOfLine() == nil { guard receive() else { return nil } }
            guard let end = endOfLine() else { return nil }
            guard let size = Int(String(decoding: buffered[..<end], as: UTF8.self), radix: 16) else { return nil }
            buffered.removeFirst(end + 2)
            guard let chunk = read(count: size + 2) else { return nil }
            guard size > 0 else { return body }
            body += chunk.dropLast(2)
        }
    }

    private func receive() -> Bool {
        var scratch = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(descriptor, &scratch, scratch.count, 0)
        guard count > 0 else { return false }
        buffered += scratch[..<count]
        return true
    }

    private func endOfLine() -> Int? { buffered.firstIndex(of: 13) }

    private func endOfHead() -> Int? {
        guard buffered.count >= 4 else { return nil }
        return (0...(buffered.count - 4)).first { Array(buffered[$0..<($0 + 4)]) == [13, 10, 13, 10] }
    }

    private func parse(_ head: String) -> RawRequest {
        let lines = head.split(separator: "\r\n").map(String.init)
        let words = lines[0].split(separator: " ").map(String.init)
        let fields = lines.dropFirst().map { line in
            let name = line.prefix { $0 != ":" }
            return (name: String(name), value: String(line.dropFirst(name.count + 1).drop { $0 == " " }))
        }
        return RawRequest(method: words[0], target: words[1], fields: fields, earlierCount: requestCount)
    }
}
