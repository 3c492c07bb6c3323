import DaleksHTTP
import DaleksHTTPServer
import DaleksSystem
import Glibc
import Testing

/// A server on a free port for the length of one test.
final class TestServer {
    let server: HTTPServer
    var port: UInt16 { server.port }

    init(
        _ change: (inout HTTPServerConfiguration) -> Void = { _ in },
        logger: Logger = .silent,
        routes: (inout Router) -> Void
    ) throws {
        var configuration = HTTPServerConfiguration()
        configuration.workers = 4
        change(&configuration)
        var router = Router()
        routes(&router)
        server = try HTTPServer(configuration, router: router, logger: logger)
        try server.start()
    }

    deinit { server.stop() }

    func connect(receiveBufferBytes: Int32? = nil) throws -> RawClient {
        try RawClient(port: port, receiveBufferBytes: receiveBufferBytes)
    }

    func get(_ target: String, _ fields: String = "") throws -> RawClient.Reply {
        try #require(try connect().get(target, fields))
    }
}

/// A folder of one test's own, gone with the value.
final class TestFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/daleks-http-XXXXXX".utf8CString)
        path = try #require(mkdtemp(&template).map { String(cString: $0) })
    }

    deinit {
        for name in (try? Self.names(in: path)) ?? [] { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let file = try FileDescriptor.open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC)
        try file.writeAll(bytes)
        return "\(path)/\(name)"
    }

    private static func names(in path: String) throws -> [String] {
        guard let stream = opendir(path) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}

/// Waits until something holds; false when five seconds passed.
func eventually(_ condition: () -> Bool) -> Bool {
    for _ in 0..<1_000 {
        if condition() { return true }
        usleep(5_000)
    }
    return condition()
}

/// The same bytes for the same seed.
func seededBytes(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed | 1
    return (0..<count).map { _ in
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return UInt8(truncatingIfNeeded: state)
    }
}
