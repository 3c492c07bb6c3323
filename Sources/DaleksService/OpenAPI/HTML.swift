/// HTML that is safe to send: what is interpolated into it is escaped, unless it is HTML itself.
///
/// Escaped text may stand between tags and within quoted attributes. It must not stand anywhere else.
public struct HTML: ExpressibleByStringInterpolation, Sendable {
    public let text: String

    public init(stringLiteral text: String) { self.text = text }

    /// Text of ours that is HTML already, such as a style sheet.
    public init(trusted text: String) { self.text = text }

    public init(stringInterpolation: Interpolation) { text = stringInterpolation.text }

    public static let empty: HTML = ""

    public static func when(_ condition: Bool, _ html: @autoclosure () -> HTML) -> HTML { condition ? html() : empty }

    public struct Interpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        public init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity * 2) }

        public mutating func appendLiteral(_ literal: String) { text += literal }

        public mutating func appendInterpolation(_ words: String) {
            for scalar in words.unicodeScalars {
                switch scalar {
                case "&": text += "&amp;"
                case "<": text += "&lt;"
                case ">": text += "&gt;"
                case "\"": text += "&quot;"
                case "'": text += "&#39;"
                default: text.unicodeScalars.append(scalar)
                }
            }
        }

        public mutating func appendInterpolation(_ html: HTML) { text += html.text }

        public mutating func appendInterpolation(_ all: [HTML]) {
            for html in all { text += html.text }
        }

        public mutating func appendInterpolation(_ number: Int) { text += String(number) }
    }

    public typealias StringInterpolation = Interpolation
}
