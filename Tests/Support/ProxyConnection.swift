import DaleksSystem
import Glibc

/// One connection through a `FaultProxy`: two lanes with two threads each.
///
/// ## Concurrency
/// The threads hold the connection; when the last lets go of it, the sockets close.
final class ProxyConnection: Sendable {
    private let proxy: FaultProxy
    private let client: FileDescriptor
    private let server: FileDescriptor
    private let wakeEnds: [Int32]
    private let lanes: [ProxyLane]
    private let openLaneCount = Lock(2)

    init(proxy: FaultProxy, client: consuming FileDescriptor, server: consuming FileDescriptor) throws(Errno) {
        let ends = try LoopbackSocket.pair()
        let (clientRaw, serverRaw) = (client.raw, server.raw)
        lanes = [
            ProxyLane(proxy: proxy, isToServer: true, source: clientRaw, destination: serverRaw, wakeEnd: ends[0]),
            ProxyLane(proxy: proxy, isToServer: false, source: serverRaw, destination: clientRaw, wakeEnd: ends[0]),
        ]
        self.proxy = proxy
        self.client = client
        self.server = server
        wakeEnds = ends
    }

    deinit { for end in wakeEnds { _ = Glibc.close(end) } }

    func start() {
        for lane in lanes {
            _ = Thread(name: "fault-read", stackBytes: 256 << 10) { [self] in
                lane.readUntilEnd()
                _ = self
            }
            _ = Thread(name: "fault-write", stackBytes: 256 << 10) { [self] in
                end(lane, lane.writeUntilEnd())
            }
        }
    }

    /// Both ends see a reset.
    func reset() {
        LoopbackSocket.resetOnClose(client.raw)
        LoopbackSocket.resetOnClose(server.raw)
        close()
    }

    func faultsChanged() { for lane in lanes { lane.faultsChanged() } }

    private func close() {
        for lane in lanes { lane.close() }
        // Never read, so every thread that polls sees it.
        var byte: UInt8 = 0
        _ = Glibc.write(wakeEnds[1], &byte, 1)
    }

    private func end(_ lane: ProxyLane, _ ending: ProxyLane.Ending) {
        switch ending {
        case .ended: shutdown(lane.isToServer ? server.raw : client.raw, Int32(SHUT_WR))
        case .broken: reset()
        case .truncated: truncate(lane)
        case .closed: break
        }
        let openCount = openLaneCount.withLock { count -> Int in
            count -= 1
            return count
        }
        guard openCount == 0 else { return }
        close()
        proxy.ended(self)
    }

    /// The receiver sees an end. The sockets close only once it closed too: closing over bytes that it sent and nobody
    /// read would turn the end into a reset.
    private func truncate(_ lane: ProxyLane) {
        shutdown(lane.isToServer ? server.raw : client.raw, Int32(SHUT_WR))
        shutdown(lane.isToServer ? client.raw : server.raw, Int32(SHUT_RDWR))
    }
}
