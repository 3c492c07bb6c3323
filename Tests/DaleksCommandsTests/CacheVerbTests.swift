import DaleksJSON
import DaleksSystem
import DaleksTestSupport
import Testing

/// What a mount keeps here, and that it can be let go of.
@Suite(.needs(.fuse)) struct CacheVerbTests {
    private let ann: Person
    private let here: String

    init() throws {
        ann = try Household.shared.get().person()
        here = ann.path("daleks")
        try Files.createPrivateDirectory(here, durable: false)
    }

    private func figures(_ line: String) throws -> [String: Int64] {
        let cache = try ann.json(line).object("cache")
        return try Dictionary(
            uniqueKeysWithValues: ["files", "bytes", "unsent_bytes", "pinned_bytes"].map { ($0, try cache.integer($0)) }
        )
    }

    @Test func `what the region has is let go of, but what is pinned; and it is read again as it was`() throws {
        try ann.done("mount")
        defer { _ = try? ann.run(["umount"]) }
        let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 ^ $0 >> 7) }
        for name in ["kept", "pinned"] {
            try Files.writeAtomically("\(here)/\(name)", bytes, mode: 0o644, durable: false)
        }
        try ann.done("sync")
        try ann.done("pin \(here)/pinned")
        try ann.done("pause")
        try Files.writeAtomically("\(here)/unsent", Array(bytes[..<1_000]), mode: 0o644, durable: false)

        let before = try figures("cache")
        #expect(before == ["files": 3, "bytes": 6_001_000, "unsent_bytes": 1_000, "pinned_bytes": 3_000_000])
        #expect(try ann.done("cache stats").contains("3 files are here, 5.7 MiB of "))
        #expect(try ann.done("cache clear").hasPrefix("Let go of 2.9 MiB.\n2 files are here"))
        #expect(try figures("cache")["bytes"] == 3_001_000)
        #expect(try ann.json("cache clear").object("cache").integer("freed_bytes") == 0)

        try ann.done("resume")
        #expect(try Files.readAll("\(here)/kept", max: 1 << 22) == bytes)
        #expect(try Files.readAll("\(here)/unsent", max: 1 << 22) == Array(bytes[..<1_000]))
    }

    @Test func `what is not mounted and what is no word of it is said`() throws {
        #expect(try ann.refused("cache").contains("nothing is mounted"))
        #expect(try ann.refused("cache eat", code: 2).contains("eat is not one of stats and clear"))
    }
}
