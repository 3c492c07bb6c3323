import DaleksJSON
import Glibc
import Testing

/// `DALEKS_MEASURE=1 swift test -c release --filter JSONSpeedTests` prints figures.
@Suite(.enabled(if: getenv("DALEKS_MEASURE") != nil))
struct JSONSpeedTests {
    /// A page of children as a region sends it.
    private func page() -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("children")
            writer.array { writer in
                for index in 0..<5_000 {
                    writer.object { writer in
                        writer.member("id", "0192f3a4b5c6d7e8f9a0b1c2d3e4f5\(10 + index % 90)")
                        writer.member("name", "A file with an ordinary name \(index).txt")
                        writer.member("kind", "file")
                        writer.member("mode", 33_188)
                        writer.member("size", index * 4_096)
                        writer.member("mtime", 1_795_245_231_123_456_789 + index)
                        writer.member("rev", index)
                        writer.member("digest", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
                        writer.member("public", false)
                    }
                }
            }
        }
        return writer.bytes
    }

    private func measure(_ name: String, bytes: Int, _ body: () throws -> Void) rethrows {
        let clock = ContinuousClock()
        var best = Duration.seconds(1_000)
        for _ in 0..<10 { best = min(best, try clock.measure { for _ in 0..<5 { try body() } }) }
        let seconds = Double(best.components.attoseconds) / 1e18 + Double(best.components.seconds)
        print("\(name): \(Int(Double(bytes * 5) / seconds / 1e6)) MB/s")
    }

    @Test
    func `reading and writing a page of children`() throws {
        let text = page()
        let value = try JSONValue.parse(text)

        try measure("json parse", bytes: text.count) { _ = try JSONValue.parse(text) }
        measure("json write tree", bytes: text.count) { _ = value.serialized() }
        measure("json write stream", bytes: text.count) { _ = page() }
        try measure("json read page", bytes: text.count) {
            for child in try JSONReader(JSONValue.parse(text)).array("children") {
                _ = try child.string("name")
                _ = try child.integer("size")
                _ = try child.string("digest")
            }
        }
    }
}
