import DaleksCompression
import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Testing

struct ZstdTests {
    /// Words in random order: text-like, so it shrinks to a third or so.
    private func text(count: Int, _ generator: inout SeededGenerator) -> [UInt8] {
        let words = ["region", "chunk", "folder", "journal", "lease", "of", "the", "a", "0x7f", "{}", "\n"]
        var bytes: [UInt8] = []
        while bytes.count < count {
            bytes += Array(words[Int.random(in: words.indices, using: &generator)].utf8) + [32]
        }
        return Array(bytes.prefix(count))
    }

    @Test(arguments: [64, 65, 1_000, 65_536, 131_071, 131_072, 1 << 20, (4 << 20) + 1])
    func `content that shrinks comes back as it was`(count: Int) throws {
        var generator = SeededGenerator(for: "compressible content")
        for content in [text(count: count, &generator), [UInt8](repeating: 0, count: count)] {
            guard let frame = Zstd.compress(content) else {
                #expect(count < 200, "only very small content may be left as it is")
                continue
            }

            #expect(frame.count <= count - count / 16)
            #expect(try Zstd.decompress(frame, exactCount: count) == content)
        }
    }

    @Test(arguments: [Int32(1), 3, 9, 15])
    func `every level gives what any decompression reads`(level: Int32) throws {
        var generator = SeededGenerator(for: "levels")
        let content = text(count: 300_000, &generator)

        let frame = try #require(Zstd.compress(content, level: level))

        #expect(try Zstd.decompress(frame, exactCount: content.count) == content)
    }

    @Test(arguments: [0, 1, 63, 64, 1_000, 131_072, 1 << 20])
    func `content that would not shrink by a sixteenth is left as it is`(count: Int) {
        #expect(Zstd.compress(Random.bytes(count: count)) == nil)
    }

    @Test
    func `what shrinks by exactly a sixteenth is worth it, and by less is not`() throws {
        // Random bytes with a run of zeros: the run's length decides.
        let count = 64_000
        let noise = Random.bytes(count: count)
        var smallestKept = 0
        for zeros in stride(from: 3_000, through: 5_000, by: 50) {
            let content = noise.dropLast(zeros) + [UInt8](repeating: 0, count: zeros)
            guard let frame = Zstd.compress(Array(content)) else { continue }
            smallestKept = max(smallestKept, frame.count)
            #expect(frame.count <= 60_000)
        }

        #expect(smallestKept > 59_000)
    }

    @Test
    func `content of which only a part shrinks is still compressed`() throws {
        let half = Random.bytes(count: 512 << 10) + [UInt8](repeating: 7, count: 512 << 10)

        let frame = try #require(Zstd.compress(half))

        #expect(frame.count < 530 << 10)
        #expect(try Zstd.decompress(frame, exactCount: half.count) == half)
    }

    @Test
    func `a frame of another size than asked for is refused before anything is allocated`() throws {
        let content = [UInt8](repeating: 1, count: 1_000)
        let frame = try #require(Zstd.compress(content))

        for count in [0, 1, 999, 1_001, -1, .min] {
            #expect(throws: CompressionError.otherSize) { try Zstd.decompress(frame, exactCount: count) }
        }
        for count in [Limits.Compression.contentBytesMax + 1, Int.max] {
            #expect(throws: CompressionError.tooLarge) { try Zstd.decompress(frame, exactCount: count) }
        }
    }

    @Test
    func `a frame that claims more than it holds is refused, whichever was asked for`() throws {
        let content = [UInt8](repeating: 1, count: 70_000)
        var frame = try #require(Zstd.compress(content))
        // The header: magic, descriptor, then this content's size in four bytes (descriptor bits 7 and 6 are 10, and
        // bit 5, one segment, leaves out the window).
        try #require(frame[4] & 0xe0 == 0xa0)
        frame[5] += 1

        #expect(throws: CompressionError.otherSize) { try Zstd.decompress(frame, exactCount: 70_000) }
        #expect(throws: CompressionError.corrupt) { try Zstd.decompress(frame, exactCount: 70_001) }
        frame[5] -= 2
        #expect(throws: CompressionError.corrupt) { try Zstd.decompress(frame, exactCount: 69_999) }
    }

