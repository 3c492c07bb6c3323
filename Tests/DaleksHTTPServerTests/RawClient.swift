import DaleksHTTP
import DaleksSystem
import Glibc

/// A client that sends whatever bytes a test wants and reads what comes back, with a bound on every wait.
final class RawClient {
    struct Reply {
        let status: Int
        let fields: HTTPFields
        let body: [UInt8]

        var text: String { String(decoding: body, as: UTF8.self) }
    }

    let socket: FileDescriptor
    private var buffer: [UInt8] = []
    private var isAtEnd = false

    init(port: UInt16, receiveBufferBytes: Int32? = nil) throws(Errno) {
        socket = FileDescriptor(
            owning: try checking { Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) }
        )
        if var size = receiveBufferBytes {
            setsockopt(socket.raw, SOL_SOCKET, SO_RCVBUF, &size, 4)
        }
        setTimeout(milliseconds: 5_000)
        var yes: Int32 = 1
        setsockopt(socket.raw, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, 4)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let raw = socket.raw
        let result = withUnsafeBytes(of: &address) { bytes in
            connect(raw, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress, socklen_t(bytes.count))
        }
        if result != 0 { throw Errno.last }
    }

    /// Received and not read yet.
    var unread: [UInt8] { buffer }

    func setTimeout(milliseconds: Int) {
        var time = timeval(tv_sec: milliseconds / 1_000, tv_usec: milliseconds % 1_000 * 1_000)
        setsockopt(socket.raw, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(socket.raw, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    /// Bytes that were taken before the connection broke or the time passed.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Int {
        bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let rest = UnsafeRawBufferPointer(rebasing: buffer[done...])
                let count = Glibc.send(socket.raw, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
                if count <= 0 { break }
                done += count
            }
            return done
        }
    }

    @discardableResult
    func send(_ text: String) -> Int { send(Array(text.utf8)) }

    func endSending() { shutdown(socket.raw, Int32(SHUT_WR)) }

    /// False at the end, after an error, or when the time passed.
    private func receive() -> Bool {
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(socket.raw, &chunk, chunk.count, 0)
        if count == 0 { isAtEnd = true }
        guard count > 0 else { return false }
        buffer += chunk[..<count]
        return true
    }

    /// The connection ended (in whatever way) within the time.
    func seesEnd() -> Bool {
        while receive() {}
        return isAtEnd || errno == ECONNRESET
    }

    /// Bytes up to and with `mark`; nil where they do not come.
    func read(through mark: String) -> String? {
        let mark = Array(mark.utf8)
        while true {
            if let end = position(of: mark) {
                defer { buffer.removeFirst(end) }
                return String(decoding: buffer[..<end], as: UTF8.self)
            }
            if !receive() { return nil }
        }
    }

    private func position(of mark: [UInt8]) -> Int? {
        guard buffer.count >= mark.count else { return nil }
        for start in 0...(buffer.count - mark.count) where buffer[start..<start + mark.count].elementsEqual(mark) {
            return start + mark.count
        }
        return nil
    }

    func read(count: Int) -> [UInt8]? {
        while buffer.count < count { if !receive() { return nil } }
        defer { buffer.removeFirst(count) }
        return Array(buffer[..<count])
    }

    /// The head of the next answer.
    func readHead() -> (status: Int, fields: HTTPFields)? {
        guard let head = read(through: "\r\n\r\n") else { return nil }
        let lines = head.split(separator: "\r\n")
        let words = lines[0].split(separator: " ")
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else { return nil }
        var fields = HTTPFields()
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { return nil }
            fields.append(
                String(line[..<colon]),
                String(line[line.index(after: colon)...].drop { $0 == " " })
            )
        }
        return (status, fields)
    }

    /// The next whole answer; nil where none comes.
    func readReply(isHead: Bool = false) -> Reply? {
        guard let (status, fields) = readHead() else { return nil }
        var body: [UInt8] = []
        if isHead || status == 204 || status == 304 || status < 200 {
            return Reply(status: status, fields: fields, body: [])
        } else if let length = fields["Content-Length"].flatMap({ Int($0) }) {
            guard let bytes = read(count: length) else { return nil }
            body = bytes
        } else if fields["Transfer-Encoding"] == "chunked" {
            while true {
                guard let line = read(through: "\r\n"), let size = Int(line.dropLast(1), radix: 16),
                    let bytes = read(count: size), read(through: "\r\n") != nil
                else { return nil }
                if size == 0 { break }
                body += bytes
            }
        } else {
            while receive() {}
            guard isAtEnd else { return nil }
            body = buffer
            buffer = []
        }
        return Reply(status: status, fields: fields, body: body)
    }

    /// Sends a request without a body and reads its answer.
    func get(_ target: String, _ fields: String = "") -> Reply? {
        send("GET \(target) HTTP/1.1\r\nHost: test\r\n\(fields)\r\n")
        return readReply()
    }
}
