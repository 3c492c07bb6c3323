public import DaleksSystem
import Glibc

/// Answers a collector on this machine: `GET /metrics`, on 127.0.0.1 alone.
///
/// ## Concurrency
/// One thread, one caller after the other; each has a few seconds. A collector comes every quarter of a minute.
public final class MetricsServer: Sendable {
    private static let requestBytesMax = 8 << 10

    private let listener: FileDescriptor
    private let metrics: Metrics
    private let threads = Lock<[Thread]>([])

    public init(port: UInt16, metrics: Metrics) throws(Errno) {
        listener = try LoopbackPort.listen(port)
        self.metrics = metrics
    }

    public func start() {
        let thread = Thread(name: "metrics") { [self] in serve() }
        threads.withLock { $0.append(thread) }
    }

    public func stop() {
        UnixSocket.shutDown(listener)
        for thread in threads.withLock({ $0 }) { thread.join() }
    }

    private func serve() {
        while true {
            do throws(Errno) {
                let socket = try UnixSocket.accept(on: listener)
                // Whoever says nothing, or goes away, is nobody's loss.
                try? answer(socket)
            } catch {
                return
            }
        }
    }

    private func answer(_ socket: borrowing FileDescriptor) throws(Errno) {
        try UnixSocket.setTimeout(.seconds(3), on: socket)
        guard let head = try readHead(from: socket) else { return }
        let lines = head.split(separator: "\r\n").map(String.init)
        let words = lines.first.map { $0.split(separator: " ") } ?? []
        let host = lines.first { $0.lowercased().hasPrefix("host:") }?.dropFirst(5).filter { $0 != " " } ?? ""
        // A page in a browser that resolves a name of its own to this machine is not answered.
        let isHere = ["127.0.0.1", "localhost"].contains(String(host.prefix { $0 != ":" }))
        if !isHere {
            try reply("403 Forbidden", "text/plain", "only this machine is answered\n", to: socket)
        } else if words.count == 3, words[0] == "GET", words[1] == "/metrics" {
            try reply("200 OK", Metrics.contentType, metrics.prometheusText(), to: socket)
        } else {
            try reply("404 Not Found", "text/plain", "ask for /metrics\n", to: socket)
        }
    }

    /// To the empty line; nil where it is longer than any collector's or ends before.
    private func readHead(from socket: borrowing FileDescriptor) throws(Errno) -> String? {
        var head: [UInt8] = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 2_048, alignment: 1)
        defer { buffer.deallocate() }
        while head.count < Self.requestBytesMax {
            let count = try socket.read(into: buffer)
            guard count > 0 else { return nil }
            head += buffer[..<count]
            let text = String(decoding: head, as: UTF8.self)
            if text.contains("\r\n\r\n") { return text }
        }
        return nil
    }

    private func reply(
        _ status: String,
        _ type: String,
        _ body: String,
        to socket: borrowing FileDescriptor
    ) throws(Errno) {
        let head = "HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n"
        try socket.writeAll(Array("\(head)Connection: close\r\n\r\n\(body)".utf8))
    }
}
