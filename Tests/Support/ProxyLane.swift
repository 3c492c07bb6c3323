import DaleksCore
import DaleksSystem
import Glibc

/// One way through a `FaultProxy`'s connection: a reader puts bytes on the line, a writer takes them off when they have
/// travelled long enough.
///
/// ## Concurrency
/// `line` is guarded by its condition; the reader appends and the writer takes. The sockets outlive both threads.
final class ProxyLane: Sendable {
    /// How a lane came to its end.
    enum Ending { case ended, broken, truncated, closed }

    private struct Line {
        var pieces: [(due: Instant, bytes: [UInt8])] = []
        var head = 0
        var waitingBytes = 0
        var isSourceEnded = false
        var isSourceBroken = false
        var isClosed = false
    }

    private enum Next {
        case bytes([UInt8])
        case wait(Duration)
        case ending(Ending)
    }

    /// Bytes on the line: what a fast, long one holds, and little where there is no delay, so that a sender feels a
    /// receiver that stalls.
    private static let longLineBytesMax = 64 << 20
    private static let shortLineBytesMax = 256 << 10
    private static let readBytes = 64 << 10
    /// With a limited bandwidth, what goes out at a time.
    private static let pacedBytes = 4 << 10

    let isToServer: Bool
    private let proxy: FaultProxy
    private let source: Int32
    private let destination: Int32
    /// Readable once the connection closes.
    private let wakeEnd: Int32
    private let line = Condition(Line())

    init(proxy: FaultProxy, isToServer: Bool, source: Int32, destination: Int32, wakeEnd: Int32) {
        self.proxy = proxy
        self.isToServer = isToServer
        self.source = source
        self.destination = destination
        self.wakeEnd = wakeEnd
    }

    private var faults: FaultProxy.Direction { isToServer ? proxy.faults.toServer : proxy.faults.toClient }

    func close() {
        line.withLock { $0.isClosed = true }
        line.broadcast()
    }

    func faultsChanged() { line.broadcast() }

    // MARK: The reader

    func readUntilEnd() {
        var buffer = [UInt8](repeating: 0, count: Self.readBytes)
        while waitForRoom(), waitFor(source, POLLIN) {
            let count = recv(source, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count < 0, Errno.last == .tryAgain { continue }
            guard count > 0 else {
                end(isBroken: count < 0)
                return
            }
            let piece = Array(buffer[..<count])
            let due = TimeSource.system.now + faults.delay
            line.withLock { line in
                line.pieces.append((due, piece))
                line.waitingBytes += piece.count
            }
            line.broadcast()
        }
    }

    private func end(isBroken: Bool) {
        // The end travels like every byte: an empty piece behind the others, so that it is not early.
        let due = TimeSource.system.now + faults.delay
        line.withLock { line in
            line.pieces.append((due, []))
            line.isSourceEnded = true
            line.isSourceBroken = isBroken
        }
        line.broadcast()
    }

    /// False when the connection closed.
    private func waitForRoom() -> Bool {
        line.wait { line in
            if line.isClosed { return false }
            let bytesMax = faults.delay > .zero ? Self.longLineBytesMax : Self.shortLineBytesMax
            return line.waitingBytes < bytesMax ? true : nil
        } ?? false
    }

    // MARK: The writer

    func writeUntilEnd() -> Ending {
        var passedBytes = 0
        while true {
            switch next() {
            case .wait(let duration): _ = line.wait(timeout: duration) { $0.isClosed ? true : nil }
            case .ending(let ending): return ending
            case .bytes(let bytes):
                guard !proxy.faults.isBlackhole else { continue }
                if let ending = pass(bytes, &passedBytes) { return ending }
            }
        }
    }

    private func next() -> Next {
        line.wait { line -> Next? in
            if line.isClosed { return .ending(.closed) }
            guard line.head < line.pieces.count, !faults.isStalled else { return nil }
            let piece = line.pieces[line.head]
            let now = TimeSource.system.now
            guard piece.due <= now else { return .wait(piece.due - now) }
            if piece.bytes.isEmpty {
                // In a black hole an end is lost as well.
                if proxy.faults.isBlackhole { return nil }
                return .ending(line.isSourceBroken ? .broken : .ended)
            }
            line.pieces[line.head].bytes = []
            line.head += 1
            line.waitingBytes -= piece.bytes.count
            if line.head > 64, line.head * 2 > line.pieces.count {
                line.pieces.removeFirst(line.head)
                line.head = 0
            }
            return .bytes(piece.bytes)
        } ?? .ending(.closed)
    }

    /// Nil when all went through.
    private func pass(_ bytes: [UInt8], _ passedBytes: inout Int) -> Ending? {
        line.broadcast()  // There is room for the reader.
        let faults = faults
        var bytes = bytes
        if let position = faults.corruptedByte, (passedBytes..<(passedBytes + bytes.count)).contains(position) {
            bytes[position - passedBytes] ^= 0xff
        }
        let resetAt = faults.resetAfterBytes ?? .max
        let truncateAt = faults.truncateAfterBytes ?? .max
        let rest = max(0, min(resetAt, truncateAt) - passedBytes)
        guard send(bytes.prefix(rest), bytesPerSecond: faults.bytesPerSecond) else { return .broken }
        passedBytes += min(rest, bytes.count)
        guard passedBytes >= min(resetAt, truncateAt) else { return nil }
        return resetAt <= truncateAt ? .broken : .truncated
    }

    private func send(_ bytes: ArraySlice<UInt8>, bytesPerSecond: Int?) -> Bool {
        var rest = bytes
        var due = TimeSource.system.now
        while !rest.isEmpty {
            let piece = bytesPerSecond == nil ? rest : rest.prefix(Self.pacedBytes)
            // Counted before: whoever has received a byte finds it counted.
            proxy.passed(piece.count, toServer: isToServer)
            let count = piece.withUnsafeBytes { buffer in
                Glibc.send(
                    destination,
                    buffer.baseAddress,
                    buffer.count,
                    Int32(MSG_DONTWAIT | MSG_NOSIGNAL)
                )
            }
            let error = Errno.last
            proxy.passed(max(0, count) - piece.count, toServer: isToServer)
            if count < 0 {
                guard error == .tryAgain, waitFor(destination, POLLOUT) else { return false }
                continue
            }
            rest = rest.dropFirst(count)
            guard let bytesPerSecond else { continue }
            due = due + .nanoseconds(Int64(count) * 1_000_000_000 / Int64(max(1, bytesPerSecond)))
            let delay = due - TimeSource.system.now
            if delay > .zero, line.wait(timeout: delay, until: { $0.isClosed ? true : nil }) == true { return false }
        }
        return true
    }

    /// False when the connection closed.
    private func waitFor(_ descriptor: Int32, _ events: Int32) -> Bool {
        var descriptors = [
            pollfd(fd: wakeEnd, events: Int16(POLLIN), revents: 0),
            pollfd(fd: descriptor, events: Int16(events), revents: 0),
        ]
        _ = poll(&descriptors, 2, -1)
        return descriptors[0].revents == 0
    }
}
