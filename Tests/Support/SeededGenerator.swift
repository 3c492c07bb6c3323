import DaleksSystem

/// Random numbers that come again: the same seed, the same test.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    public let seed: UInt64
    private var state: UInt64

    public init(seed: UInt64) {
        self.seed = seed
        state = seed
    }

    /// Draws a seed and prints it, or takes the one in `DALEKS_TEST_SEED` to run a failure again.
    public init(for test: String) {
        let given = Environment.current["DALEKS_TEST_SEED"].flatMap { UInt64($0) }
        self.init(seed: given ?? Random.word())
        print("seed of \(test): DALEKS_TEST_SEED=\(seed)")
    }

    /// SplitMix64: every state follows once, and neighbours look unrelated.
    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
        return word ^ word >> 31
    }

    public mutating func bytes(count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }

    /// True once in `count` times on average.
    public mutating func oneIn(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &self) == 0 }
}
