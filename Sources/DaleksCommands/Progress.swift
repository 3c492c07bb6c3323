import DaleksCore
import DaleksSystem

/// A line on the terminal that says how far a transfer is, how fast, and how long it will take. Elsewhere: nothing.
///
/// ## Concurrency
/// `state` is held for arithmetic; one thread at a time draws.
final class Progress: Sendable {
    private struct State {
        var began: Instant
        var firstBytes: Int64?
        var drawn: Instant?
        var columns = 0
    }

    private let console: Console
    private let isDrawn: Bool
    private let name: String
    private let bytesTotal: Int64?
    private let state: Lock<State>

    init(_ call: Call, _ name: String, bytes: Int64?) {
        console = call.console
        isDrawn = call.console.isWatched && !call.settings.flag("json") && !call.settings.flag("quiet")
        self.name = name
        bytesTotal = bytes
        state = Lock(State(began: TimeSource.system.now))
    }

    func update(_ bytes: Int64) {
        guard isDrawn else { return }
        let now = TimeSource.system.now
        let step = state.withLock { state -> (bytes: Int64, elapsed: Duration)? in
            // What was here before it began says nothing of the rate.
            let first = state.firstBytes ?? bytes
            if state.firstBytes == nil { state.firstBytes = first }
            if let drawn = state.drawn, now - drawn < .milliseconds(100), bytes != bytesTotal { return nil }
            state.drawn = now
            return (bytes - first, now - state.began)
        }
        guard let step else { return }
        draw(line(bytes, step.bytes, step.elapsed))
    }

    /// Takes the line away.
    func end() {
        guard isDrawn else { return }
        let columns = state.withLock { $0.columns }
        if columns > 0 { console.draw("\r" + String(repeating: " ", count: columns) + "\r") }
    }

    private func line(_ bytes: Int64, _ moved: Int64, _ elapsed: Duration) -> String {
        let seconds = max(0.001, Double(elapsed.nanoseconds) / 1e9)
        let rate = Double(moved) / seconds
        var words = [Shown.bytes(bytes)]
        if let bytesTotal, bytesTotal > 0 { words.insert("\(bytes * 100 / bytesTotal)%", at: 0) }
        if moved > 0 { words.append("\(Shown.bytes(Int64(rate)))/s") }
        if let bytesTotal, moved > 0, bytes < bytesTotal {
            words.append("\(Shown.duration(seconds: Int64(Double(bytesTotal - bytes) / rate))) left")
        }
        let facts = words.joined(separator: "  ")
        let room = max(8, 78 - facts.count)
        return (name.count > room ? "..." + name.suffix(max(0, room - 3)) : name) + "  " + facts
    }

    private func draw(_ line: String) {
        let before = state.withLock { state in
            defer { state.columns = line.count }
            return state.columns
        }
        console.draw("\r" + line + String(repeating: " ", count: max(0, before - line.count)))
    }
}
