import DaleksCompression
import DaleksSystem
import DaleksTestSupport
import Glibc
import Testing

/// `DALEKS_MEASURE=1 swift test -c release --filter ZstdSpeedTests` prints figures of one thread.
@Suite(.serialized, .enabled(if: getenv("DALEKS_MEASURE") != nil))
struct ZstdSpeedTests {
    private func measure(_ name: String, bytes: Int, _ body: () -> Void) {
        var best = Duration.seconds(1_000)
        for _ in 0..<10 { best = min(best, ContinuousClock().measure { for _ in 0..<10 { body() } }) }
        let seconds = Double(best.components.seconds) + Double(best.components.attoseconds) / 1e18
        print("\(name): \(Int(Double(bytes * 10) / seconds / 1e6)) MB/s")
    }

    @Test
    func `compressing spans`() throws {
        var generator = SeededGenerator(seed: 1)
        let noise = Random.bytes(count: 1 << 20)
        // Numbers in decimal: what logs and tables are made of.
        var table: [UInt8] = []
        while table.count < 1 << 20 { table += Array("\(UInt32.random(in: 0...99_999, using: &generator)),".utf8) }
        table.removeLast(table.count - (1 << 20))

        measure("zstd compress noise", bytes: noise.count) { _ = Zstd.compress(noise) }
        measure("zstd compress table", bytes: table.count) { _ = Zstd.compress(table) }
        let frame = try #require(Zstd.compress(table))
        measure("zstd decompress table", bytes: table.count) {
            _ = try? Zstd.decompress(frame, exactCount: table.count)
        }
        let piece = Array(table[..<65_536])
        measure("zstd compress 64 KiB", bytes: piece.count) { _ = Zstd.compress(piece) }
    }
}
