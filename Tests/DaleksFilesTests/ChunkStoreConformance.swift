import DaleksCore
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksFiles

extension ChunkStore {
    func store(_ contents: [ChunkContent]) throws(ChunkStoreError) -> [ChunkLocation] {
        try store(contents.map { PackedChunk($0) })
    }
}

/// What every chunk store must do.
enum ChunkStoreConformance {
    static let counts = [1, 63, 64, 65, 4_095, 4_096, 65_536, Limits.spanBytes]

    /// `rounds` is how often each of eight writers stores five chunks; `DALEKS_ROUNDS` asks for more.
    static func check(_ store: some ChunkStore, _ random: inout SeededGenerator, rounds: Int = 20) throws {
        try keepsWhatItGets(store, &random)
        try keepsManyAtOnce(store, rounds: Environment.current["DALEKS_ROUNDS"].flatMap { Int($0) } ?? rounds)
        try tellsWrongLocations(store)
    }

    private static func keepsWhatItGets(_ store: some ChunkStore, _ random: inout SeededGenerator) throws {
        var kept: [(ChunkContent, ChunkLocation)] = []
        for count in counts {
            for bytes in [[UInt8](repeating: 7, count: count), random.bytes(count: count)] {
                let content = ChunkContent(bytes)
                let location = try #require(try store.store([content]).first)
                #expect(location.rawBytes == count)
                kept.append((content, location))
            }
        }
        #expect(Set(kept.map(\.1)).count == kept.count, "no location is used twice")
        for (content, location) in kept { #expect(try store.read(content.digest, at: location) == content.bytes) }
        #expect(try store.store([ChunkContent]()).isEmpty)
    }

    private static func keepsManyAtOnce(_ store: some ChunkStore, rounds: Int) throws {
        let kept = Lock([(ChunkContent, ChunkLocation)]())
        let threads = (0..<8).map { thread in
            Thread(name: "writer") {
                for round in 0..<rounds {
                    let contents = (0..<5).map { ChunkContent(Array("\(thread) \(round) \($0)".utf8)) }
                    guard let locations = try? store.store(contents) else { return }
                    let pairs = Array(zip(contents, locations))
                    kept.withLock { $0 += pairs }
                }
            }
        }
        for thread in threads { thread.join() }
        let all = kept.withLock { $0 }
        #expect(all.count == 8 * rounds * 5)
        #expect(Set(all.map(\.1)).count == all.count)
        for (content, location) in all { #expect(try store.read(content.digest, at: location) == content.bytes) }
    }

    private static func tellsWrongLocations(_ store: some ChunkStore) throws {
        let (first, second) = (ChunkContent([1, 2, 3]), ChunkContent([4, 5, 6]))
        let locations = try store.store([first, second])
        var beyond = locations[1]
        beyond.position += 1 << 40
        var elsewhere = locations[1]
        elsewhere.segment += 1_000

        for location in [locations[1], beyond, elsewhere] {
            #expect(throws: ChunkStoreError.damaged(first.digest)) { try store.read(first.digest, at: location) }
        }
        store.discard([locations[0]])
        // Some give the room back at once, some later; none reads anything else from it.
        if let bytes = try? store.read(first.digest, at: locations[0]) { #expect(bytes == first.bytes) }
        #expect(try store.read(second.digest, at: locations[1]) == second.bytes)
    }
}