    @Test
    func `what is not one whole frame is refused`() throws {
        let content = [UInt8](repeating: 1, count: 1_000)
        let frame = try #require(Zstd.compress(content))
        let skippable: [UInt8] = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]
        // A frame of no stated size: magic, a descriptor that says so, a window, and one last empty block.
        let unsized: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x00, 0x01, 0x00, 0x00]

        #expect(throws: CompressionError.corrupt) { try Zstd.decompress([UInt8](), exactCount: 0) }
        #expect(throws: CompressionError.corrupt) { try Zstd.decompress(Array("not a frame".utf8), exactCount: 11) }
        #expect(throws: CompressionError.corrupt) { try Zstd.decompress(frame + [0], exactCount: 1_000) }
        #expect(throws: CompressionError.corrupt) { try Zstd.decompress(frame + frame, exactCount: 1_000) }
        #expect(throws: CompressionError.otherSize) { try Zstd.decompress(frame + frame, exactCount: 2_000) }
        #expect(throws: CompressionError.self) { try Zstd.decompress(skippable + frame, exactCount: 1_000) }
        #expect(throws: CompressionError.corrupt) { try Zstd.decompress(skippable, exactCount: 0) }
        #expect(throws: CompressionError.otherSize) { try Zstd.decompress(unsized, exactCount: 0) }
        #expect(throws: CompressionError.otherSize) { try Zstd.decompress(unsized, exactCount: 100) }
        for count in 0..<frame.count {
            #expect(throws: CompressionError.self) { try Zstd.decompress(Array(frame[..<count]), exactCount: 1_000) }
        }
    }

    @Test
    func `random damage gives an error or other content of the same size, never more`() throws {
        var generator = SeededGenerator(for: "damaged frames")
        let content = text(count: 20_000, &generator)
        let frame = try #require(Zstd.compress(content))
        var refused = 0

        for _ in 0..<5_000 {
            var damaged = frame
            for _ in 0...Int.random(in: 0...3, using: &generator) {
                let position = Int.random(in: damaged.indices, using: &generator)
                switch Int.random(in: 0...3, using: &generator) {
                case 0: damaged[position] ^= 1 << UInt8.random(in: 0...7, using: &generator)
                case 1: damaged[position] = UInt8.random(in: 0...255, using: &generator)
                case 2: damaged.remove(at: position)
                default: damaged.insert(UInt8.random(in: 0...255, using: &generator), at: position)
                }
            }
            do throws(CompressionError) {
                #expect(try Zstd.decompress(damaged, exactCount: content.count).count == content.count)
            } catch {
                refused += 1
            }
        }

        // No checksum is kept in the frame (chunks have their digests), so some damage goes through as other bytes.
        #expect(refused > 1_000)
        #expect(try Zstd.decompress(frame, exactCount: content.count) == content)
    }

    @Test
    func `a buffer is filled exactly or not at all`() throws {
        let content = [UInt8](repeating: 5, count: 5_000)
        let frame = try #require(Zstd.compress(content))
        var destination = [UInt8](repeating: 0, count: 5_000)

        try frame.withUnsafeBytes { frame in
            try destination.withUnsafeMutableBytes { try Zstd.decompress(frame, into: $0) }
        }

        #expect(destination == content)
        var tooSmall = [UInt8](repeating: 0, count: 4_999)
        #expect(throws: CompressionError.otherSize) {
            try frame.withUnsafeBytes { frame in
                try tooSmall.withUnsafeMutableBytes { try Zstd.decompress(frame, into: $0) }
            }
        }
        #expect(tooSmall.allSatisfy { $0 == 0 })
    }

    @Test
    func `many threads compress at a time, more than contexts are kept`() {
        let failures = Lock(0)
        let threads = (0..<12).map { number in
            Thread(name: "compressor \(number)") {
                var generator = SeededGenerator(seed: UInt64(number))
                for _ in 0..<10 {
                    let content = text(count: 40_000, &generator)
                    let again = Zstd.compress(content).flatMap { try? Zstd.decompress($0, exactCount: content.count) }
                    if again != content { failures.withLock { $0 += 1 } }
                }
            }
        }
        for thread in threads { thread.join() }

        #expect(failures.withLock { $0 } == 0)
    }
}
