/// HTML that is safe to send: what is interpolated into it is escaped, unless it is HTML itself.
///
/// Escaped text may stand between tags and within quoted attributes. It must not stand anywhere else.
struct HTML: ExpressibleByStringInterpolation, Sendable {
    let text: String

    init(stringLiteral text: String) { self.text = text }

    init(stringInterpolation: Interpolation) { text = stringInterpolation.text }

    static let empty: HTML = ""

    static func when(_ condition: Bool, _ html: @autoclosure () -> HTML) -> HTML { condition ? html() : empty }

    struct Interpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity * 2) }

        mutating func appendLiteral(_ literal: String) { text += literal }

        mutating func appendInterpolation(_ words: String) {
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

        mutating func appendInterpolation(_ html: HTML) { text += html.text }

        mutating func appendInterpolation(_ all: [HTML]) {
            for html in all { text += html.text }
        }

        mutating func appendInterpolation(_ number: Int) { text += String(number) }
    }

    typealias StringInterpolation = Interpolation
}
