import DaleksCore
import DaleksTestSupport
import Glibc
import Testing

@Suite struct TimestampTests {
    @Test(
        arguments: [
            (0, 0, 0), (1, 0, 1), (999_999_999, 0, 999_999_999), (1_000_000_000, 1, 0), (-1, -1, 999_999_999),
            (-1_000_000_000, -1, 0), (-1_000_000_001, -2, 999_999_999),
            (Int64.max, 9_223_372_036, 854_775_807), (Int64.min, -9_223_372_037, 145_224_192),
        ] as [(Int64, Int64, Int64)]
    )
    func `seconds round towards the past and the rest is never negative`(all: Int64, seconds: Int64, rest: Int64) {
        let time = Timestamp(nanoseconds: all)
        #expect(time.seconds == seconds)
        #expect(time.nanosecondsOfSecond == rest)
        #expect(Timestamp(seconds: seconds, nanoseconds: rest) == time)
    }

    @Test func `a moment outside what 64 bits hold sticks at the end it passed`() {
        #expect(Timestamp(seconds: .max).nanoseconds == .max)
        #expect(Timestamp(seconds: .min).nanoseconds == .min)
        #expect(Timestamp(seconds: 9_223_372_036, nanoseconds: 999_999_999).nanoseconds == .max)
        #expect(Timestamp(nanoseconds: .max) + .seconds(1) == Timestamp(nanoseconds: .max))
        #expect(Timestamp(nanoseconds: .min) - .seconds(1) == Timestamp(nanoseconds: .min))
        #expect((Timestamp(nanoseconds: .max) - Timestamp(nanoseconds: .min)).nanoseconds == .max)
    }

    @Test func `a deadline for ever is not in the past`() {
        let now = Instant(nanoseconds: 5_000_000_000)
        #expect(now + .seconds(Int64.max) > now)
        #expect(now + .nanoseconds(Int64.max) > now)
        #expect(now - .seconds(Int64.max) < now)
        #expect((Instant(nanoseconds: .min) - Instant(nanoseconds: .max)).nanoseconds == .min)
    }

    @Test func `nanoseconds of a duration are clamped, not wrapped`() {
        #expect(Duration.seconds(9_223_372_036).nanoseconds == 9_223_372_036_000_000_000)
        #expect((Duration.seconds(9_223_372_036) + .milliseconds(900)).nanoseconds == .max)
        #expect((Duration.seconds(-9_223_372_036) - .milliseconds(900)).nanoseconds == .min)
        #expect(Duration.seconds(Int64.max).nanoseconds == .max)
        #expect(Duration.seconds(Int64.min).nanoseconds == .min)
        #expect(Duration.milliseconds(-1_500).nanoseconds == -1_500_000_000)
        #expect(Duration.milliseconds(2_500).inSeconds == 2.5)
        #expect(Duration.microseconds(2_500).milliseconds == 2)
    }

    @Test func `civil time agrees with the C library on ten thousand random days`() {
        var random = SeededGenerator(for: "civil time")
        for _ in 0..<10_000 {
            let seconds = Int64.random(in: -9_223_372_036...9_223_372_036, using: &random)
            let civil = CivilTime(Timestamp(seconds: seconds))
            var time = time_t(seconds)
            var fields = tm()
            gmtime_r(&time, &fields)
            #expect(civil.year == Int(fields.tm_year) + 1_900 && civil.month == Int(fields.tm_mon) + 1)
            #expect(civil.day == Int(fields.tm_mday) && civil.weekday == Int(fields.tm_wday))
            #expect(civil.hour == Int(fields.tm_hour) && civil.minute == Int(fields.tm_min))
            #expect(civil.second == Int(fields.tm_sec))
            #expect(
                CivilTime.seconds(
                    year: civil.year,
                    month: civil.month,
                    day: civil.day,
                    hour: civil.hour,
                    minute: civil.minute,
                    second: civil.second
                ) == seconds
            )
        }
    }

    @Test func `every day from the year 0 to 9999 is its own`() {
        // Beyond 2262 too, where nanoseconds end: certificates and cookies speak of the year 9999.
        var expected: Int64 = -62_167_219_200
        for year in 0...9_999 {
            let isLeap = year % 4 == 0 && year % 100 != 0 || year % 400 == 0
            for (month, days) in [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].enumerated() {
                for day in [1, days] {
                    let seconds = CivilTime.seconds(
                        year: year,
                        month: month + 1,
                        day: day,
                        hour: 0,
                        minute: 0,
                        second: 0
                    )
                    #expect(seconds == expected + Int64(day - 1) * 86_400)
                }
                let tooFar = CivilTime.seconds(
                    year: year,
                    month: month + 1,
                    day: days + 1,
                    hour: 0,
                    minute: 0,
                    second: 0
                )
                #expect(tooFar == nil)
                expected += Int64(days) * 86_400
            }
        }
    }

    @Test func `a date that does not exist is nil`() {
        func seconds(_ month: Int, _ day: Int, _ hour: Int, _ minute: Int, _ second: Int) -> Int64? {
            CivilTime.seconds(year: 2_026, month: month, day: day, hour: hour, minute: minute, second: second)
        }
        #expect(seconds(2, 29, 0, 0, 0) == nil)
        #expect(seconds(2, 31, 0, 0, 60) == nil)
        #expect(seconds(0, 1, 0, 0, 0) == nil)
        #expect(seconds(13, 1, 0, 0, 0) == nil)
        #expect(seconds(1, 0, 0, 0, 0) == nil)
        #expect(seconds(1, 1, 24, 0, 0) == nil)
        #expect(seconds(1, 1, 0, 60, 0) == nil)
        #expect(seconds(1, 1, 0, 0, 61) == nil)
        #expect(CivilTime.seconds(year: 10_000, month: 1, day: 1, hour: 0, minute: 0, second: 0) == nil)
        // A leap second is the next minute's first.
        #expect(seconds(12, 31, 23, 59, 60) == seconds(12, 31, 23, 59, 59).map { $0 + 1 })
    }

    @Test func `the ends of time have a date`() {
        #expect(Timestamp(nanoseconds: .min).rfc3339() == "1677-09-21T00:12:43Z")
        #expect(Timestamp(nanoseconds: .max).rfc3339(milliseconds: true) == "2262-04-11T23:47:16.854Z")
        #expect(CivilTime(seconds: .max).month >= 1)
        #expect(CivilTime(seconds: .max).month >= 1)
    }

    @Test func `RFC 3339 text is padded`() {
        #expect(Timestamp.zero.rfc3339() == "1970-01-01T00:00:00Z")
        #expect(
            Timestamp(seconds: -1, nanoseconds: 5_000_000).rfc3339(milliseconds: true) == "1969-12-31T23:59:59.005Z"
        )
        #expect(Timestamp(seconds: 1_795_244_790).rfc3339() == "2026-11-21T07:06:30Z")
    }
}
