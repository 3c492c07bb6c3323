import DaleksCore

/// Cuts a stream into lines. A line longer than the limit comes in pieces.
struct LineSplitter {
    private var pending: [UInt8] = []
    private let lineBytesMax: Int

    init(lineBytesMax: Int = Limits.Subprocess.lineBytesMax) { self.lineBytesMax = lineBytesMax }

    mutating func take(_ bytes: some Sequence<UInt8>, _ line: (String) -> Void) {
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                emit(line)
                continue
            }
            if pending.count == lineBytesMax { emit(line) }
            pending.append(byte)
        }
    }

    /// What came after the last newline.
    mutating func finish(_ line: (String) -> Void) {
        if !pending.isEmpty { emit(line) }
    }

    private mutating func emit(_ line: (String) -> Void) {
        if pending.last == UInt8(ascii: "\r") { pending.removeLast() }
        line(String(decoding: pending, as: UTF8.self))
        pending.removeAll(keepingCapacity: true)
    }
}
