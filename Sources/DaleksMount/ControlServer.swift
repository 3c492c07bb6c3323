public import DaleksAPI
import DaleksJSON
public import DaleksSystem

/// Answers the command line on a socket in the state folder, which only the mount's user can reach.
///
/// ## Concurrency
/// One thread accepts; each caller is served on a thread of a small pool, so that one who waits for a drain holds
/// nobody else up.
public final class ControlServer: Sendable {
    private let listener: FileDescriptor
    private let answer: @Sendable (ControlRequest) -> ControlAnswer
    private let pool = WorkerPool(name: "control", threadCountMax: 4, waitingCountMax: 16)
    private let logger: Logger
    private let threads = Lock<[Thread]>([])

    public init(
        path: String,
        logger: Logger,
        answer: @escaping @Sendable (ControlRequest) -> ControlAnswer
    ) throws(Errno) {
        listener = try UnixSocket.listen(at: path)
        self.logger = logger
        self.answer = answer
    }

    public func start() {
        let thread = Thread(name: "control") { [self] in serve() }
        threads.withLock { $0.append(thread) }
    }

    public func stop() {
        UnixSocket.shutDown(listener)
        for thread in threads.withLock({ $0 }) { thread.join() }
        pool.close()
    }

    private func serve() {
        while true {
            do throws(Errno) {
                let socket = try UnixSocket.accept(on: listener)
                try UnixSocket.setTimeout(.seconds(10), on: socket)
                // The closure is copyable and the descriptor is not: the number goes in and is owned again inside.
                let raw = socket.release()
                let accepted = pool.submit { [self] in answer(FileDescriptor(owning: raw)) }
                if !accepted { _ = FileDescriptor(owning: raw) }
            } catch {
                // Shut down: the only reason for which accept ends on a listener that we hold.
                return
            }
        }
    }

    private func answer(_ socket: consuming FileDescriptor) {
        do throws(Errno) {
            guard let line = try UnixSocket.readLine(from: socket, bytesMax: ControlLimits.lineBytesMax) else { return }
            var reply: [UInt8]
            do throws(JSONError) {
                reply = answer(try ControlRequest(json: try JSONValue.parse(line))).jsonBytes
            } catch {
                reply = JSONObject([("failure", .string("the daemon does not understand this: \(error)"))]).jsonBytes
            }
            reply.append(UInt8(ascii: "\n"))
            try socket.writeAll(reply)
        } catch {
            logger.debug("a caller of the control socket went away", ["errno": error])
        }
    }
}
