import DaleksSystem
import Glibc

/// All connections by descriptor, and how many each client has.
///
/// ## Concurrency
/// `state` guards everything. A record leaves the table before its descriptor is closed, so a descriptor found under
/// the lock is open, and still that connection's.
final class ConnectionTable: Sendable {
    private struct State {
        var records: [Int32: ConnectionRecord] = [:]
        var countBySite: [IPAddress: Int] = [:]
        var generation: UInt32 = 0
        /// Connections of each event thread.
        var countByThread: [Int]
    }

    private let state: Lock<State>
    private let threads: Int
    private let perClientMax: Int

    private let certificates: TLSCertificates?

    init(threads: Int, perClientMax: Int, certificates: TLSCertificates?) {
        self.threads = threads
        state = Lock(State(countByThread: [Int](repeating: 0, count: threads)))
        self.perClientMax = perClientMax
        self.certificates = certificates
    }

    var count: Int { state.withLock { $0.records.count } }

    /// Nil where the client has as many connections as it may.
    func admit(
        _ descriptor: Int32,
        _ client: ClientAddress,
        isTrustedProxy: Bool,
        deadline: Int64
    ) -> ConnectionRecord? {
        state.withLock { state in
            let site = client.address.site
            let count = state.countBySite[site, default: 0]
            guard isTrustedProxy || count < perClientMax else { return nil }
            // What still stands under this descriptor was closed without a word, for want of memory.
            if let stale = state.records[descriptor] { remove(stale, from: &state) }
            // Zero and the largest are the watching thread's own marks.
            state.generation = state.generation >= UInt32.max - 1 ? 1 : state.generation + 1
            let record = ConnectionRecord(
                descriptor: descriptor,
                generation: state.generation,
                client: client,
                isTrustedProxy: isTrustedProxy,
                certificates: certificates,
                deadline: deadline
            )
            state.records[descriptor] = record
            state.countBySite[site] = count + 1
            state.countByThread[Int(descriptor) % threads] += 1
            return record
        }
    }

    func record(_ descriptor: Int32) -> ConnectionRecord? { state.withLock { $0.records[descriptor] } }

    /// To be called before the descriptor is closed.
    func remove(_ record: ConnectionRecord) { state.withLock { remove(record, from: &$0) } }

    /// libmicrohttpd gives a connection to the event thread that its descriptor's number names. Whether another thread
    /// has so much less to do that the descriptor should get another number.
    func isUnbalanced(by descriptor: Int32) -> Bool {
        state.withLock { state in
            let least = state.countByThread.min() ?? 0
            return state.countByThread[Int(descriptor) % threads] > least
        }
    }

    private func remove(_ record: ConnectionRecord, from state: inout State) {
        guard state.records[record.descriptor] === record else { return }
        state.records[record.descriptor] = nil
        let site = record.client.address.site
        let count = state.countBySite[site, default: 1] - 1
        state.countBySite[site] = count == 0 ? nil : count
        state.countByThread[Int(record.descriptor) % threads] -= 1
    }

    /// Shuts the connections whose deadline passed and gives those that want to be looked at.
    func sweep(now: Int64) -> [ConnectionRecord] {
        state.withLock { state in
            var due: [ConnectionRecord] = []
            for record in state.records.values {
                if record.currentDeadline <= now {
                    // The event thread sees the end of the connection and closes it.
                    shutdown(record.descriptor, Int32(SHUT_RDWR))
                    record.setDeadline(ConnectionRecord.never)
                }
                if record.currentLookAt <= now { due.append(record) }
            }
            return due
        }
    }

    /// Shuts the connections that have no request under way.
    func shutIdle() {
        state.withLock { state in
            for record in state.records.values where record.exchange == nil {
                shutdown(record.descriptor, Int32(SHUT_RDWR))
            }
        }
    }

    var exchanges: [Exchange] { state.withLock { $0.records.values.compactMap(\.exchange) } }
}
