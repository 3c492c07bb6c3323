import DaleksJSON
import DaleksTestSupport
import Testing

struct JSONRoundTripTests {
    /// Values of all kinds, leaning towards what breaks parsers.
    struct ValueMaker {
        var generator: SeededGenerator

        mutating func value(depth: Int) -> JSONValue {
            switch generator.next() % (depth > 0 ? 9 : 7) {
            case 0: return .null
            case 1: return .bool(generator.next() % 2 == 0)
            case 2: return .integer(Int64(bitPattern: generator.next()) >> Int64(generator.next() % 64))
            case 3: return .double(double())
            case 4...6: return .string(text())
            case 7: return .array((0..<generator.next() % 6).map { _ in value(depth: depth - 1) })
            default:
                var object = JSONObject()
                for _ in 0..<generator.next() % 20 { object[text()] = value(depth: depth - 1) }
                return .object(object)
            }
        }

        private mutating func double() -> Double {
            let number = Double(bitPattern: generator.next())
            return number.isFinite ? number : 0.5
        }

        private mutating func text() -> String {
            var text = ""
            for _ in 0..<generator.next() % 24 {
                let bound: UInt32 = [0x30, 0x80, 0x80, 0x800, 0x10000, 0x110000][Int(generator.next() % 6)]
                guard let scalar = Unicode.Scalar(UInt32(generator.next() % UInt64(bound))) else { continue }
                text.unicodeScalars.append(scalar)
            }
            return text
        }
    }

    @Test
    func `a value that was written reads back as itself`() throws {
        var maker = ValueMaker(generator: SeededGenerator(for: "JSON values"))
        for _ in 0..<3_000 {
            let value = maker.value(depth: 5)

            let text = value.serialized()

            #expect(try JSONValue.parse(text) == value, "\(String(decoding: text, as: UTF8.self))")
        }
    }

    @Test
    func `random damage never crashes, and what still parses is written and read again the same`() throws {
        var maker = ValueMaker(generator: SeededGenerator(for: "JSON values"))
        for _ in 0..<3_000 {
            var text = maker.value(depth: 4).serialized()
            for _ in 0...maker.generator.next() % 4 where !text.isEmpty {
                let position = Int(maker.generator.next() % UInt64(text.count))
                switch maker.generator.next() % 3 {
                case 0: text[position] = UInt8(truncatingIfNeeded: maker.generator.next())
                case 1: text.remove(at: position)
                default: text.insert(Array("{}[]\",:\\u0e-.".utf8)[Int(maker.generator.next() % 13)], at: position)
                }
            }

            guard let value = try? JSONValue.parse(text) else { continue }

            #expect(try JSONValue.parse(value.serialized()) == value)
        }
    }

    @Test
    func `strings are equal only when their bytes are`() {
        let composed: JSONValue = "\u{e9}"
        let decomposed: JSONValue = "e\u{301}"

        #expect(composed != decomposed)
        #expect(composed == "\u{e9}")
        #expect(JSONObject([("\u{e9}", 1)])["e\u{301}"] == nil)
    }
}
