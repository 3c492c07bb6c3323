import DaleksCore
import DaleksHTTP
import Testing

@testable import DaleksHTTPClient

/// The client's decisions, as tables, with no network.
struct PolicyTests {
    private func origin(_ url: String) throws -> Origin { try #require(Origin(url: url)) }

    @Test(arguments: [
        ("http://a/", "http", "a", 80), ("https://a", "https", "a", 443),
        ("HTTPS://A.Example:8443?x", "https", "a.example", 8443),
        ("http://127.0.0.1:9/x@y", "http", "127.0.0.1", 9), ("http://[::1]:8080/", "http", "[::1]", 8080),
        ("http://[fe80::1]#f", "http", "[fe80::1]", 80),
    ])
    func `an origin is read from a URL`(url: String, scheme: String, host: String, port: Int) throws {
        let origin = try origin(url)

        #expect(origin.scheme == scheme)
        #expect(origin.host == host)
        #expect(origin.port == port)
    }

    @Test(arguments: [
        "http:/a", "http//a", "http://", "http:///x", "http://:80/", "http://a:/", "http://a:0/", "http://a:65536/",
        "http://a:1x/", "http://a@b/", "http://a:b@c/", "http://[::1/", "http://[]/", "http://[::1]x/", "http://[a%]/",
        "http://a\\b/", "http://a\tb/", "http://a\r\nX: 1/", "http://ä/", "javascript:1", "http://a%2fb/",
    ])
    func `what could be read in two ways is no URL`(url: String) {
        #expect(Origin(url: url) == nil)
    }

    @Test func `exchanges wait in order and origins take turns`() throws {
        let (a, b) = (try origin("http://a"), try origin("http://b"))
        var queue = ExchangeQueue(activeMax: 10, activePerHostMax: 2)
        for id in 1...5 as ClosedRange<UInt64> { queue.enqueue(id, to: a) }
        for id in 6...8 as ClosedRange<UInt64> { queue.enqueue(id, to: b) }

        #expect((0..<5).map { _ in queue.next() } == [1, 6, 2, 7, nil])
        queue.finished(at: b)
        #expect(queue.next() == 8)
        queue.withdraw(3, from: a)
        queue.finished(at: a)
        queue.finished(at: a)
        #expect((0..<3).map { _ in queue.next() } == [4, 5, nil])
        #expect(queue.activeCount == 4)
    }

    @Test func `all origins together keep to their bound`() throws {
        var queue = ExchangeQueue(activeMax: 3, activePerHostMax: 2)
        let origins = try (0..<5).map { try origin("http://host\($0)") }
        for (number, origin) in origins.enumerated() { queue.enqueue(UInt64(number), to: origin) }

        #expect((0..<4).map { _ in queue.next() } == [0, 1, 2, nil])
        queue.finished(at: origins[1])
        #expect(queue.next() == 3)
    }

    @Test func `random traffic keeps every bound, loses nobody and leaves nothing behind`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var generator = SplitMix(state: seed)
        let origins = try (0..<4).map { try origin("http://host\($0)") }
        var queue = ExchangeQueue(activeMax: 7, activePerHostMax: 3)
        var (waiting, active): ([UInt64: Origin], [UInt64: Origin]) = ([:], [:])

        for id in 0..<20_000 as Range<UInt64> {
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<5 where waiting.count < 50:
                let origin = origins[Int.random(in: 0..<4, using: &generator)]
                queue.enqueue(id, to: origin)
                waiting[id] = origin
            case 5:
                guard let (id, origin) = waiting.first else { continue }
                queue.withdraw(id, from: origin)
                waiting[id] = nil
            case 6...7:
                guard let (id, origin) = active.first else { continue }
                queue.finished(at: origin)
                active[id] = nil
            default:
                guard let id = queue.next() else {
                    let isBlocked = waiting.values.allSatisfy { origin in
                        active.values.filter { $0 == origin }.count == 3
                    }
                    try #require(active.count == 7 || isBlocked)
                    continue
                }
                let origin = try #require(waiting[id])
                waiting[id] = nil
                active[id] = origin
                try #require(active.count <= 7)
                try #require(active.values.filter { $0 == origin }.count <= 3)
            }
        }
        for (id, origin) in waiting { queue.withdraw(id, from: origin) }
        for origin in active.values { queue.finished(at: origin) }
        #expect(queue.next() == nil)
        #expect(queue.hostCount == 0)
    }

    @Test func `timers come due in order whatever the order they came in`() {
        var heap = TimerHeap()
        let times = (0..<500).map { ($0 * 7_919) % 500 }
        for time in times { heap.insert(TimerHeap.Entry(at: Instant(nanoseconds: Int64(time)), id: UInt64(time))) }

        heap.rebuild { $0.id % 2 == 0 }
        var due: [UInt64] = []
        while let entry = heap.popDue(at: Instant(nanoseconds: 99)) { due.append(entry.id) }

        #expect(due == Array(stride(from: 0, to: 100, by: 2)))
        #expect(heap.count == 200)
        #expect(heap.nearest == Instant(nanoseconds: 100))
    }

    private let plan = RetryPlan(delayBase: .milliseconds(100), delayMax: .seconds(5), retryAfterMax: .seconds(60))

    private func decide(
        _ outcome: RetryPlan.Outcome,
        attempts: Int = 1,
        remaining: Duration = .seconds(600),
        draw: Double = 0.5
    ) -> RetryPlan.Decision {
        plan.decide(
            outcome,
            policy: .idempotent(maxAttempts: 10),
            canRepeat: true,
            attempts: attempts,
            remaining: remaining,
            draw: draw
        )
    }

    @Test func `the pause doubles up to its maximum, and any part of it may be drawn`() {
        #expect(decide(.broken, attempts: 1) == .retry(after: .milliseconds(50)))
        #expect(decide(.broken, attempts: 2) == .retry(after: .milliseconds(100)))
        #expect(decide(.broken, attempts: 5) == .retry(after: .milliseconds(800)))
        #expect(decide(.broken, attempts: 9) == .retry(after: .milliseconds(2_500)))
        #expect(decide(.broken, draw: 0) == .retry(after: .zero))
        #expect(decide(.broken, attempts: 10) == .accept)
    }

    @Test func `a pause is at least what the server asked for`() {
        #expect(decide(.refused(retryAfter: .seconds(3))) == .retry(after: .milliseconds(3_050)))
        #expect(decide(.refused(retryAfter: nil)) == .retry(after: .milliseconds(50)))
        #expect(decide(.refused(retryAfter: .seconds(61))) == .accept)
        #expect(decide(.refused(retryAfter: .seconds(3)), remaining: .seconds(3)) == .accept)
        #expect(decide(.final) == .accept)
    }

    @Test(
        arguments: [
            ("120", 120), ("0", 0), ("-1", nil), ("1.5", nil), ("", nil), ("99999999999", nil), ("soon", nil),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 0), ("Thu, 01 Jan 1998 00:01:40 GMT", 100),
        ] as [(String, Int64?)]
    )
    func `Retry-After is seconds or a date`(text: String, seconds: Int64?) {
        // 1998-01-01T00:00:00Z.
        let now = Timestamp(seconds: 883_612_800)

        #expect(RetryPlan.retryAfter(text, now: now) == seconds.map { Duration.seconds($0) })
    }
}

/// A generator that replays from its seed.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}
