/// Whose turn it is: exchanges wait in order for their origin, and origins take turns.
///
/// No I/O: the driver tells what arrives and what ended, and asks who goes next.
struct ExchangeQueue {
    private struct Host {
        var activeCount = 0
        var waiting = FirstInFirstOut<UInt64>()
        /// Stands in `ready` already, once.
        var isReady = false
    }

    private let activeMax: Int
    private let activePerHostMax: Int
    private var hosts: [Origin: Host] = [:]
    private var ready = FirstInFirstOut<Origin>()
    private(set) var activeCount = 0

    init(activeMax: Int, activePerHostMax: Int) {
        precondition(activeMax > 0 && activePerHostMax > 0, "a queue that lets nobody through")
        self.activeMax = activeMax
        self.activePerHostMax = activePerHostMax
    }

    var hostCount: Int { hosts.count }

    mutating func enqueue(_ id: UInt64, to origin: Origin) {
        var host = hosts[origin] ?? Host()
        host.waiting.append(id)
        store(host, at: origin)
    }

    /// The exchange that goes next. It holds its place until `finished`.
    mutating func next() -> UInt64? {
        guard activeCount < activeMax else { return nil }
        while let origin = ready.popFirst() {
            guard var host = hosts[origin] else { continue }
            host.isReady = false
            guard host.activeCount < activePerHostMax, let id = host.waiting.popFirst() else {
                store(host, at: origin)
                continue
            }
            host.activeCount += 1
            activeCount += 1
            store(host, at: origin)
            return id
        }
        return nil
    }

    /// Gives a place back.
    mutating func finished(at origin: Origin) {
        guard var host = hosts[origin], host.activeCount > 0 else {
            preconditionFailure("a place was given back twice")
        }
        host.activeCount -= 1
        activeCount -= 1
        store(host, at: origin)
    }

    /// Takes out one that still waits.
    mutating func withdraw(_ id: UInt64, from origin: Origin) {
        guard var host = hosts[origin] else { return }
        _ = host.waiting.removeFirst { $0 == id }
        store(host, at: origin)
    }

    private mutating func store(_ host: Host, at origin: Origin) {
        var host = host
        if !host.isReady, !host.waiting.isEmpty, host.activeCount < activePerHostMax {
            host.isReady = true
            ready.append(origin)
        }
        let isUnused = host.activeCount == 0 && host.waiting.isEmpty
        // One that stands in `ready` is dropped when its turn comes; until then its mark must stay.
        hosts[origin] = isUnused && !host.isReady ? nil : host
    }
}
