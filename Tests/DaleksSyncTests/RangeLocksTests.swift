import DaleksTestSupport
import Testing

@testable import DaleksSync

/// Locks on ranges against a model that keeps each byte by itself.
struct RangeLocksTests {
    private static let byteCount: Int64 = 24
    /// In the model, for whatever lies behind those.
    private static let rest = Int(byteCount)

    @Test func `any sequence of locks leaves each byte with those who locked it last`() {
        var random = SeededGenerator(for: "range locks")
        let seed = random.seed
        for _ in 0..<200 {
            var locks = RangeLocks()
            var model: [[UInt64: FileLock.Kind]] = Array(repeating: [:], count: Self.rest + 1)
            for _ in 0..<60 {
                let owner = UInt64.random(in: 1...3, using: &random)
                let start = Int64.random(in: 0..<Self.byteCount, using: &random)
                let isOpen = Int.random(in: 0..<4, using: &random) == 0
                let end = isOpen ? .max : Int64.random(in: start..<Self.byteCount, using: &random)
                let bytes = Int(start)...(isOpen ? Self.rest : Int(end))
                guard Int.random(in: 0..<3, using: &random) > 0 else {
                    locks.clear(owner: owner, from: start, to: end)
                    for byte in bytes { model[byte][owner] = nil }
                    continue
                }
                let kind: FileLock.Kind = Int.random(in: 0..<2, using: &random) == 0 ? .read : .write
                let wanted = FileLock(owner: owner, kind: kind, start: start, end: end)
                let isFree = bytes.allSatisfy { byte in
                    model[byte].allSatisfy { $0.key == owner || $0.value == .read && kind == .read }
                }
                #expect((locks.conflict(with: wanted) == nil) == isFree, "seed \(seed)")
                guard isFree else { continue }
                locks.set(wanted)
                for byte in bytes { model[byte][owner] = kind }
            }
            for byte in 0...Self.byteCount {
                let owners = locks.held.filter { $0.start <= byte && byte <= $0.end }
                let shown = Dictionary(owners.map { ($0.owner, $0.kind) }, uniquingKeysWith: { first, _ in first })
                #expect(owners.count == shown.count && shown == model[Int(byte)], "seed \(seed)")
            }
        }
    }

    @Test func `neighbours of one kind are one lock, and a hole makes two`() {
        var locks = RangeLocks()

        for byte in Int64(0)..<10 { locks.set(FileLock(owner: 1, kind: .write, start: byte, end: byte)) }
        #expect(locks.held.count == 1 && locks.held.first?.end == 9)
        locks.clear(owner: 1, from: 4, to: 5)

        #expect(locks.held.map(\.start).sorted() == [0, 6] && locks.held.map(\.end).sorted() == [3, 9])
        let wanted = FileLock(owner: 2, kind: .read, start: 2, end: 8)
        #expect(locks.conflict(with: wanted)?.start == 0)
    }
}
