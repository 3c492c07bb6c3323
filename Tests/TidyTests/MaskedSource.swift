/// Swift text taken apart into what is code and what is comment, line by line. The contents of string literals are in
/// neither: a rule that looks for a word in code must not find it in a text.
struct MaskedSource {
    private(set) var code: [String] = []
    private(set) var comments: [String] = []

    private enum Mode: Equatable {
        case code
        /// Code inside `\(…)`; the count of parentheses still open.
        case interpolation(Int)
        case string(pounds: Int, isMultiline: Bool)
        case lineComment
        case blockComment(Int)
    }

    private let bytes: [UInt8]
    private var position = 0
    private var modes: [Mode] = [.code]
    private var codeLine: [UInt8] = []
    private var commentLine: [UInt8] = []

    init(_ text: String) {
        bytes = Array(text.utf8)
        while position < bytes.count { step() }
        endLine()
    }

    private var mode: Mode {
        get { modes.last ?? .code }
        set { modes[modes.count - 1] = newValue }
    }

    /// The bytes that mean something to some mode; all others belong to the line they stand in.
    private static let markers = Set("/*\"#()\\\n".utf8)

    private mutating func step() {
        if !Self.markers.contains(bytes[position]) { return takePlain() }
        if bytes[position] == UInt8(ascii: "\n") {
            if mode == .lineComment { modes.removeLast() }
            // A newline ends a literal that was left open: the rest of the file is not its.
            if case .string(_, isMultiline: false) = mode { modes.removeLast() }
            position += 1
            return endLine()
        }
        switch mode {
        case .code, .interpolation: stepCode()
        case .string(let pounds, let isMultiline): stepString(pounds, isMultiline)
        case .lineComment: takeComment(1)
        case .blockComment(let depth): stepComment(depth)
        }
    }

    private mutating func takePlain() {
        switch mode {
        case .code, .interpolation: codeLine.append(bytes[position])
        case .string: break
        case .lineComment, .blockComment: commentLine.append(bytes[position])
        }
        position += 1
    }

    private mutating func stepCode() {
        if starts(with: "//") {
            modes.append(.lineComment)
            return takeComment(2)
        }
        if starts(with: "/*") {
            modes.append(.blockComment(1))
            return takeComment(2)
        }
        let pounds = bytes[position...].prefix { $0 == UInt8(ascii: "#") }.count
        if position + pounds < bytes.count, bytes[position + pounds] == UInt8(ascii: "\"") {
            position += pounds
            let isMultiline = starts(with: "\"\"\"")
            modes.append(.string(pounds: pounds, isMultiline: isMultiline))
            codeLine.append(UInt8(ascii: "\""))
            position += isMultiline ? 3 : 1
            return
        }
        if case .interpolation(let open) = mode {
            if bytes[position] == UInt8(ascii: "(") { mode = .interpolation(open + 1) }
            if bytes[position] == UInt8(ascii: ")") {
                if open == 1 { modes.removeLast() } else { mode = .interpolation(open - 1) }
            }
        }
        codeLine.append(bytes[position])
        position += 1
    }

    private mutating func stepString(_ pounds: Int, _ isMultiline: Bool) {
        let escape = "\\" + String(repeating: "#", count: pounds)
        let end = (isMultiline ? "\"\"\"" : "\"") + String(repeating: "#", count: pounds)
        if starts(with: escape + "(") {
            position += escape.utf8.count + 1
            codeLine.append(UInt8(ascii: "("))
            modes.append(.interpolation(1))
        } else if starts(with: escape) {
            position += escape.utf8.count
            // What is escaped is no end; a newline is left to be counted.
            if position < bytes.count, bytes[position] != UInt8(ascii: "\n") { position += 1 }
        } else if starts(with: end) {
            position += end.utf8.count
            codeLine.append(UInt8(ascii: "\""))
            modes.removeLast()
        } else {
            position += 1
        }
    }

    private mutating func stepComment(_ depth: Int) {
        if starts(with: "/*") {
            mode = .blockComment(depth + 1)
            takeComment(2)
        } else if starts(with: "*/") {
            takeComment(2)
            if depth == 1 { modes.removeLast() } else { mode = .blockComment(depth - 1) }
        } else {
            takeComment(1)
        }
    }

    private mutating func takeComment(_ count: Int) {
        commentLine += bytes[position..<position + count]
        position += count
    }

    private mutating func endLine() {
        code.append(String(decoding: codeLine, as: UTF8.self))
        comments.append(String(decoding: commentLine, as: UTF8.self))
        codeLine = []
        commentLine = []
    }

    private func starts(with text: String) -> Bool { bytes[position...].starts(with: text.utf8) }
}
