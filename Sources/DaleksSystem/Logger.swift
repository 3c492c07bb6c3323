public import DaleksCore
import Glibc

extension Limits {
    public enum Log {
        /// Of one fact in a line. What comes from outside may be of any size, and lines up to a page are written whole.
        public static let valueBytesMax = 4_096
    }
}

/// Where a program's events go: text for people on a terminal, one JSON object a line otherwise.
///
/// A message is constant; what varies is metadata, so that a search finds all of a kind. Secrets and contents never
/// enter either.
public struct Logger: Sendable {
    public enum Level: Int, Comparable, Sendable, CaseIterable {
        case debug, info, notice, warning, error

        public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

        public init?(_ text: String) {
            guard let level = Self.allCases.first(where: { "\($0)" == text }) else { return nil }
            self = level
        }
    }

    public typealias Metadata = KeyValuePairs<StaticString, any CustomStringConvertible & Sendable>
    /// Receives a whole line, without its newline.
    public typealias Sink = @Sendable (String) -> Void

    public enum Style: Sendable { case text, json }

    public let level: Level
    private let style: Style
    private let sink: Sink
    private let time: TimeSource
    private let context: [(key: String, value: String)]

    public init(level: Level, style: Style, time: TimeSource = .system, sink: @escaping Sink) {
        self.init(level: level, style: style, time: time, sink: sink, context: [])
    }

    private init(
        level: Level,
        style: Style,
        time: TimeSource,
        sink: @escaping Sink,
        context: [(key: String, value: String)]
    ) {
        self.level = level
        self.style = style
        self.time = time
        self.sink = sink
        self.context = context
    }

    /// To standard error: text when that is a terminal.
    public static func standard(level: Level, style: Style? = nil) -> Logger {
        Logger(level: level, style: style ?? (isatty(STDERR_FILENO) == 1 ? .text : .json)) { line in
            var bytes = Array(line.utf8)
            bytes.append(UInt8(ascii: "\n"))
            // One write a line: lines of several threads do not mix, and a closed standard error is nobody's failure.
            _ = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
        }
    }

    /// Nowhere.
    public static let silent = Logger(level: .error, style: .json) { _ in }

    /// The same with facts that every line carries.
    public func with(_ metadata: Metadata) -> Logger {
        Logger(
            level: level,
            style: style,
            time: time,
            sink: sink,
            context: context + Self.facts(metadata)
        )
    }

    public func debug(_ message: StaticString, _ metadata: @autoclosure () -> Metadata = [:]) {
        log(.debug, message, metadata)
    }
    public func info(_ message: StaticString, _ metadata: @autoclosure () -> Metadata = [:]) {
        log(.info, message, metadata)
    }
    public func notice(_ message: StaticString, _ metadata: @autoclosure () -> Metadata = [:]) {
        log(.notice, message, metadata)
    }
    public func warning(_ message: StaticString, _ metadata: @autoclosure () -> Metadata = [:]) {
        log(.warning, message, metadata)
    }
    public func error(_ message: StaticString, _ metadata: @autoclosure () -> Metadata = [:]) {
        log(.error, message, metadata)
    }

    private func log(_ level: Level, _ message: StaticString, _ metadata: () -> Metadata) {
        guard level >= self.level else { return }
        let facts = context + Self.facts(metadata())
        switch style {
        case .text: sink(textLine(level, "\(message)", facts))
        case .json: sink(jsonLine(level, "\(message)", facts))
        }
    }

    private static func facts(_ metadata: Metadata) -> [(key: String, value: String)] {
        metadata.map { ("\($0.key)", bounded($0.value.description)) }
    }

    private static func bounded(_ value: String) -> String {
        let excess = value.utf8.count - Limits.Log.valueBytesMax
        if excess <= 0 { return value }
        return String(decoding: value.utf8.prefix(Limits.Log.valueBytesMax), as: UTF8.self) + "… \(excess) more bytes"
    }

    private func textLine(_ level: Level, _ message: String, _ facts: [(key: String, value: String)]) -> String {
        var line = "\(time.wall.rfc3339(milliseconds: true)) \(level) \(message)"
        for (key, value) in facts { line += " \(key)=\(Self.quotedWhereNeeded(value))" }
        return line
    }

    private func jsonLine(_ level: Level, _ message: String, _ facts: [(key: String, value: String)]) -> String {
        var line = "{\"time\":\"\(time.wall.rfc3339(milliseconds: true))\",\"level\":\"\(level)\",\"message\":"
        line += Self.quoted(message)
        for (key, value) in facts { line += ",\(Self.quoted(key)):\(Self.quoted(value))" }
        return line + "}"
    }

    private static func quotedWhereNeeded(_ value: String) -> String {
        let isPlain = !value.isEmpty && value.utf8.allSatisfy { (33..<127).contains($0) && $0 != UInt8(ascii: "\"") }
        return isPlain ? value : quoted(value)
    }

    /// A JSON string. Control characters are escaped, so that a name from outside cannot forge a line or drive a
    /// terminal.
    private static func quoted(_ value: String) -> String {
        var text = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            default:
                if scalar.value < 32 || (127..<160).contains(scalar.value) {
                    text += "\\u00" + Hex.encode([UInt8(scalar.value)])
                } else {
                    text.unicodeScalars.append(scalar)
                }
            }
        }
        return text + "\""
    }
}
