import DaleksHTTP
import DaleksHTTPServer
import DaleksSystem
import Glibc

enum BenchServer {
    static func run(_ arguments: [String]) {
        guard let folder = arguments.first else { fail("usage: bench-http-server FOLDER [EVENT_THREADS]") }
        var configuration = HTTPServerConfiguration()
        configuration.eventThreads = arguments.dropFirst().first.flatMap { Int($0) } ?? 2
        configuration.workers = 4
        configuration.grants.connectionsMax = 20_000
        configuration.grants.connectionsPerClientMax = 20_000
        do {
            let server = try HTTPServer(
                configuration,
                router: router(folder: folder),
                logger: .standard(level: .warning)
            )
            try server.start()
            print(server.port)
            fflush(nil)
            var byte: UInt8 = 0
            while read(STDIN_FILENO, &byte, 1) > 0 {}
            server.drain(timeout: .seconds(2))
        } catch {
            fail("\(error)")
        }
    }

    private static func router(folder: String) throws -> Router {
        var router = Router()
        let file = try FileSource(FileDescriptor.open("\(folder)/file", O_RDONLY))
        router.on(.get, "/small", runs: .event) { _, _ throws(APIError) in .text("hello, world\n") }
        router.on(.get, "/work") { _, _ throws(APIError) in .text("hello, world\n") }
        router.on(.get, "/file", runs: .event) { _, _ throws(APIError) in .file(file) }
        let parking = ParkingLot()
        router.on(.get, "/park", runs: .event) { _, _ throws(APIError) in .parked { parking.keep($0) } }
        router.on(.get, "/release", runs: .event) { _, _ throws(APIError) in .text("\(parking.release())\n") }
        router.on(.put, "/upload", body: .unlimited) { request, _ throws(APIError) in
            .text("\(try store(request, in: folder))\n")
        }
        router.on(.get, "/block") { _, _ throws(APIError) in
            sleep(1)
            return .text("done\n")
        }
        return router
    }

    private static func store(_ request: HTTPRequest, in folder: String) throws(APIError) -> Int64 {
        var offset: Int64 = 0
        do {
            let file = try FileDescriptor.open("\(folder)/upload", O_WRONLY | O_CREAT | O_TRUNC)
            try request.body.forEach { chunk throws(APIError) in
                do { try file.write(chunk, at: offset) } catch { throw .internalError("\(error)") }
                offset += Int64(chunk.count)
            }
        } catch let error as APIError {
            throw error
        } catch {
            throw .internalError("\(error)")
        }
        return offset
    }

    private static func fail(_ message: String) -> Never {
        Logger.standard(level: .error).error("the bench server cannot run", ["reason": message])
        exit(1)
    }
}

/// Requests that wait until somebody lets them all go.
private final class ParkingLot: Sendable {
    private let parked = Lock<[Parked]>([])

    func keep(_ one: Parked) { parked.withLock { $0.append(one) } }

    func release() -> Int {
        let all = parked.withLock { parked in
            let all = parked
            parked = []
            return all
        }
        for one in all { one.complete(.text("released\n")) }
        return all.count
    }
}
