import DaleksCore
import DaleksHTTPServer
import DaleksJSON
import DaleksSystem
import Glibc

extension Limits {
    enum Service {
        /// Lines of the access log that wait to be written. Whoever reads our standard error may be slow; requests do
        /// not wait for it, so what is past this is dropped and counted.
        static let accessLogBytesMax = 4 << 20
        /// As much is written without waiting for more.
        static let accessLogBatchBytes = 64 << 10
        /// How long a line may wait for others to be written with.
        static let accessLogDelay = Duration.milliseconds(50)
    }
}

/// One JSON object a line for each request: who asked what of us, and what became of it.
///
/// It says routes, not paths, since names and the tokens of links stand in paths and queries.
///
/// ## Concurrency
/// `state` is guarded by itself. Event threads add lines to a buffer; one thread writes it, with no lock held.
public final class AccessLog: Sendable {
    /// Which requests get a line.
    public enum Extent: String, CaseIterable, Sendable {
        case all
        /// Answered 5xx, or not to the end.
        case failures
        case off
    }

    private struct State {
        var lines: [UInt8] = []
        var isStopping = false
    }

    private let extent: Extent
    private let time: TimeSource
    private let state = Condition(State())
    private let finished = Gate()
    private let dropped: Counter
    private let write: @Sendable (borrowing [UInt8]) -> Void

    /// `write` gets whole lines, on a thread of this log's own; by default they go to standard error.
    init(
        _ extent: Extent,
        metrics: Metrics,
        time: TimeSource = .system,
        write: @escaping @Sendable (borrowing [UInt8]) -> Void = AccessLog.toStandardError
    ) {
        self.extent = extent
        self.time = time
        self.write = write
        dropped = metrics.counter(
            "daleks_access_log_dropped_total",
            help: "Lines of the access log that were dropped since nobody read the ones before."
        )
        if extent == .off {
            finished.open()
            return
        }
        // The thread holds this until `stop`, which every service calls.
        _ = Thread(name: "access-log", stackBytes: 256 << 10) { [self] in
            while writeNext() {}
            finished.open()
        }
    }

    func record(_ request: ServedRequest) {
        switch extent {
        case .all: break
        case .failures: guard request.status >= 500 || !request.isComplete else { return }
        case .off: return
        }
        let line = line(request)
        let (wakes, isDropped) = state.withLock { state -> (Bool, Bool) in
            let before = state.lines.count
            guard before + line.count <= Limits.Service.accessLogBytesMax, !state.isStopping else {
                return (false, true)
            }
            state.lines += line
            let batch = Limits.Service.accessLogBatchBytes
            return (before == 0 || (before < batch && state.lines.count >= batch), false)
        }
        if wakes { state.signal() }
        if isDropped { dropped.increment() }
    }

    /// Returns when everything is written.
    func stop() {
        state.withLock { $0.isStopping = true }
        state.signal()
        finished.wait()
    }

    private func writeNext() -> Bool {
        guard state.wait(until: { !$0.lines.isEmpty || $0.isStopping ? true : nil }) != nil else { return false }
        // Together with what comes in the next moments: a write costs more than a line.
        _ = state.wait(timeout: Limits.Service.accessLogDelay) { state in
            state.isStopping || state.lines.count >= Limits.Service.accessLogBatchBytes ? true : nil
        }
        let (lines, isStopping) = state.withLock { state -> ([UInt8], Bool) in
            let lines = state.lines
            state.lines = []
            return (lines, state.isStopping)
        }
        if !lines.isEmpty { write(lines) }
        return !isStopping
    }

    private func line(_ request: ServedRequest) -> [UInt8] {
        var json = JSONWriter(reservingBytes: 320)
        json.object { json in
            json.member("time", time.wall.rfc3339(milliseconds: true))
            json.member("level", request.status >= 500 ? "error" : "info")
            json.member("message", "request")
            json.member("request.id", request.requestID)
            json.member("method", request.method)
            json.member("route", request.pattern)
            json.member("status", request.status)
            json.member("bytes", request.bytes)
            json.member("milliseconds", Double(request.duration.nanoseconds / 1_000) / 1_000)
            json.member("client", request.client.description)
            if let principal = request.principal { json.member("principal", principal) }
            if !request.isComplete { json.member("cut", true) }
        }
        return json.bytes + [UInt8(ascii: "\n")]
    }

    /// What cannot be written is lost: a closed standard error is nobody's failure.
    static let toStandardError: @Sendable (borrowing [UInt8]) -> Void = { lines in
        var done = 0
        while done < lines.count {
            let count = lines.withUnsafeBytes {
                Glibc.write(STDERR_FILENO, $0.baseAddress?.advanced(by: done), $0.count - done)
            }
            if count < 0, Errno.last == .interrupted { continue }
            guard count > 0 else { return }
            done += count
        }
    }
}
