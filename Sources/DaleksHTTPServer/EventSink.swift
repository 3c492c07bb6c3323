import DaleksSystem

/// The sending end of one client's event feed. Any thread may send; none is held while nothing happens. The feed ends
/// when the sink is closed or dropped.
public final class EventSink: Sendable {
    private let pipe: OutputPipe

    init(_ pipe: OutputPipe) { self.pipe = pipe }

    deinit { pipe.end() }

    /// False where the feed is over: the client went, or read so slowly that its backlog grew too long (it will connect
    /// again and start from its last id).
    @discardableResult
    public func send(data: String, event: String? = nil, id: String? = nil) -> Bool {
        pipe.appendIfFits(Self.encoded(data: data, event: event, id: id))
    }

    /// A line that clients ignore.
    @discardableResult
    public func comment(_ text: String = "") -> Bool {
        pipe.appendIfFits(": \(Self.oneLine(text))\n\n".utf8)
    }

    /// Ends the feed after what was sent.
    public func close() { pipe.end() }

    public var isClosed: Bool { pipe.isClosed }

    /// Calls `body` once when the connection is gone, at once if it is. It must not block.
    public func onClosed(_ body: @escaping @Sendable () -> Void) { pipe.onClosed(body) }

    static func encoded(data: String, event: String?, id: String?) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(data.utf8.count + 32)
        if let id { bytes += Array("id: \(oneLine(id))\n".utf8) }
        if let event { bytes += Array("event: \(oneLine(event))\n".utf8) }
        // A line break in the data is a new data line to the reader, whichever of the three it is.
        for line in data.split(omittingEmptySubsequences: false, whereSeparator: { $0.isNewline }) {
            bytes += Array("data: ".utf8)
            bytes += Array(line.utf8)
            bytes.append(UInt8(ascii: "\n"))
        }
        bytes.append(UInt8(ascii: "\n"))
        return bytes
    }

    private static func oneLine(_ text: String) -> String {
        text.utf8.contains { $0 == 10 || $0 == 13 || $0 == 0 }
            ? String(decoding: text.utf8.filter { $0 != 10 && $0 != 13 && $0 != 0 }, as: UTF8.self) : text
    }
}
