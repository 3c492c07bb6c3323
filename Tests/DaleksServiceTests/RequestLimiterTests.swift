import DaleksCore
import DaleksHTTP
import DaleksSystem
import DaleksTestSupport
import Testing

@testable import DaleksService

/// So many requests at once, and so many a second.
struct RequestLimiterTests {
    private let clock = ManualClock()

    private func limiter(perSecond: Int, burst: Int, keyCountMax: Int = 64) throws -> RequestLimiter<Int> {
        try #require(
            RequestLimiter(
                "this test",
                perSecond: perSecond,
                burst: burst,
                keyCountMax: keyCountMax,
                time: clock.source
            )
        )
    }

    private func taken(_ limiter: RequestLimiter<Int>, _ key: Int, of count: Int) -> Int {
        (0..<count).count { _ in (try? limiter.take(key)) != nil }
    }

    @Test func `after a burst each gets its rate, and nobody another's`() throws {
        let limiter = try limiter(perSecond: 10, burst: 50)

        #expect(taken(limiter, 1, of: 100) == 50)
        #expect(taken(limiter, 2, of: 10) == 10)
        clock.advance(by: .seconds(1))
        #expect(taken(limiter, 1, of: 100) == 10)
        clock.advance(by: .seconds(3_600))
        #expect(taken(limiter, 1, of: 100) == 50)
    }

    @Test func `who is refused is told when to come back, and is served then`() throws {
        let limiter = try limiter(perSecond: 1, burst: 5)
        _ = taken(limiter, 1, of: 5)

        let error = #expect(throws: APIError.self) { try limiter.take(1) }

        #expect(error?.status.code == 429 && error?.code == .rateLimited)
        let seconds = try #require(error?.fields["Retry-After"].flatMap { Int($0) })
        #expect((1...2).contains(seconds))
        clock.advance(by: .seconds(seconds))
        try limiter.take(1)
    }

    @Test func `what it remembers is bounded, and none is no limit`() throws {
        let limiter = try limiter(perSecond: 1, burst: 1, keyCountMax: 160)
        for key in 0..<10_000 { try limiter.take(key) }
        #expect(limiter.keyCount <= 160)
        #expect(RequestLimiter<Int>("nobody", perSecond: 0, burst: 5) == nil)
    }
}
