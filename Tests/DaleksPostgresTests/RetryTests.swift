import DaleksCore
import Testing

@testable import DaleksPostgres

struct RetryTests {
    @Test func `pauses grow up to a bound and attempts end`() {
        var retry = Retry(attemptCountMax: 12)
        var bounds: [Duration] = []
        while let delay = retry.next(random: .max - 1) { bounds.append(delay) }
        #expect(bounds.count == 11)
        #expect(bounds.allSatisfy { $0 < Limits.Postgres.retryDelayMax })
        var first = Retry(attemptCountMax: 2)
        #expect(first.next(random: 0) == .zero)
        #expect(first.next(random: 0) == nil)
        var long = Retry(attemptCountMax: 1_000)
        for random in 0..<999 { #expect(long.next(random: UInt64(random) << 40)! < Limits.Postgres.retryDelayMax) }
    }
}
